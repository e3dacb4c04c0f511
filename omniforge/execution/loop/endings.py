"""What a segment of a skill comes to, and what is put on record of it."""

import hashlib

from omniforge.agents.budgets import Shortfall
from omniforge.agents.runs import ErrorInfo
from omniforge.errors import (
    BudgetExceeded,
    ContextTooLong,
    ModelAuthFailed,
    ModelOverloaded,
    ModelRateLimited,
    ModelRefused,
    ModelRequestInvalid,
    ModelUnknown,
    ModelUnreachable,
)
from omniforge.execution.events import Ending, ExecutionResult
from omniforge.execution.loop.progress import Progress
from omniforge.journal.entries import fence_name
from omniforge.journal.events import EventBody, SkillCompleted, SkillFailed, SkillWaiting, Wait
from omniforge.journal.journal import Journal
from omniforge.journal.ports import NodeStatus, Outcome
from omniforge.journal.steps import StepStatus

_ENDINGS = {NodeStatus.COMPLETED, NodeStatus.FAILED, NodeStatus.TIMED_OUT}

_MODEL_FAILURES = {
    ModelRateLimited.code: "The model's provider let no more calls through, also after several tries.",
    ModelOverloaded.code: "The model's provider had too much to do, also after several tries.",
    ModelUnreachable.code: "No connection to the model held, also after several tries.",
    ModelRefused.code: "The model declined to do this.",
    ModelAuthFailed.code: "The model cannot be used with the key it was given.",
    ModelUnknown.code: "There is no such model.",
    ContextTooLong.code: (
        "What the skill has to keep in mind is more than the model can take, also after all has been"
        " taken out that could be. Use a model with a larger window, or split the skill."
    ),
    ModelRequestInvalid.code: "The model's provider did not take the request.",
}


def explained(error: ErrorInfo) -> ErrorInfo:
    """A failure of a model with a sentence for people before what its provider said."""
    words = _MODEL_FAILURES.get(error.code)
    if words is None:
        return error
    return error.model_copy(update={"message": f"{words} {error.message}"})


def early(ending: Ending, progress: Progress, error: ErrorInfo) -> ExecutionResult:
    """The end of a skill without an answer: what there is by then is kept."""
    partial = {"partial": progress.text} if progress.text else None
    return ExecutionResult(
        ending, partial, progress.text, error=error, iterations=progress.iterations
    )


def parked(error: BudgetExceeded, journal: Journal, progress: Progress) -> ExecutionResult:
    """A skill whose next model call does not fit under a cap waits until it does."""
    short = Shortfall.model_validate(error.details)
    # Each time it waits is a question of its own: what is left may be another amount by then.
    key, fence = journal.key, fence_name(journal.fence)
    place = f"{key.stream_id}/{key.node}/{key.generation}/{fence}"
    wait = Wait(
        kind="budget",
        id=f"budget-{hashlib.sha256(place.encode()).hexdigest()[:32]}",
        question=short.question(key.stream_id),
        short=short,
    )
    return ExecutionResult(Ending.WAITING, waits=(wait,), iterations=progress.iterations)


def recorded(outcome: Outcome, journal: Journal) -> ExecutionResult:
    """The result of a node that had ended before; nothing of it is done again."""
    ending = Ending(outcome.status) if outcome.status in _ENDINGS else Ending.FAILED
    return ExecutionResult(ending, outcome.output, error=outcome.error, usage=journal.usage)


def played(outcome: Outcome, progress: Progress) -> ExecutionResult:
    """Where the record of a replayed node ends, it ends as the original did."""
    if outcome.status not in _ENDINGS:
        return ExecutionResult(
            Ending.INTERRUPTED, interruption="stop", iterations=progress.iterations
        )
    return ExecutionResult(
        Ending(outcome.status), outcome.output, error=outcome.error, iterations=progress.iterations
    )


def outcome_of(
    ended: ExecutionResult, skill_name: str, journal: Journal
) -> tuple[Outcome, EventBody]:
    """How a segment's result goes on record, and the event that tells of it."""
    if ended.ending is Ending.WAITING:
        waiting = SkillWaiting(skill_name=skill_name, waits=ended.waits)
        return Outcome(NodeStatus.WAITING, waits=ended.waits), waiting
    if ended.error is None:
        done = SkillCompleted(skill_name=skill_name, output=ended.output, cost_usd=journal.cost)
        return Outcome(NodeStatus.COMPLETED, ended.output), done
    error = _with_doubts(ended.error, journal)
    failed = SkillFailed(skill_name=skill_name, error=error, output=ended.output)
    return Outcome(NodeStatus(ended.ending), ended.output, error), failed


def _with_doubts(error: ErrorInfo, journal: Journal) -> ErrorInfo:
    """A skill that ends with an effect in the air says so, or nobody would look."""
    doubtful = [
        step.name
        for step in journal.recorded
        if step.status in {StepStatus.SENT, StepStatus.UNKNOWN}
    ]
    if not doubtful:
        return error
    note = f" It is not known whether these calls took effect: {', '.join(doubtful)}."
    return error.model_copy(update={"message": error.message + note})
