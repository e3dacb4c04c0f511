"""What the journal needs of a store: claim a node, commit a transition. Nothing else."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum
from typing import Literal, NamedTuple, Protocol

from omniforge.agents.runs import ErrorInfo
from omniforge.journal.blobs import Manifest
from omniforge.journal.events import NewEvent, Wait, WaitKind
from omniforge.journal.steps import Fence, Json, NodeKey, Step, Wish


class NodeStatus(StrEnum):
    RUNNING = "running"
    WAITING = "waiting"
    COMPLETED = "completed"
    FAILED = "failed"
    TIMED_OUT = "timed_out"
    CANCELLED = "cancelled"
    SKIPPED = "skipped"

    @property
    def is_final(self) -> bool:
        return self not in {NodeStatus.RUNNING, NodeStatus.WAITING}


class Decision(StrEnum):
    """What a person says: of an effect in doubt, of a call that needs leave, to a question.

    edit: allowed, with other arguments. ask: nothing is decided; the model is to answer first.
    """

    HAPPENED = "happened"
    RESEND = "resend"
    SKIP = "skip"
    APPROVE = "approve"
    EDIT = "edit"
    REJECT = "reject"
    ASK = "ask"
    ANSWER = "answer"
    NO_ANSWER = "no_answer"
    """No person's: the time in which people could decide is over."""
    SAID = "said"
    """Decides nothing: a message to a skill at work."""
    ENDED = "ended"
    """No person's: the run that was waited for has ended, or could not be started (see the note)."""


ApprovalKind = Literal["effect", "tool_call", "input"]

APPROVAL_KINDS: Mapping[WaitKind, ApprovalKind] = {
    "effect": "effect",
    "approval": "tool_call",
    "input": "input",
}
"""What a person is shown, by what the run waits for. Other waits ask no person."""

DECISIONS: Mapping[ApprovalKind, tuple[Decision, ...]] = {
    "effect": (Decision.HAPPENED, Decision.RESEND, Decision.SKIP),
    "tool_call": (Decision.APPROVE, Decision.EDIT, Decision.REJECT, Decision.ASK),
    "input": (Decision.ANSWER,),
}
"""What people may decide of each kind."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What someone decided, in all its parts. `arguments` are those of an edit."""

    decision: Decision
    by: str
    note: str = ""
    arguments: Json = None


@dataclass(frozen=True, slots=True)
class InboxItem:
    """A decision on its way to the executor; consuming it is part of the step it decides.

    `note` is a reason, or the answer to a question; of `no_answer`, how long people had.
    """

    id: str
    wait_id: str
    decision: Decision
    decided_by: str
    note: str = ""
    arguments: Json = None
    """Of an edit: those with which the call is to be made."""


class Unheard(Exception):
    """A node was to be completed, and people have said something that it may not have taken in."""

    def __init__(self, word: "Word") -> None:
        super().__init__("people have said more")
        self.word = word


class Word(NamedTuple):
    """What people have told a stream by now: what its executors should do, and how often they spoke."""

    wish: Wish | None = None
    said: int = 0


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a node's segment ended. A final one is never changed."""

    status: NodeStatus
    output: Json = None
    error: ErrorInfo | None = None
    waits: tuple[Wait, ...] = ()


@dataclass(frozen=True, slots=True)
class NodeState:
    """All that is on record of a node at the moment it was claimed."""

    is_new: bool
    steps: Sequence[Step] = ()
    inbox: Sequence[InboxItem] = ()
    outcome: Outcome | None = None
    """Set when the node had ended before: its work is done and must not be done again."""
    active: float = 0.0
    """Seconds of work so far, over all segments."""
    workspace: Manifest | None = None
    """The node's files as its last step left them; None when no step wrote any."""
    word: Word = field(default_factory=Word)


@dataclass(slots=True)
class Transition:
    """Everything that becomes true in one commit, or not at all."""

    steps: list[Step] = field(default_factory=list)
    events: list[NewEvent] = field(default_factory=list)
    clears: bool = False
    """Take the node's ephemeral events away before these are written."""
    reserve: dict[int, Decimal] = field(default_factory=dict)
    """Dollars to set aside, by the number of the step whose call may cost that much."""
    settle: dict[int, Decimal] = field(default_factory=dict)
    """What a step's call came to. What was set aside for it is free again."""
    consumed: list[str] = field(default_factory=list)
    workspace: Manifest | None = None
    outcome: Outcome | None = None
    heard: int | None = None
    """How often people have spoken as far as the node knows; when it was more often, nothing is written."""
    active: float = 0.0


def merged(changes: Sequence[Transition]) -> Transition:
    """Several transitions of one node as one, in their order."""
    if len(changes) == 1:
        return changes[0]
    whole = Transition()
    for change in changes:
        whole.steps += change.steps
        whole.events += change.events
        whole.clears |= change.clears
        whole.consumed += change.consumed
        whole.reserve |= change.reserve
        whole.settle |= change.settle
        if change.workspace is not None:
            whole.workspace = change.workspace
        if change.outcome is not None:
            whole.outcome, whole.heard = change.outcome, change.heard
    return whole


Announce = Callable[[NodeState], NewEvent]


class JournalStore(Protocol):
    async def claim(
        self, key: NodeKey, skill_name: str, fence: Fence, announce: Announce
    ) -> NodeState:
        """Take a node over. From here on, writes under a lower fence are refused.

        The announcement goes out in the same transaction, unless the node had ended before, and
        takes away what its predecessor was showing.

        Raises:
            Fenced: A later segment or attempt has claimed the node already.
        """
        ...

    async def commit(self, key: NodeKey, fence: Fence, change: Transition) -> Word | None:
        """Write a transition in one transaction; it is durable when this returns.

        What people have said comes back when the transition has events or money, and with it costs
        nothing to find out.

        Raises:
            Fenced: A successor has claimed the node. Nothing was written.
            Unheard: People have spoken more often than `heard` says. Nothing was written.
            BudgetExceeded: The reservation does not fit under a cap. Nothing was written.
            BudgetHeld: It does not fit now, but may when calls under way have settled.
        """
        ...

    async def messages(self, key: NodeKey) -> Sequence[InboxItem]:
        """What people have said to a node and it has not taken in, in their order."""
        ...
