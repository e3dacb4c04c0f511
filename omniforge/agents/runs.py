"""One execution of one agent version, as its row in `agent_executions` tells it."""

from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, AwareDatetime, BaseModel

from omniforge.agents.modes import RunMode, Terms


class RunStatus(StrEnum):
    PENDING = "pending"
    QUEUED = "queued"
    RUNNING = "running"
    WAITING = "waiting"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"
    TIMED_OUT = "timed_out"

    @property
    def is_final(self) -> bool:
        return self in FINAL_STATUSES


FINAL_STATUSES = frozenset(
    {RunStatus.COMPLETED, RunStatus.FAILED, RunStatus.CANCELLED, RunStatus.TIMED_OUT}
)


class RunPriority(StrEnum):
    """Whose turn is first, in the queue of a tenant and in Temporal's backlog."""

    INTERACTIVE = "interactive"
    """A person looks on."""
    NORMAL = "normal"
    BULK = "bulk"

    @property
    def rank(self) -> int:
        """As Temporal and the database know it: the lower comes first."""
        return _RANKS[self]

    @classmethod
    def ranked(cls, rank: int) -> "RunPriority":
        return next(priority for priority in cls if priority.rank == rank)


_RANKS = {RunPriority.INTERACTIVE: 1, RunPriority.NORMAL: 3, RunPriority.BULK: 5}


class RunTrigger(StrEnum):
    ON_DEMAND = "on_demand"
    SCHEDULED = "scheduled"
    EVENT_DRIVEN = "event_driven"


def _storable(text: str) -> str:
    """Pages and models say anything; no column of text takes a NUL or half a surrogate pair."""
    return text.replace("\0", "\N{REPLACEMENT CHARACTER}").encode("utf-8", "replace").decode()


class ErrorInfo(BaseModel, frozen=True):
    """An error as data: what is stored, sent and shown. `skill` names the node it happened in."""

    code: str
    message: Annotated[str, AfterValidator(_storable)]
    skill: str | None = None


class TokenUsage(BaseModel, frozen=True):
    """Tokens of model calls. `input_tokens` excludes what the two cache counters hold."""

    input_tokens: int = 0
    output_tokens: int = 0
    cache_read_tokens: int = 0
    cache_write_tokens: int = 0
    model_calls: int = 0
    tool_calls: int = 0

    def __add__(self, other: "TokenUsage") -> "TokenUsage":
        return TokenUsage.model_construct(
            **{name: getattr(self, name) + getattr(other, name) for name in TokenUsage.model_fields}
        )


class Fate(BaseModel, frozen=True):
    """What becomes of a node whose turn it is: it runs, or is skipped, or runs for each of some items.

    With `error` its condition or its list could not be worked out.
    """

    kind: Literal["run", "skip", "items", "fail"]
    items: int = 0
    error: ErrorInfo | None = None


class OpenWait(BaseModel, frozen=True):
    """One thing that a run waits for. `node` is null where all of the run does."""

    kind: str
    id: str
    node: str | None
    tool: str = ""
    question: str
    since: AwareDatetime


class SkillResult(BaseModel, frozen=True):
    """What one skill of a run came to. A skill that was stopped keeps its partial output."""

    id: str
    name: str
    status: Literal[
        "completed", "failed", "timed_out", "cancelled", "skipped", "running", "waiting"
    ]
    output: Any = None  # JSON of the skill's own making
    error: ErrorInfo | None = None
    usage: TokenUsage = TokenUsage()
    cost_usd: Decimal = Decimal(0)
    started_at: AwareDatetime | None = None
    completed_at: AwareDatetime | None = None


class Run(BaseModel):
    """A run. `cost_usd` counts settled model calls; it is exact to a billionth of a dollar."""

    id: str
    agent_id: str
    tenant_id: str
    agent_version: int | None = None
    status: RunStatus
    generation: int = 0
    """How often it was taken up again after it had failed."""
    waiting_for: str | None = None
    wish: str | None = None
    """What people ask of it, that it does before its next step: to pause, or to stop."""
    priority: RunPriority = RunPriority.NORMAL
    trigger_type: RunTrigger
    trigger_id: str | None = None
    """The schedule or event trigger that started it."""
    scheduled_at: AwareDatetime | None = None
    """The time that its schedule names."""
    triggered_by: str
    parent_id: str | None = None
    """The run of which a skill started this one."""
    mode: RunMode = RunMode.LIVE
    source_id: str | None = None
    """The run that this one plays, or whose answers it is given."""
    terms: Terms = Terms()
    input_data: dict[str, Any] = {}
    created_at: AwareDatetime
    started_at: AwareDatetime | None = None
    completed_at: AwareDatetime | None = None
    result: Any = None  # JSON of the last skill's making
    error: ErrorInfo | None = None
    skill_results: tuple[SkillResult, ...] = ()
    usage: TokenUsage = TokenUsage()
    cost_usd: Decimal = Decimal(0)
