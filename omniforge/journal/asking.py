"""What a segment asks people, and what their decisions mean as a step's answer."""

from omniforge.agents.runs import ErrorInfo
from omniforge.journal.events import Wait
from omniforge.journal.ports import Decision, InboxItem
from omniforge.journal.steps import Performed, Question, Slot


class PersonNeeded(Exception):
    """A person must allow, answer or settle something. The segment ends, and people are asked."""

    def __init__(self, waits: tuple[Wait, ...]) -> None:
        super().__init__("; ".join(wait.question for wait in waits))
        self.waits = waits


def asked(slot: Slot, question: Question) -> Wait:
    """The question of a step that was not begun. Its id covers the exact arguments and all before."""
    return Wait(
        kind=question.kind,
        id=f"ask-{slot.hash[:32]}",
        question=question.text,
        tool=slot.request.name,
        arguments=slot.request.arguments,
    )


def spoken(said: InboxItem) -> Performed:
    """A decision as the answer of the step it decides, when nothing is to be done or sent for it."""
    match said.decision:
        case Decision.ANSWER:
            return Performed(answer={"answer": said.note, "answered_by": said.decided_by})
        case Decision.HAPPENED:
            return Performed(answer={"confirmed_by": said.decided_by, "note": said.note})
        case Decision.REJECT:
            reason = f": {said.note}" if said.note else "."
            return _refused("rejected", f"{said.decided_by} did not allow this call{reason}")
        case _:
            return _refused("skipped", f"{said.decided_by} decided not to send this.")


def _refused(code: str, message: str) -> Performed:
    return Performed(error=ErrorInfo(code=code, message=message))
