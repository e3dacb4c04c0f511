"""Where a step can be when its worker is killed."""

from enum import StrEnum

from omniforge.journal.steps import EffectClass, StepStatus


class Moment(StrEnum):
    """In the order in which a call passes them."""

    CALM = "not interrupted"
    SENT_RECORDED = "sent recorded, tool not entered"
    BEFORE_SENDING = "tool entered, nothing sent"
    BEFORE_COMMIT = "arrived, never committed"
    LATE_COMMIT = "arrived, committed after the kill"
    BEFORE_REPLY = "committed, no reply"
    BEFORE_RECORD = "reply here, not recorded"
    UNKNOWN_RECORDED = "answer lost, unknown recorded"
    ANSWER_RECORDED = "answer recorded, next step not begun"
    QUESTION_RECORDED = "question asked, run not told"
    BEFORE_DECISION = "decision sent, not written"
    AFTER_DECISION = "decision written, not acknowledged"


COMMITTED = {
    Moment.LATE_COMMIT,
    Moment.BEFORE_REPLY,
    Moment.BEFORE_RECORD,
    Moment.UNKNOWN_RECORDED,
    Moment.ANSWER_RECORDED,
    Moment.QUESTION_RECORDED,
    Moment.BEFORE_DECISION,
    Moment.AFTER_DECISION,
}
"""Moments after which the service has what was sent."""

DECIDING = {Moment.BEFORE_DECISION, Moment.AFTER_DECISION}
ASKED = {Moment.QUESTION_RECORDED, *DECIDING}
"""Moments of a call whose answer was lost while its worker lived, so that a person was asked already."""

_READING = [
    Moment.BEFORE_SENDING,
    Moment.BEFORE_COMMIT,
    Moment.LATE_COMMIT,
    Moment.BEFORE_REPLY,
    Moment.BEFORE_RECORD,
    Moment.ANSWER_RECORDED,
]
_AHEAD = [Moment.SENT_RECORDED, *_READING, Moment.UNKNOWN_RECORDED]


def moments_of(kind: EffectClass, *, has_ledger: bool = True) -> list[Moment]:
    """Where a worker can be killed in a call of this class."""
    if kind is EffectClass.READ or not has_ledger:
        return _READING
    return [*_AHEAD, *sorted(ASKED)] if kind is EffectClass.ASK else _AHEAD


def is_in_doubt(moment: Moment) -> bool:
    """Whether the kill leaves an effect of which nobody knows if it happened."""
    return moment not in {Moment.CALM, Moment.ANSWER_RECORDED, *ASKED}


def on_record(moment: Moment, *, is_written_ahead: bool) -> StepStatus | None:
    """What the journal must hold of the step at that moment; None: nothing yet."""
    if moment is Moment.ANSWER_RECORDED:
        return StepStatus.CONFIRMED
    if not is_written_ahead:
        return None
    if moment is Moment.UNKNOWN_RECORDED or moment in ASKED:
        return StepStatus.UNKNOWN
    return StepStatus.SENT


def gate_of(approval_id: str, moment: Moment) -> str:
    """Under which name a decision can be held."""
    return f"{moment}: {approval_id}"
