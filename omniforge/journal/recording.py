"""The record of an earlier run's node, played again: replays end with it, forks go on after it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from omniforge.errors import GaveUp, JournalDiverged
from omniforge.journal.blobs import Manifest
from omniforge.journal.ports import NodeState, NodeStatus, Outcome
from omniforge.journal.steps import Fence, Origin, Slot, Step, StepKind, StepStatus

# A skill that ends with one of these failed of what it had just called.
_OF_CALLS = frozenset({GaveUp.code, "repetition"})


class RecordEnded(Exception):
    """The record has no more steps, and this run may make none of its own."""

    def __init__(self, outcome: Outcome) -> None:
        super().__init__("the record ends here")
        self.outcome = outcome


@dataclass(frozen=True, slots=True)
class Recording:
    """Settled steps of a node by number.

    With `outcome` it is a replay: where the record ends, the node ended so, or was stopped if that is
    no final one. Without, it is a fork or a retry: what comes after is done for real.
    """

    steps: Mapping[int, Step] = field(default_factory=dict)
    outcome: Outcome | None = None
    own: frozenset[int] | None = None
    """Of a retry: the steps that are this very run's, so that those who watch it know them already."""

    def then(self, recorded: Sequence[Step], outcome: Outcome | None) -> "Recording":
        """What a node plays when it is taken up again after it had come so far, and to that outcome.

        What it failed of is left out, to be done anew. Effects in doubt are kept as what they are.
        """
        redone = _failed_of(recorded, outcome)
        known = {step.number: step for step in recorded if step.status is not StepStatus.PLANNED}
        # Who plays a step does not become the one who did it.
        known |= {
            number: self.steps[number]
            for number, step in known.items()
            if step.origin is Origin.RECORDED and self.is_told(number)
        }
        for step in redone:
            known.pop(step.number)
        steps = {**self.steps, **known}
        if redone and redone[0].kind is StepKind.MODEL:
            steps = {number: steps[number] for number in steps if number < redone[0].number}
        own = known.keys() | (self.own or set())
        return Recording(steps, self.outcome, frozenset(own & steps.keys()))

    def is_told(self, number: int) -> bool:
        return self.own is not None and number in self.own

    def generation_of(self, number: int, current: int) -> int:
        """In which generation of its node a step was done, if this one is the current."""
        return self.steps[number].generation if self.is_told(number) else current

    @property
    def told(self) -> int | None:
        """How many steps those who watch this run have seen already; None when it has just begun."""
        return None if self.own is None else max(self.own, default=-1) + 1

    @property
    def spent_turns(self) -> int:
        """Turns that count toward no limit of the node, because an earlier generation took them."""
        turns = [step.number for step in self.steps.values() if step.kind is StepKind.MODEL]
        return sum(self.is_told(number) for number in turns)

    def answer_at(self, slot: Slot) -> Step | None:
        """The recorded step to play at a slot; None when it must be done for real.

        Raises:
            RecordEnded: A replay is asked for more than is on record.
            JournalDiverged: The record holds something else at this place, or the skill was done here.
        """
        step = self.steps.get(slot.number)
        if step is None:
            self._refuse_more(slot)
            return None
        wanted = (slot.request.kind, slot.request.name, slot.request.arguments)
        if (step.kind, step.name, step.arguments) != wanted:
            raise JournalDiverged(
                f"Step {slot.number} of the run being played is {step.kind} {step.name!r}; this one asks"
                f" for {slot.request.kind} {slot.request.name!r}.",
                step=slot.number,
            )
        return step

    def _refuse_more(self, slot: Slot) -> None:
        if self.outcome is None:
            return
        if self.outcome.status is NodeStatus.COMPLETED:
            raise JournalDiverged(
                f"The run being played was done after step {slot.number - 1}; this one asks for"
                f" {slot.request.kind} {slot.request.name!r}.",
                step=slot.number,
            )
        raise RecordEnded(self.outcome)

    def with_files(self, files: Manifest) -> "Recording":
        """The same record, with files laid over those that its steps left."""
        if not files:
            return self
        steps = {
            number: replace(step, workspace={**step.workspace, **files}) if step.workspace else step
            for number, step in self.steps.items()
        }
        return replace(self, steps=steps)

    @property
    def workspace(self) -> Manifest | None:
        """The files as the record leaves them; None when no step of it wrote any.

        Calls of one turn write in an order of their own, so the numbers do not tell which was last.
        """
        wrote = [step for step in self.steps.values() if step.workspace is not None]
        return max(wrote, key=_moment).workspace if wrote else None

    def workspace_after(self, state: NodeState) -> Manifest | None:
        """The files a segment begins with: as the record leaves them, or as steps after it did."""
        has_gone_on = any(step.number not in self.steps for step in state.steps)
        return state.workspace if has_gone_on or self.workspace is None else self.workspace


def _failed_of(recorded: Sequence[Step], outcome: Outcome | None) -> Sequence[Step]:
    """The steps that a node failed of: its last turn, or of that what had no effect.

    None when it was stopped, or used up what it was allowed: then nothing of it went wrong.
    """
    turns = [step.number for step in recorded if step.kind is StepKind.MODEL]
    if outcome is None or outcome.error is None or not turns:
        return ()
    turn = [step for step in recorded if step.number >= turns[-1] and step.status.is_settled]
    if not turn or turn[0].number != turns[-1]:
        return ()
    if len(turn) == 1 and not (turn[0].answer or {}).get("calls"):
        return turn
    if outcome.error.code not in _OF_CALLS:
        return ()
    in_the_world = [step for step in recorded if step.number > turns[-1] and _is_effect(step)]
    if in_the_world:
        return [step for step in turn[1:] if step.status is StepStatus.FAILED]
    return turn


def _is_effect(step: Step) -> bool:
    return step.effect_class is not None and step.status is not StepStatus.FAILED


def _moment(step: Step) -> tuple[Fence, float, int]:
    ended = step.ended_at.timestamp() if step.ended_at else 0.0
    return step.fence, ended, step.number


NOTHING_RECORDED = Recording()
"""Of a run that plays nothing: every step is done for real."""
