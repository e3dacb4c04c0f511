"""A journal store for one process and its lifetime: the SDK's local runs, and tests."""

from collections import defaultdict
from dataclasses import dataclass, field
from decimal import Decimal

from omniforge.errors import BlobMissing, BudgetExceeded, Fenced
from omniforge.journal.blobs import Manifest, digest_of
from omniforge.journal.events import Event, NewEvent
from omniforge.journal.ports import Announce, InboxItem, NodeState, Outcome, Transition
from omniforge.journal.steps import Fence, NodeKey, Step


@dataclass(slots=True)
class MemoryStream:
    """One run's events and money."""

    cap: Decimal | None = None
    reserved: Decimal = Decimal(0)
    settled: Decimal = Decimal(0)
    events: list[Event] = field(default_factory=list)

    def append(self, stream_id: str, event: NewEvent) -> None:
        body = Event(
            stream_id=stream_id,
            seq=len(self.events) + 1,
            node=event.node,
            at=event.at,
            body=event.body,
        )
        self.events.append(body)


@dataclass(slots=True)
class _Node:
    fence: Fence
    steps: dict[int, Step] = field(default_factory=dict)
    outcome: Outcome | None = None
    active: float = 0.0
    workspace: Manifest | None = None


class MemoryJournalStore:
    """Keeps every rule of the port (fence, budget, one transition at a time) without a database."""

    def __init__(self) -> None:
        self.streams: defaultdict[str, MemoryStream] = defaultdict(MemoryStream)
        self.inbox: dict[NodeKey, list[InboxItem]] = {}
        self._nodes: dict[NodeKey, _Node] = {}

    async def claim(
        self, key: NodeKey, skill_name: str, fence: Fence, announce: Announce
    ) -> NodeState:
        node = self._nodes.get(key)
        is_new = node is None
        node = node or self._nodes.setdefault(key, _Node(fence))
        if not is_new and fence <= node.fence:
            raise Fenced(f"{key.node!r} was claimed by {node.fence}; {fence} comes too late.")
        node.fence = fence
        ended = node.outcome if node.outcome and node.outcome.status.is_final else None
        state = NodeState(
            is_new,
            list(node.steps.values()),
            self.inbox.get(key, []),
            ended,
            node.active,
            node.workspace,
        )
        if ended is None:
            self.streams[key.stream_id].append(key.stream_id, announce(state))
        return state

    async def commit(self, key: NodeKey, fence: Fence, change: Transition) -> None:
        node, stream = self._nodes[key], self.streams[key.stream_id]
        if fence != node.fence:
            raise Fenced(f"{key.node!r} was claimed by {node.fence}; {fence} may not write.")
        reserved = stream.reserved + change.reserve - change.release
        settled = stream.settled + change.settle
        if change.reserve and stream.cap is not None and settled + reserved > stream.cap:
            left = stream.cap - settled
            raise BudgetExceeded(
                f"The next step may cost ${change.reserve}; ${left} of ${stream.cap} is left."
            )
        stream.reserved, stream.settled = reserved, settled
        node.steps.update((step.number, step) for step in change.steps)
        node.active += change.active
        if change.workspace is not None:
            node.workspace = change.workspace
        node.outcome = change.outcome or node.outcome
        items = self.inbox.get(key, [])
        self.inbox[key] = [item for item in items if item.id not in change.consumed]
        for event in change.events:
            stream.append(key.stream_id, event)


class MemoryBlobs:
    """Blobs for one process and its lifetime."""

    def __init__(self) -> None:
        self._content: dict[str, bytes] = {}

    async def put(self, content: bytes) -> str:
        digest = digest_of(content)
        self._content[digest] = content
        return digest

    async def get(self, digest: str) -> bytes:
        if digest not in self._content:
            raise BlobMissing(digest)
        return self._content[digest]
