"""A journal store for one process and its lifetime: the SDK's local runs, and tests."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal

from omniforge.agents.budgets import BEGINNING, NOTHING, Budget, Closed, Period, Scope
from omniforge.errors import BlobMissing, Fenced
from omniforge.journal.blobs import Manifest, digest_of
from omniforge.journal.events import EPHEMERAL, Event, NewEvent
from omniforge.journal.ports import (
    Announce,
    Decision,
    InboxItem,
    NodeState,
    Outcome,
    Transition,
    Unheard,
    Word,
)
from omniforge.journal.steps import Fence, NodeKey, Step


@dataclass(slots=True)
class MemoryStream:
    """One run's events and money."""

    cap: Decimal | None = None
    reserved: Decimal = NOTHING
    settled: Decimal = NOTHING
    overrun: Decimal = NOTHING
    under_way: dict[tuple[NodeKey, int], Decimal] = field(default_factory=dict)
    events: list[Event] = field(default_factory=list)
    next_seq: int = 1
    word: Word = field(default_factory=Word)

    def move(self, key: NodeKey, change: Transition) -> None:
        """Begin and end calls, all or none of them.

        Raises:
            BudgetExceeded: What begins does not fit under the cap.
        """
        closed = [
            Closed(BEGINNING, self.under_way.get((key, number), NOTHING), cost)
            for number, cost in change.settle.items()
        ]
        wanted = sum(change.reserve.values(), NOTHING)
        budget = self._budget(key.stream_id).after(NOTHING, closed)
        if self.cap is not None and wanted and not budget.fits(wanted):
            raise budget.refusal(wanted)
        budget = budget.after(wanted, ())
        self.reserved, self.settled = budget.reserved, budget.settled
        self.overrun = budget.overrun
        for number in change.settle:
            self.under_way.pop((key, number), None)
        self.under_way.update(((key, number), cost) for number, cost in change.reserve.items())

    def _budget(self, stream_id: str) -> Budget:
        cap = NOTHING if self.cap is None else self.cap
        return Budget(
            Scope.RUN,
            stream_id,
            Period.EVER,
            cap,
            reserved=self.reserved,
            settled=self.settled,
            overrun=self.overrun,
        )

    def append(self, stream_id: str, event: NewEvent) -> None:
        body = Event(
            stream_id=stream_id,
            seq=self.next_seq,
            node=event.node,
            at=event.at,
            body=event.body,
        )
        self.events.append(body)
        self.next_seq += 1

    def clear(self, node: str) -> None:
        """Take a node's ephemeral events away."""
        self.events = [
            event for event in self.events if event.node != node or event.body.type not in EPHEMERAL
        ]


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
            [item for item in self.inbox.get(key, []) if item.decision is not Decision.SAID],
            ended,
            node.active,
            node.workspace,
            self.streams[key.stream_id].word,
        )
        if ended is None:
            self.streams[key.stream_id].clear(key.node)
            self.streams[key.stream_id].append(key.stream_id, announce(state))
        return state

    async def commit(self, key: NodeKey, fence: Fence, change: Transition) -> Word | None:
        node, stream = self._nodes[key], self.streams[key.stream_id]
        if fence != node.fence:
            raise Fenced(f"{key.node!r} was claimed by {node.fence}; {fence} may not write.")
        if change.heard is not None and stream.word.said > change.heard:
            raise Unheard(stream.word)
        stream.move(key, change)
        node.steps.update((step.number, step) for step in change.steps)
        node.active += change.active
        if change.workspace is not None:
            node.workspace = change.workspace
        node.outcome = change.outcome or node.outcome
        items = self.inbox.get(key, [])
        self.inbox[key] = [item for item in items if item.id not in change.consumed]
        if change.clears:
            stream.clear(key.node)
        for event in change.events:
            stream.append(key.stream_id, event)
        return stream.word

    async def messages(self, key: NodeKey) -> Sequence[InboxItem]:
        return [item for item in self.inbox.get(key, []) if item.decision is Decision.SAID]


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
