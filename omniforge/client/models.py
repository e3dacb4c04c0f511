"""What a platform answers. Members that a newer platform adds are left out."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Annotated, Any, Generic, Literal, TypeVar, overload

from pydantic import AwareDatetime, BaseModel, PlainSerializer

from omniforge.agents.budgets import Period, Scope
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
from omniforge.agents.runs import ErrorInfo, RunStatus, RunTrigger, SkillResult, TokenUsage
from omniforge.journal.canonical import Difference
from omniforge.journal.ports import Decision
from omniforge.journal.steps import EffectClass, Origin, StepKind, StepStatus
from omniforge.tools.mcp.servers import Trust

T = TypeVar("T")

Dollars = Annotated[
    Decimal, PlainSerializer(lambda amount: f"{amount:f}", return_type=str, when_used="json")
]
"""An amount, exact: in JSON a string of digits."""


class Agent(BaseModel, frozen=True):
    id: str
    name: str
    description: str
    status: AgentStatus
    trigger_type: TriggerType
    schedule: str | None
    skills: tuple[SkillReference, ...]
    integrations: tuple[str, ...]
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


class Run(BaseModel, frozen=True):
    """A run. `error` says what went wrong; `error_code` is stable, `error_skill` is where."""

    id: str
    agent_id: str
    agent_version: int | None
    status: RunStatus
    waiting_for: str | None
    trigger_type: RunTrigger
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


class Step(BaseModel, frozen=True):
    """One entry of a run's journal. `attempt` is the one that recorded it."""

    node: str
    step: int
    kind: StepKind
    name: str
    status: StepStatus
    arguments: Any
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
    """A question that a run waits on. Undecided while `decision` is None."""

    id: str
    execution_id: str
    node: str
    kind: str
    question: str
    tool: str = ""
    arguments: Any = None  # JSON of the call that someone must allow
    created_at: AwareDatetime
    decision: Decision | None = None
    decided_by: str | None = None
    decided_at: AwareDatetime | None = None
    note: str = ""


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
