"""What travels through Temporal's history: ids, statuses and sizes; never inputs, outputs or transcripts."""

from typing import Literal

from pydantic import BaseModel

from omniforge.agents.config import SkillReference
from omniforge.agents.runs import ErrorInfo, RunStatus, RunTrigger
from omniforge.journal.events import WaitKind
from omniforge.journal.ports import Decision


class AgentRun(BaseModel, frozen=True):
    """The input of a run's workflow. What the run works on lies in its row."""

    execution_id: str
    tenant_id: str
    agent_id: str
    trigger_type: RunTrigger = RunTrigger.ON_DEMAND
    triggered_by: str
    parent_id: str | None = None


class Child(BaseModel, frozen=True):
    """A run that a skill of another run waits for. With `refusal` it is not to be started."""

    parent_id: str
    tenant_id: str
    execution_id: str
    agent_id: str = ""
    triggered_by: str = ""
    refusal: str = ""


class RecordedEnd(BaseModel, frozen=True):
    """How the run ended that this one replays."""

    status: RunStatus
    error: ErrorInfo


class Beginning(BaseModel, frozen=True):
    """What `begin` found. In a final status the run has ended before and there is nothing to do."""

    status: RunStatus
    agent_name: str
    skills: tuple[SkillReference, ...]
    skill_timeout_s: float
    recorded_end: RecordedEnd | None = None
    """Of a replay whose original did not complete: this one ends so, once all of it is played."""


class RunSkill(BaseModel, frozen=True):
    """One segment of one skill."""

    execution_id: str
    tenant_id: str
    node: str
    segment: int


class OpenWait(BaseModel, frozen=True):
    """What a skill waits for, without the words: those are in the database."""

    id: str
    kind: WaitKind
    tool: str = ""


class SegmentResult(BaseModel, frozen=True):
    """How a segment ended. `active_s` is the skill's working time so far, over all its segments."""

    status: Literal["done", "waiting", "interrupted", "failed", "timed_out"]
    waits: tuple[OpenWait, ...] = ()
    interruption: str | None = None
    error: ErrorInfo | None = None
    active_s: float = 0.0


class NodeRef(BaseModel, frozen=True):
    execution_id: str
    tenant_id: str
    node: str


class Waiting(BaseModel, frozen=True):
    """What a run waits for; None when it goes on."""

    execution_id: str
    tenant_id: str
    waiting_for: str | None


class Decided(BaseModel, frozen=True):
    """A person's decision, on its way through the run's workflow into the inbox."""

    tenant_id: str
    approval_id: str
    decision: Decision
    decided_by: str
    note: str = ""


class Finish(BaseModel, frozen=True):
    execution_id: str
    tenant_id: str
    status: RunStatus
    error: ErrorInfo | None = None


class RunOutcome(BaseModel, frozen=True):
    """What the workflow returns, for the one who looks at it in the Web UI."""

    status: RunStatus
    error: ErrorInfo | None = None
    cost_usd: str = "0"
