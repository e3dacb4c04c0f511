"""What a segment asks people, and what their decisions mean as a step's answer."""

from omniforge.agents.runs import ErrorInfo
from omniforge.journal.events import Wait
from omniforge.journal.ports import Decision, InboxItem
from omniforge.journal.steps import NodeKey, Performed, Question, Slot, effect_id


class PersonNeeded(Exception):
    """A person must allow, answer or settle something. The segment ends, and people are asked."""

    def __init__(self, waits: tuple[Wait, ...]) -> None:
        super().__init__("; ".join(wait.question for wait in waits))
        self.waits = waits


def asked(key: NodeKey, slot: Slot, question: Question) -> Wait:
    """The question of a step that was not begun.

    A person's decision holds for the exact arguments and all that came before: the id covers them. A
    child's id is that of the run to start, made from the step's effect id.
    """
    own = f"ask-{slot.hash[:32]}"
    return Wait(
        kind=question.kind,
        id=child_run_id(effect_id(key, slot.number)) if question.kind == "child" else own,
        question=question.text,
        tool=slot.request.name,
        arguments=slot.request.arguments,
    )


def child_run_id(effect_id: str) -> str:
    """The id of the run that a step starts: the same on every attempt of the step."""
    return f"sub-{effect_id.removeprefix('of-')}"


def is_leave(said: InboxItem) -> bool:
    """Whether the step goes on with its work after this; otherwise it is the step's answer."""
    return said.decision is Decision.APPROVE or (said.decision is Decision.ENDED and not said.note)


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
        case Decision.ENDED:
            return _refused("child_not_started", said.note)
        case _:
            return _refused("skipped", f"{said.decided_by} decided not to send this.")


def _refused(code: str, message: str) -> Performed:
    return Performed(error=ErrorInfo(code=code, message=message))
