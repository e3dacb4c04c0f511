"""What a platform answers. Members that a newer platform adds are left out."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Generic, TypeVar, overload

from pydantic import AwareDatetime, BaseModel

from omniforge.agents.config import (
    AgentLimits,
    AgentStatus,
    SharingLevel,
    SkillReference,
    TriggerType,
    UsageStats,
)
from omniforge.agents.permissions import PermissionRule
from omniforge.agents.runs import ErrorInfo, RunStatus, RunTrigger, SkillResult, TokenUsage
from omniforge.journal.ports import Decision
from omniforge.journal.steps import Origin, StepKind, StepStatus

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
    limits: AgentLimits
    permissions: tuple[PermissionRule, ...]
    version: int
    sharing_level: SharingLevel
    created_by: str
    created_at: AwareDatetime
    updated_at: AwareDatetime
    last_run: AwareDatetime | None
    usage_stats: UsageStats


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
