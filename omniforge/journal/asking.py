"""What a segment asks people, and what their decisions mean as a step's answer."""

from collections.abc import Iterable, Mapping
from itertools import dropwhile

from omniforge.agents.runs import ErrorInfo
from omniforge.journal.events import Edit, Wait
from omniforge.journal.ports import Decision, InboxItem
from omniforge.journal.steps import (
    NodeKey,
    Origin,
    Performed,
    Slot,
    Step,
    StepKind,
    effect_id,
)

ASKED_BACK = "asked_back"
"""The error code of a call of which someone wants to know more before deciding."""

PEOPLES_WORDS = frozenset(
    {"rejected", "skipped", ASKED_BACK, "no_answer", "effect_unresolved", "child_not_started"}
)
"""Error codes of what people, or the platform in their place, say of a call."""


class PersonNeeded(Exception):
    """A person must allow, answer or settle something. The segment ends, and people are asked."""

    def __init__(self, waits: tuple[Wait, ...]) -> None:
        super().__init__("; ".join(wait.question for wait in waits))
        self.waits = waits


# ---- questions ---------------------------------------------------------------------------------


def question_id(key: NodeKey, slot: Slot, place: int) -> str:
    """The id of a step's question, by its place among all of them.

    A person's decision holds for the exact arguments and all that came before: the id covers them. A
    child's id is that of the run to start, made from the step's effect id.
    """
    if slot.request.questions[place].kind == "child":
        return child_run_id(effect_id(key, slot.number))
    own = _own_id(slot.hash)
    return f"{own}.{place}" if place else own


def asked(key: NodeKey, slot: Slot, place: int, recorded: Iterable[Step]) -> Wait:
    """The question of a step that was not begun. `recorded` are the steps so far, in order."""
    question = slot.request.questions[place]
    return Wait(
        kind=question.kind,
        id=question_id(key, slot, place),
        question=question.text,
        tool=slot.request.name,
        arguments=slot.request.made_with,
        said=question.said,
        follows=_follows(slot, recorded) if question.kind == "approval" else None,
    )


def child_run_id(effect_id: str) -> str:
    """The id of the run that a step starts: the same on every attempt of the step."""
    return f"sub-{effect_id.removeprefix('of-')}"


def _own_id(step_hash: str) -> str:
    return f"ask-{step_hash[:32]}"


def _follows(slot: Slot, recorded: Iterable[Step]) -> str | None:
    """The question that was asked back, and that the model answers by making the call again.

    It is one of the last turn that called this tool. A played one was asked in another run.
    """
    before = reversed([step for step in recorded if step.number < slot.number])
    found: list[Step] = []
    has_called = False
    for step in dropwhile(lambda step: step.kind is StepKind.TOOL, before):
        if step.kind is not StepKind.TOOL and has_called:
            break
        if step.kind is StepKind.TOOL and step.name == slot.request.name:
            has_called = True
            if is_asked_back(step.error) and step.origin is Origin.REAL:
                found.append(step)
    wanted = slot.request.arguments
    same = [step for step in found if step.arguments == wanted]
    return next((_own_id(step.hash) for step in [*same, *found]), None)


# ---- decisions ---------------------------------------------------------------------------------


def is_leave(said: InboxItem) -> bool:
    """Whether the step goes on with its work after this; otherwise it is the step's answer."""
    if said.decision is Decision.ENDED:
        return not said.note
    return said.decision in {Decision.APPROVE, Decision.EDIT}


def is_asked_back(error: ErrorInfo | None) -> bool:
    """Whether people want to know more before they decide: neither a success nor a failure."""
    return error is not None and error.code == ASKED_BACK


def edit_among(key: NodeKey, slot: Slot, inbox: Mapping[str, InboxItem]) -> Edit | None:
    """What a person made of a call's arguments, when it was allowed so and is still to be made."""
    for place, _ in enumerate(slot.request.questions):
        said = inbox.get(question_id(key, slot, place))
        if said is not None and said.decision is Decision.EDIT:
            return Edit(arguments=said.arguments, by=said.decided_by, note=said.note)
    return None


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
        case Decision.ASK:
            return _refused(
                ASKED_BACK,
                f"Nothing is decided and the call was not made: {said.decided_by} asks you first:"
                f" {said.note}\nAnswer in the text of your next turn, and in the same turn make the"
                " call again, changed if need be. They will see both.",
            )
        case Decision.NO_ANSWER:
            return _refused(
                "no_answer",
                f"Nobody answered within {said.note}. That is not a refusal, but nothing was done"
                " either. Do what can be done without it, or say in your answer what is missing.",
            )
        case Decision.ENDED:
            return _refused("child_not_started", said.note)
        case _:
            return _refused("skipped", f"{said.decided_by} decided not to send this.")


def unresolved(said: InboxItem) -> Performed:
    """The answer of an effect in doubt, of which nobody said in time whether it happened."""
    return _refused(
        "effect_unresolved",
        "This was sent, but nobody knows whether it took effect: the service gave no answer, and nobody"
        f" who was asked said so within {said.note}. Do not repeat it, since it could happen twice. Say"
        " in your answer that its outcome is not known.",
    )


def _refused(code: str, message: str) -> Performed:
    return Performed(error=ErrorInfo(code=code, message=message))
