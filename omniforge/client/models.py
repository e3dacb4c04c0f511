"""What a platform answers. Members that a newer platform adds are left out."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any, Generic, Literal, TypeVar, overload

from pydantic import AwareDatetime, BaseModel

from omniforge.agents.budgets import Dollars, Period, Scope
from omniforge.agents.config import (
    AgentLimits,
    AgentStatus,
    SharingLevel,
    SkillReference,
    TriggerType,
    UsageStats,
)
from omniforge.agents.modes import ForkPoint, RunMode
from omniforge.agents.permissions import PermissionRule
from omniforge.agents.runs import (
    ErrorInfo,
    OpenWait,
    RunPriority,
    RunStatus,
    RunTrigger,
    SkillResult,
    TokenUsage,
)
from omniforge.agents.strategies import Strategy
from omniforge.journal.canonical import Difference
from omniforge.journal.events import Edit
from omniforge.journal.ports import ApprovalKind, Decision
from omniforge.journal.steps import EffectClass, Origin, StepKind, StepStatus, Wish
from omniforge.tools.mcp.servers import Trust

T = TypeVar("T")


class Agent(BaseModel, frozen=True):
    id: str
    name: str
    description: str
    status: AgentStatus
    trigger_type: TriggerType
    schedule: str | None
    skills: tuple[SkillReference, ...]
    integrations: tuple[str, ...]
    connections: dict[str, str] = {}
    acts_as: str = "owner"
    limits: AgentLimits
    permissions: tuple[PermissionRule, ...]
    sub_agents: tuple[str, ...]
    mcp_servers: tuple[str, ...] = ()
    version: int
    sharing_level: SharingLevel
    created_by: str
    created_at: AwareDatetime
    updated_at: AwareDatetime
    last_run: AwareDatetime | None
    usage_stats: UsageStats


class CreatedAgent(Agent, frozen=True):
    """A new agent and, where it was asked for one, the strategy by which its skills are wired."""

    strategy: Strategy | None = None
    because: str = ""


class McpServer(BaseModel, frozen=True):
    """A server whose tools agents can use. The operator's ones show no address."""

    name: str
    source: Literal["operator", "workspace"]
    transport: Literal["stdio", "http"]
    url: str | None = None
    headers: dict[str, str] = {}
    trust: Trust
    read_only: tuple[str, ...] = ()
    created_by: str | None = None
    created_at: AwareDatetime | None = None


class StartedRun(BaseModel, frozen=True):
    """A run that the platform has accepted and will not lose."""

    execution_id: str
    status: RunStatus


class ControlledRun(StartedRun, frozen=True):
    """How it stands with a run after someone has asked something of it."""

    waiting_for: str | None
    wish: Wish | None
    generation: int


class Run(BaseModel, frozen=True):
    """A run. `error` says what went wrong; `error_code` is stable, `error_skill` is where."""

    id: str
    agent_id: str
    agent_version: int | None
    status: RunStatus
    waiting_for: str | None
    wish: Wish | None = None
    """What people ask of it, that it does before its next step: to pause, or to stop."""
    generation: int = 0
    """How often it was taken up again after it had ended."""
    waits: tuple[OpenWait, ...] = ()
    priority: RunPriority = RunPriority.NORMAL
    queue_position: int | None = None
    """Of a queued run; 1 is the next to begin."""
    trigger_type: RunTrigger
    trigger_id: str | None = None
    """The schedule or event trigger that started it."""
    scheduled_at: AwareDatetime | None = None
    """The time that its schedule names."""
    triggered_by: str
    parent_id: str | None
    mode: RunMode
    source_id: str | None
    fork: ForkPoint | None
    created_at: AwareDatetime
    started_at: AwareDatetime | None
    completed_at: AwareDatetime | None
    result: Any  # JSON of the last skill's making
    error: str | None
    error_code: str | None
    error_skill: str | None
    skill_results: tuple[SkillResult, ...]
    usage: TokenUsage
    cost_usd: Decimal
    temporal_url: str


class WorkspaceLimits(BaseModel, frozen=True):
    """What a workspace may use at once. Without a number of its own (None) the platform's holds.

    `cap` is the one that holds; in both, 0 is any number. `running` holds places, `queued` waits for one.
    """

    max_concurrent_runs: int | None
    fairness_weight: float
    cap: int
    running: int
    queued: int


class Step(BaseModel, frozen=True):
    """One entry of a run's journal. `attempt` is the one that recorded it.

    `arguments` are those that were asked for; with an `edit`, the call was made with those of that.
    """

    node: str
    step: int
    kind: StepKind
    name: str
    status: StepStatus
    arguments: Any
    edit: Edit | None = None
    answer: Any
    error: ErrorInfo | None
    effect_class: str | None
    effect_id: str | None
    sends: int
    model: str | None
    origin: Origin
    usage: TokenUsage
    cost_usd: Decimal
    is_cost_assumed: bool
    generation: int = 0
    segment: int
    attempt: int
    hash: str
    started_at: AwareDatetime | None
    ended_at: AwareDatetime | None


class HeldCall(BaseModel, frozen=True):
    """A call that a rehearsal held back: what would have been sent, and what was answered instead."""

    node: str
    step: int
    tool: str
    effect_class: EffectClass
    arguments: Any
    answer: Any
    origin: Origin


class Comparison(BaseModel, frozen=True):
    """Whether a run did the same as the one it comes from, in canonical form."""

    execution_id: str
    source_id: str
    identical: bool
    difference: Difference | None


class Artifact(BaseModel, frozen=True):
    path: str
    digest: str


class Approval(BaseModel, frozen=True):
    """A question that a run waits on. Undecided while `decision` is None.

    `said` are the model's words with the call. It `follows` the approval whose question they answer.
    """

    id: str
    execution_id: str
    agent_id: str
    agent_name: str
    node: str
    kind: ApprovalKind
    question: str
    tool: str = ""
    arguments: Any = None  # JSON of the call that someone must allow
    said: str = ""
    follows: str | None = None
    created_at: AwareDatetime
    age_s: float
    remind_at: AwareDatetime | None = None
    reminded_at: AwareDatetime | None = None
    escalate_at: AwareDatetime | None = None
    escalated_at: AwareDatetime | None = None
    escalated_to: str | None = None
    gives_up_at: AwareDatetime | None = None
    decision: Decision | None = None
    decided_by: str | None = None
    decided_at: AwareDatetime | None = None
    note: str = ""
    edited_arguments: Any = None


class ApprovalThread(Approval, frozen=True):
    """An approval with those that led to it, oldest first: each was answered with a question."""

    thread: tuple[Approval, ...]


class Budget(BaseModel, frozen=True):
    """A cap and what has been taken of it in its period. Calls under way have it `reserved`.

    `overrun_usd` is what providers billed beyond the worst case of a call. `ends_on` is the day on
    which, at 00:00 UTC, the cap starts anew.
    """

    scope: Scope
    subject: str
    period: Period
    cap_usd: Dollars
    reserved_usd: Dollars
    settled_usd: Dollars
    overrun_usd: Dollars
    left_usd: Dollars
    starts_on: date | None = None
    ends_on: date | None = None


class Cost(BaseModel, frozen=True):
    """What model calls cost. `reserved_usd` is set aside for those that are under way."""

    key: str
    calls: int
    cost_usd: Dollars
    reserved_usd: Dollars


@dataclass(frozen=True, slots=True)
class Page(Sequence[T], Generic[T]):
    """Part of a list, newest first. With `next_cursor` there is more."""

    items: tuple[T, ...]
    next_cursor: str | None = None

    def __len__(self) -> int:
        return len(self.items)

    @overload
    def __getitem__(self, index: int) -> T: ...

    @overload
    def __getitem__(self, index: slice) -> tuple[T, ...]: ...

    def __getitem__(self, index: int | slice) -> T | tuple[T, ...]:
        return self.items[index]
