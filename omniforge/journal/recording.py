"""The record of an earlier run's node, played again: replays end with it, forks go on after it."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from omniforge.errors import JournalDiverged
from omniforge.journal.blobs import Manifest
from omniforge.journal.ports import NodeState, Outcome
from omniforge.journal.steps import Slot, Step


class RecordEnded(Exception):
    """The record has no more steps, and this run may make none of its own."""


@dataclass(frozen=True, slots=True)
class Recording:
    """Settled steps of a node by number.

    With `outcome` it is a replay: where the record ends, the node ended so. Without, it is a fork:
    what comes after is done for real.
    """

    steps: Mapping[int, Step] = field(default_factory=dict)
    outcome: Outcome | None = None

    def answer_at(self, slot: Slot) -> Step | None:
        """The recorded step to play at a slot; None when it must be done for real.

        Raises:
            RecordEnded: A replay is asked for more than is on record.
            JournalDiverged: The record holds something else at this place.
        """
        step = self.steps.get(slot.number)
        if step is None:
            if self.outcome is not None:
                raise RecordEnded
            return None
        wanted = (slot.request.kind, slot.request.name, slot.request.arguments)
        if (step.kind, step.name, step.arguments) != wanted:
            raise JournalDiverged(
                f"Step {slot.number} of the run being played is {step.kind} {step.name!r}; this one asks"
                f" for {slot.request.kind} {slot.request.name!r}.",
                step=slot.number,
            )
        return step

    def workspace_after(self, state: NodeState) -> Manifest | None:
        """The files a segment begins with: as the record leaves them, or as steps after it did."""
        has_gone_on = any(step.number not in self.steps for step in state.steps)
        left = [step.workspace for _, step in sorted(self.steps.items()) if step.workspace]
        return state.workspace if has_gone_on or not left else left[-1]


NOTHING_RECORDED = Recording()
"""Of a run that plays nothing: every step is done for real."""
