"""The record of an earlier run's node, played again: replays end with it, forks go on after it."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from omniforge.errors import JournalDiverged
from omniforge.journal.blobs import Manifest
from omniforge.journal.ports import NodeState, NodeStatus, Outcome
from omniforge.journal.steps import Fence, Slot, Step


class RecordEnded(Exception):
    """The record has no more steps, and this run may make none of its own."""

    def __init__(self, outcome: Outcome) -> None:
        super().__init__("the record ends here")
        self.outcome = outcome


@dataclass(frozen=True, slots=True)
class Recording:
    """Settled steps of a node by number.

    With `outcome` it is a replay: where the record ends, the node ended so, or was stopped if that is
    no final one. Without, it is a fork: what comes after is done for real.
    """

    steps: Mapping[int, Step] = field(default_factory=dict)
    outcome: Outcome | None = None

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


def _moment(step: Step) -> tuple[Fence, float, int]:
    ended = step.ended_at.timestamp() if step.ended_at else 0.0
    return step.fence, ended, step.number


NOTHING_RECORDED = Recording()
"""Of a run that plays nothing: every step is done for real."""
