"""Runs, their steps, events and files over HTTP."""

from decimal import Decimal
from typing import Any

from pydantic import AwareDatetime, BaseModel, Field

from api.schemas.agents import Files, Text
from omniforge.agents.runs import ErrorInfo, Run, RunStatus, RunTrigger, SkillResult, TokenUsage
from omniforge.journal.ports import Decision
from omniforge.journal.steps import Step, StepKind, StepStatus
from omniforge.store.approvals import Approval


class RunRequest(BaseModel, extra="forbid"):
    """What a run works on. `files` are laid into its workspace before the first skill."""

    input_data: dict[str, Any] = {}
    files: Files = {}


class RunAccepted(BaseModel):
    execution_id: str
    status: RunStatus


class Execution(BaseModel):
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
    result: Any
    error: str | None
    error_code: str | None
    error_skill: str | None
    skill_results: tuple[SkillResult, ...]
    usage: TokenUsage
    cost_usd: Decimal
    temporal_url: str

    @classmethod
    def of(cls, run: Run, temporal_url: str) -> "Execution":
        error = run.error
        return cls.model_validate(
            {
                **run.model_dump(include=set(cls.model_fields)),
                "error": error.message if error else None,
                "error_code": error.code if error else None,
                "error_skill": error.skill if error else None,
                "temporal_url": temporal_url,
            }
        )


class ExecutionList(BaseModel):
    executions: list[Execution]
    next_cursor: str | None


class StepBody(BaseModel):
    """One entry of the journal. `attempt` is the attempt that recorded it: rising numbers tell of a
    worker that was lost in between."""

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
    usage: TokenUsage
    cost_usd: Decimal
    is_cost_assumed: bool
    segment: int
    attempt: int
    hash: str
    started_at: AwareDatetime | None
    ended_at: AwareDatetime | None

    @classmethod
    def of(cls, node: str, step: Step) -> "StepBody":
        named = {name: getattr(step, name) for name in cls.model_fields if hasattr(step, name)}
        return cls.model_validate(
            {
                **named,
                "node": node,
                "step": step.number,
                "cost_usd": step.cost,
                **step.fence._asdict(),
            }
        )


class StepList(BaseModel):
    steps: list[StepBody]


class Artifact(BaseModel):
    path: str
    digest: str


class ArtifactList(BaseModel):
    artifacts: list[Artifact]


class ApprovalList(BaseModel):
    approvals: list[Approval]
    next_cursor: str | None


class DecisionBody(BaseModel, extra="forbid"):
    """A decision of an effect in doubt: it happened, send it again, or skip it."""

    decision: Decision
    reason: Text = Field(default="", max_length=2_000)
