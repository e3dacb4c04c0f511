"""Runs that have ended, taken up again under their own id."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

from sqlalchemy import and_, delete, insert, select, update

from omniforge import clock
from omniforge.agents.modes import RunMode
from omniforge.agents.runs import FINAL_STATUSES, Run, RunStatus
from omniforge.errors import (
    ExecutionNotFound,
    IdempotencyConflict,
    RunNotFinished,
    RunNotRetried,
)
from omniforge.journal.doubt import wait_id
from omniforge.journal.events import NewEvent, RunRetried
from omniforge.journal.ports import Decision, NodeStatus
from omniforge.journal.steps import IN_DOUBT, EffectClass, Step
from omniforge.store.control import ControlRepository
from omniforge.store.recordings import RecordingRepository
from omniforge.store.repository import Repository
from omniforge.store.runs import RunRepository
from omniforge.store.streams import advance, event_under
from omniforge.store.tables import agent_executions, approvals, inbox, nodes, streams


@dataclass(frozen=True, slots=True)
class Retry:
    """How a run is to be taken up again, and by whom. `key` makes a repeat harmless."""

    by: str
    in_doubt: Literal["happened", "resend"] | None = None
    budget_usd: Decimal | None = None
    key: str | None = None


class RetryRepository(Repository):
    def retry(self, run_id: str, wanted: Retry) -> Run:
        """Make a run that has ended pending again. Its workflow is to be started after this.

        Under a key that was used before, the run is the answer as it is.

        Raises:
            RunNotFinished: It still goes on, or someone else has just taken it up.
            RunNotRetried: There is nothing to take up, or someone has to say what became of an effect.
            IdempotencyConflict: The key was used for another wish.
        """
        runs = RunRepository(self._connection, self._tenant_id)
        run = runs.get(run_id)
        told = RunRetried(
            generation=run.generation + 1,
            by=wanted.by,
            in_doubt=wanted.in_doubt,
            budget_usd=wanted.budget_usd,
        )
        if wanted.key is not None and self._was_done(run, wanted.key, told):
            return run
        _refuse(run)
        if not self._reopen(run):
            raise RunNotFinished(run_id, runs.get(run_id).status)
        again = runs.get(run_id)
        self._carry_over(run_id, again.generation)
        self._settle_doubts(again, wanted)
        key = f"{told.type}/{wanted.key or told.generation}"
        self._tell(run_id, told, key)
        if wanted.budget_usd is not None:
            control = ControlRepository(self._connection, self._tenant_id)
            control.raise_cap(run_id, wanted.budget_usd, wanted.by, key)
        return again

    def retry_child(self, run_id: str) -> Run | None:
        """Take a run up again because the one that waits for it was; None when it never was begun.

        What it has completed stays, and what goes on goes on: so repeating this changes nothing.
        """
        runs = RunRepository(self._connection, self._tenant_id)
        try:
            run = runs.get(run_id)
        except ExecutionNotFound:
            return None
        if run.status in {RunStatus.COMPLETED} | (set(RunStatus) - FINAL_STATUSES):
            return run
        parent = runs.get(run.parent_id or run_id)
        self._reopen(run)
        again = runs.get(run_id)
        self._carry_over(run_id, again.generation)
        told = RunRetried(generation=again.generation, by=parent.triggered_by)
        self._tell(run_id, told, f"{told.type}/{told.generation}")
        return again

    def _was_done(self, run: Run, key: str, told: RunRetried) -> bool:
        earlier = event_under(self._connection, run.id, f"{told.type}/{key}")
        if earlier is None:
            return False
        if earlier.model_copy(update={"generation": told.generation}) != told:
            raise IdempotencyConflict(key)
        return True

    def _reopen(self, run: Run) -> bool:
        """Whether this was the one that took it up; of two at once it is one."""
        statement = update(agent_executions).where(
            agent_executions.c.tenant_id == self._tenant_id,
            agent_executions.c.id == run.id,
            agent_executions.c.generation == run.generation,
            agent_executions.c.status.in_(FINAL_STATUSES),
        )
        values = {
            "generation": run.generation + 1,
            "status": RunStatus.PENDING,
            "completed_at": None,
            "error": None,
            "error_code": None,
            "error_skill": None,
        }
        return self._connection.execute(statement.values(values)).rowcount == 1

    def _carry_over(self, run_id: str, generation: int) -> None:
        """Lists that were being worked through go on, and so does what people have said and nobody heard."""
        of_stream = streams.c.tenant_id == self._tenant_id, streams.c.id == run_id
        self._connection.execute(update(streams).where(*of_stream).values(wish=None))
        lists = and_(
            nodes.c.tenant_id == self._tenant_id,
            nodes.c.stream_id == run_id,
            nodes.c.claims == 0,  # nobody works on a list itself
            nodes.c.status == NodeStatus.RUNNING,
        )
        going_on = {"generation": generation, "completed_at": None}
        self._connection.execute(update(nodes).where(lists).values(going_on))
        unheard = and_(
            inbox.c.tenant_id == self._tenant_id,
            inbox.c.stream_id == run_id,
            inbox.c.consumed_at.is_(None),
        )
        self._connection.execute(update(inbox).where(unheard).values(generation=generation))
        # What is still to be decided is asked anew.
        undecided = and_(
            approvals.c.tenant_id == self._tenant_id,
            approvals.c.execution_id == run_id,
            approvals.c.decision.is_(None),
        )
        self._connection.execute(delete(approvals).where(undecided))

        # So is the end of a run that is taken up again as well.
        ended = select(agent_executions.c.id).where(
            agent_executions.c.tenant_id == self._tenant_id,
            agent_executions.c.parent_id == run_id,
            agent_executions.c.status != RunStatus.COMPLETED,
        )
        of_children = inbox.c.decision == Decision.ENDED, inbox.c.id.in_(ended)
        self._connection.execute(delete(inbox).where(unheard, *of_children))

    def _tell(self, run_id: str, told: RunRetried, key: str) -> None:
        event = NewEvent(dedupe_key=key, at=clock.now(), body=told)
        advance(self._connection, run_id, self._tenant_id, [event])

    # ---- effects in doubt --------------------------------------------------------------------

    def _settle_doubts(self, run: Run, wanted: Retry) -> None:
        """Put the person's word for each effect in doubt where the journal looks for such a word."""
        doubtful = self._in_doubt(run)
        if wanted.in_doubt is not None:
            rows = [self._word(run, node, step, wanted) for node, step in doubtful]
            if rows:
                self._connection.execute(insert(inbox), rows)
        elif open_ones := [one for one in doubtful if one[1].effect_class is EffectClass.ASK]:
            raise RunNotRetried(_question(open_ones))

    def _in_doubt(self, run: Run) -> list[tuple[str, Step]]:
        """The effects that this generation has to find out about, without those that someone has decided."""
        recordings = RecordingRepository(self._connection, self._tenant_id)
        course = RunRepository(self._connection, self._tenant_id).course(run.id)
        decided = select(inbox.c.wait_id).where(
            inbox.c.tenant_id == self._tenant_id,
            inbox.c.stream_id == run.id,
            inbox.c.consumed_at.is_(None),
        )
        known = set(self._connection.execute(decided).scalars())
        return [
            (node, step)
            for node in course.rows
            if node not in course.ends
            for step in recordings.of(run, course.plan, node).steps.values()
            if step.status in IN_DOUBT and wait_id(step) not in known
        ]

    def _word(self, run: Run, node: str, step: Step, wanted: Retry) -> dict[str, object]:
        return {
            "id": f"{wait_id(step)}/{run.generation}",
            "stream_id": run.id,
            "node": node,
            "generation": run.generation,
            "tenant_id": self._tenant_id,
            "wait_id": wait_id(step),
            "decision": Decision(wanted.in_doubt or ""),
            "decided_by": wanted.by,
            "note": "",
            "created_at": clock.now(),
        }


def _refuse(run: Run) -> None:
    if not run.status.is_final:
        raise RunNotFinished(run.id, run.status)
    why = ""
    if run.status is RunStatus.COMPLETED:
        why = "It has completed. To do a part of it again, fork it."
    elif run.mode is RunMode.REPLAY:
        why = "It is a replay, which ends as its original did. Retry that one."
    elif run.started_at is None:
        why = "It ended before it began. Start a new run."
    elif run.parent_id is not None:
        why = f"It worked for run {run.parent_id}, which has heard of its end. Retry that one."
    if why:
        raise RunNotRetried(f"Execution {run.id!r} cannot be taken up again. {why}")


def _question(doubtful: Sequence[tuple[str, Step]]) -> str:
    calls = ", ".join(f"step {step.number} of {node!r} ({step.name})" for node, step in doubtful)
    return (
        f"Nobody knows whether these calls took effect: {calls}. Look, and say what became of them with"
        " `in_doubt`: `happened`, or `resend` to send them again."
    )
