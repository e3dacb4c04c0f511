"""What people watch: one thing that happened in a stream, with a sequence number."""

from decimal import Decimal
from typing import Annotated, Any, Literal

from pydantic import AwareDatetime, BaseModel, Field

from omniforge.agents.runs import ErrorInfo, TokenUsage

WaitKind = Literal["effect", "approval", "input"]


class Wait(BaseModel, frozen=True):
    """What a run waits for. `id` is what a person's decision names.

    `arguments` are those of the call that someone must allow; the id is made from them, so a decision
    holds for exactly this call.
    """

    kind: WaitKind
    id: str
    question: str
    tool: str = ""
    arguments: Any = None


class RunStarted(BaseModel, frozen=True):
    type: Literal["run_started"] = "run_started"
    agent_id: str
    agent_name: str
    agent_version: int
    skills: tuple[str, ...]


class SkillStarted(BaseModel, frozen=True):
    type: Literal["skill_started"] = "skill_started"
    skill_name: str


class SkillResumed(BaseModel, frozen=True):
    """Another worker, or another segment, took a skill up after `recorded_steps` recorded steps."""

    type: Literal["skill_resumed"] = "skill_resumed"
    skill_name: str
    segment: int
    attempt: int
    recorded_steps: int


class CallSummary(BaseModel, frozen=True):
    step: int
    tool: str
    arguments: Any


class ModelAnswered(BaseModel, frozen=True):
    """The model spoke: its text, and the tool calls it asks for (they start now); or it failed."""

    type: Literal["model_answered"] = "model_answered"
    step: int
    model: str
    text: str
    calls: tuple[CallSummary, ...] = ()
    error: ErrorInfo | None = None
    usage: TokenUsage = TokenUsage()
    cost_usd: Decimal = Decimal(0)
    duration_ms: int


class ToolAnswered(BaseModel, frozen=True):
    type: Literal["tool_answered"] = "tool_answered"
    step: int
    tool: str
    success: bool
    summary: str
    effect: str | None = None
    origin: str = "real"
    duration_ms: int


class SkillCompleted(BaseModel, frozen=True):
    type: Literal["skill_completed"] = "skill_completed"
    skill_name: str
    output: Any = None
    cost_usd: Decimal = Decimal(0)


class SkillFailed(BaseModel, frozen=True):
    """A skill ended without its answer; `output` keeps what it had by then."""

    type: Literal["skill_failed"] = "skill_failed"
    skill_name: str
    error: ErrorInfo
    output: Any = None


class SkillWaiting(BaseModel, frozen=True):
    type: Literal["skill_waiting"] = "skill_waiting"
    skill_name: str
    waits: tuple[Wait, ...]


class DecisionMade(BaseModel, frozen=True):
    type: Literal["decision_made"] = "decision_made"
    id: str
    decision: str
    decided_by: str


class RunFinished(BaseModel, frozen=True):
    """The last event of a run's stream."""

    type: Literal["run_finished"] = "run_finished"
    status: str
    result: Any = None
    error: ErrorInfo | None = None
    cost_usd: Decimal = Decimal(0)


EventBody = Annotated[
    RunStarted
    | SkillStarted
    | SkillResumed
    | ModelAnswered
    | ToolAnswered
    | SkillCompleted
    | SkillFailed
    | SkillWaiting
    | DecisionMade
    | RunFinished,
    Field(discriminator="type"),
]


class NewEvent(BaseModel, frozen=True):
    """An event on its way into a stream; the store gives it its number. `dedupe_key` is unique there."""

    dedupe_key: str
    node: str | None = None
    at: AwareDatetime
    body: EventBody


class Event(BaseModel, frozen=True):
    stream_id: str
    seq: int
    node: str | None = None
    at: AwareDatetime
    body: EventBody
