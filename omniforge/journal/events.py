"""What people watch: one thing that happened in a stream, with a sequence number."""

from decimal import Decimal
from typing import Annotated, Any, Literal

from pydantic import AwareDatetime, BaseModel, Field

from omniforge.agents.budgets import Shortfall
from omniforge.agents.modes import RunMode
from omniforge.agents.runs import ErrorInfo, TokenUsage

WaitKind = Literal["effect", "approval", "input", "budget", "connection", "child"]


class NeededConnection(BaseModel, frozen=True):
    """The connection that a call could not be made without: newer tokens of one, or a first one."""

    connection_id: str | None
    version: int = 0
    """Of the tokens that are of no use any more."""
    user_id: str = ""
    integration_id: str = ""


class Wait(BaseModel, frozen=True):
    """What a run waits for. `id` is what a person's decision names.

    `arguments` are those of the call that someone must allow; the id is made from them, so a decision
    holds for exactly this call. `said` are the model's words when it asked for the call, and `follows`
    is the wait that it answers so. `short` says what is missing where money is waited for, and
    `connection` where an account has to be connected.
    """

    kind: WaitKind
    id: str
    question: str
    tool: str = ""
    arguments: Any = None
    said: str = ""
    follows: str | None = None
    short: Shortfall | None = None
    connection: NeededConnection | None = None


class Edit(BaseModel, frozen=True):
    """What a person made of a call's arguments when allowing it."""

    arguments: Any
    by: str
    note: str = ""


class RunQueued(BaseModel, frozen=True):
    """As many runs of the workspace are under way as may be. `position` 1 is the next to begin."""

    type: Literal["run_queued"] = "run_queued"
    position: int


class RunStarted(BaseModel, frozen=True):
    type: Literal["run_started"] = "run_started"
    agent_id: str
    agent_name: str
    agent_version: int
    skills: tuple[str, ...]
    mode: RunMode = RunMode.LIVE


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
    anew_from: int | None = None
    """Of a run that is taken up again: what was told of this step and later ones counts no more."""


class CallSummary(BaseModel, frozen=True):
    step: int
    tool: str
    arguments: Any


class TextDelta(BaseModel, frozen=True):
    """More of the text that a model is writing."""

    type: Literal["text_delta"] = "text_delta"
    step: int
    text: str


class TextReset(BaseModel, frozen=True):
    """The text so far counts no more: the model is asked again, or another one."""

    type: Literal["text_reset"] = "text_reset"
    step: int


EPHEMERAL = ("text_delta", "text_reset")
"""Types of events that go when their step is on record: what they told is in its own event."""


class PassedOver(BaseModel, frozen=True):
    """A model that could not be had, so that the next one was asked."""

    model: str
    error: ErrorInfo


class ModelAnswered(BaseModel, frozen=True):
    """The model spoke: its text, and the tool calls it asks for (they start now); or it failed.

    `turn` counts the model's turns within the skill, from 1.
    """

    type: Literal["model_answered"] = "model_answered"
    step: int
    turn: int = 0
    model: str
    text: str
    calls: tuple[CallSummary, ...] = ()
    error: ErrorInfo | None = None
    passed_over: tuple[PassedOver, ...] = ()
    usage: TokenUsage = TokenUsage()
    cost_usd: Decimal = Decimal(0)
    duration_ms: int


class ToolAnswered(BaseModel, frozen=True):
    """A call has its answer. `error_code` says why it has none; `call_excluded`: it was not made again.

    With an edit it was made with the arguments of that.
    """

    type: Literal["tool_answered"] = "tool_answered"
    step: int
    tool: str
    success: bool
    error_code: str | None = None
    summary: str
    effect: str | None = None
    edit: Edit | None = None
    origin: str = "real"
    duration_ms: int


class ConversationCompacted(BaseModel, frozen=True):
    """The conversation was filling the model's window, so notes took the place of its older turns.

    `by`: a model wrote the notes, or they are an extract made by rule. `tokens` is its size before.
    """

    type: Literal["conversation_compacted"] = "conversation_compacted"
    step: int
    turns: int
    tokens: int
    by: Literal["model", "rule"]
    usage: TokenUsage = TokenUsage()
    cost_usd: Decimal = Decimal(0)
    duration_ms: int


class ToolsLeftOut(BaseModel, frozen=True):
    """Tools of outside servers that a skill begins without, and why."""

    type: Literal["tools_left_out"] = "tools_left_out"
    problems: tuple[str, ...]


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


class SkillSkipped(BaseModel, frozen=True):
    """A skill of the plan that does not run, and why."""

    type: Literal["skill_skipped"] = "skill_skipped"
    skill_name: str
    reason: str


class ItemsFound(BaseModel, frozen=True):
    """A skill runs once for each item of a list: as the nodes `skill[0]`, `skill[1]`, ..."""

    type: Literal["items_found"] = "items_found"
    skill_name: str
    items: int


class SkillWaiting(BaseModel, frozen=True):
    type: Literal["skill_waiting"] = "skill_waiting"
    skill_name: str
    waits: tuple[Wait, ...]


class DecisionMade(BaseModel, frozen=True):
    type: Literal["decision_made"] = "decision_made"
    id: str
    decision: str
    decided_by: str


class ApprovalReminded(BaseModel, frozen=True):
    """Nobody has decided yet, and the agent's owner wants people to be reminded."""

    type: Literal["approval_reminded"] = "approval_reminded"
    id: str


class ApprovalEscalated(BaseModel, frozen=True):
    """Nobody has decided yet, so it is brought before someone else."""

    type: Literal["approval_escalated"] = "approval_escalated"
    id: str
    to: str


class RunControlled(BaseModel, frozen=True):
    """Someone asked a run to pause or to stop after the steps under way, or to go on again."""

    type: Literal["run_controlled"] = "run_controlled"
    wish: Literal["pause", "stop", "go_on"]
    by: str
    note: str = ""


class FireSkipped(BaseModel, frozen=True):
    """The run's schedule was due again before the run had ended, and the schedule lets none overlap."""

    type: Literal["fire_skipped"] = "fire_skipped"
    schedule_id: str
    scheduled_at: AwareDatetime


class BudgetWarning(BaseModel, frozen=True):
    """Money is short, as a program is told that cannot be asked.

    Of a run that waits for it, the runs are told, too, that it works for: `run_id` says which it is.
    """

    type: Literal["budget_warning"] = "budget_warning"
    run_id: str
    short: Shortfall


class Steered(BaseModel, frozen=True):
    """A skill has taken in what a person said: its model is told with its next turn."""

    type: Literal["steered"] = "steered"
    step: int
    text: str
    by: str


class RunRetried(BaseModel, frozen=True):
    """A run that had ended is taken up again where it failed: what went well is not done again."""

    type: Literal["run_retried"] = "run_retried"
    generation: int
    by: str
    in_doubt: Literal["happened", "resend"] | None = None
    """What the person says of effects of which nobody knew whether they happened."""
    budget_usd: Decimal | None = None


class BudgetRaised(BaseModel, frozen=True):
    """The cap of the run itself is another one now. `by` is a user's id, or `auto_proceed`."""

    type: Literal["budget_raised"] = "budget_raised"
    cap_usd: Decimal
    by: str


class RunFinished(BaseModel, frozen=True):
    """The last event of a run's stream, unless someone has it taken up again."""

    type: Literal["run_finished"] = "run_finished"
    status: str
    result: Any = None
    error: ErrorInfo | None = None
    cost_usd: Decimal = Decimal(0)


EventBody = Annotated[
    RunQueued
    | RunStarted
    | SkillStarted
    | SkillResumed
    | TextDelta
    | TextReset
    | ModelAnswered
    | ToolAnswered
    | ConversationCompacted
    | ToolsLeftOut
    | SkillCompleted
    | SkillFailed
    | SkillSkipped
    | ItemsFound
    | SkillWaiting
    | DecisionMade
    | ApprovalReminded
    | ApprovalEscalated
    | RunControlled
    | FireSkipped
    | RunRetried
    | Steered
    | BudgetWarning
    | BudgetRaised
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
