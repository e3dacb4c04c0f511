"""Earlier runs as later ones play them: what is on record, and whether one can go on from there."""

from collections.abc import Mapping, Sequence

from sqlalchemy import RowMapping, select

from omniforge.agents.modes import NodeChange, RunMode, Terms
from omniforge.agents.plan import Plan, skill_of
from omniforge.agents.runs import Run
from omniforge.errors import RecordUnusable, RunNotFinished
from omniforge.execution.work import Script
from omniforge.journal.blobs import Manifest
from omniforge.journal.canonical import Canonical, Difference, canonical, first_difference
from omniforge.journal.ports import NodeStatus, Outcome
from omniforge.journal.recording import NOTHING_RECORDED, RecordEnded, Recording
from omniforge.journal.steps import IN_DOUBT, Step, StepKind
from omniforge.store.agents import AgentRepository
from omniforge.store.records import outcome_of, step_of
from omniforge.store.repository import Repository
from omniforge.store.streams import events_after
from omniforge.store.tables import agent_executions, nodes, steps

# A replay's skill ends as the original did: without an end.
_STOPPED = Outcome(NodeStatus.CANCELLED)

_ALL = 2**31 - 1


class RecordingRepository(Repository):
    def of(self, run: Run, plan: Plan, node: str) -> Recording:
        """What a skill of a run plays.

        Raises:
            RecordEnded: The run is a replay, and the original never began this skill.
        """
        recording = self._of_source(run, plan, node)
        for generation in range(run.generation):
            if (row := self._node(run.id, node, generation)) is not None:
                recording = recording.then(self._recorded(row), outcome_of(row))
        return recording

    def _of_source(self, run: Run, plan: Plan, node: str) -> Recording:
        if run.source_id is None:
            return NOTHING_RECORDED
        fork = run.terms.fork
        if run.mode is RunMode.REPLAY or fork is None:
            return self._whole(run.source_id, node)
        if skill_of(node) in plan.after(skill_of(fork.node)):
            return NOTHING_RECORDED
        if node != fork.node:
            return self._as_far_as_it_went(run.source_id, node)
        first = 1 if fork.is_fresh else 0
        kept = {n: step for n, step in self._settled(run.source_id, node) if first <= n < fork.step}
        return Recording(kept).with_files(fork.files)

    def script(self, run: Run, node: str) -> Script | None:
        """What a rehearsal says in the place of a skill's tools; None when this is none."""
        if not run.terms.is_rehearsal:
            return None
        earlier: Sequence[Step] = ()
        if run.terms.answers_of is not None:
            earlier = [step for _, step in self._settled(run.terms.answers_of, node)]
        return Script(run.terms.answers, [one for one in earlier if one.kind is StepKind.TOOL])

    def refuse_unfinished(self, run: Run) -> None:
        """
        Raises:
            RunNotFinished: It still goes on.
            RecordUnusable: It ended before it began.
        """
        if not run.status.is_final:
            raise RunNotFinished(run.id, run.status)
        if run.started_at is None:
            raise RecordUnusable(
                f"Execution {run.id!r} ended before it began: nothing is on record."
            )

    def forked(self, run: Run, node: str, step: int, changes: Mapping[str, NodeChange]) -> Terms:
        """The terms of a run that plays another one and goes on by itself from a step of a skill.

        Raises:
            RunNotFinished: The other one still goes on.
            RecordUnusable: There is no such place, or a change would change nothing; it says why.
        """
        self.refuse_unfinished(run)
        plan = self._plan(run)
        if skill_of(node) not in plan.depends_on:
            raise RecordUnusable(
                f"The run has no skill {node!r}. It has: {', '.join(plan.depends_on)}."
            )
        after = plan.after(skill_of(node))
        if played := [name for name in changes if name != node and skill_of(name) not in after]:
            raise RecordUnusable(
                f"{played[0]!r} is no skill that is done anew after {node!r}, so a change of it would"
                " change nothing."
            )
        self._refuse_place(run, node, step)
        for other in self._begun(run.id) - {node}:
            if skill_of(other) not in after:
                self._refuse_doubt(self._steps(run.id, other), other)
        return run.terms.forked(node, step, changes)

    def difference(self, run: Run, source_id: str) -> Difference | None:
        """Where a run first did something else than the one it comes from.

        Raises:
            RunNotFinished: It still goes on.
        """
        if not run.status.is_final:
            raise RunNotFinished(run.id, run.status)
        return first_difference(self._canonical(run.id), self._canonical(source_id))

    def given_files(self, run_id: str) -> Manifest:
        """The files that a run was given."""
        query = select(agent_executions.c.files).where(
            agent_executions.c.tenant_id == self._tenant_id, agent_executions.c.id == run_id
        )
        files: Manifest = self._connection.execute(query).scalar_one()
        return files

    # ---- inside ------------------------------------------------------------------------------

    def _refuse_place(self, run: Run, node: str, step: int) -> None:
        recorded = self._steps(run.id, node)
        if not recorded:
            raise RecordUnusable(f"The run never came to {node!r}, so nothing is on record of it.")
        if step > len(recorded):
            raise RecordUnusable(
                f"{node!r} has {len(recorded)} steps on record, 0 to {len(recorded) - 1}; there is no"
                f" place {step} to go on from."
            )
        before = recorded[:step]
        self._refuse_doubt(before, node)
        if unsettled := [one for one in before if not one.status.is_settled]:
            raise RecordUnusable(
                f"Step {unsettled[0].number} of {node!r} has no answer on record; fork from"
                f" {unsettled[0].number} at the latest."
            )
        is_in_a_turn = step < len(recorded) and recorded[step].kind is StepKind.TOOL
        if is_in_a_turn and recorded[step - 1].kind is StepKind.TOOL:
            asked = max(one.number for one in before if one.kind is StepKind.MODEL)
            raise RecordUnusable(
                f"Step {step} of {node!r} is one of several calls of one turn. Fork from {asked}, where"
                f" the model speaks, or from {asked + 1}, before the first of these calls."
            )

    def _refuse_doubt(self, recorded: Sequence[Step], node: str) -> None:
        """Going on after an effect that may or may not have happened could do it twice."""
        for step in recorded:
            if step.status in IN_DOUBT:
                raise RecordUnusable(
                    f"Nobody knows whether step {step.number} of {node!r} ({step.name}) took effect, so"
                    " a fork could do it twice. Fork from that step or one before it."
                )

    def _canonical(self, run_id: str) -> Canonical:
        return canonical(events_after(self._connection, run_id, 0, _ALL))

    def _plan(self, run: Run) -> Plan:
        agents = AgentRepository(self._connection, self._tenant_id)
        version = agents.version(run.agent_id, run.agent_version or 1)
        return Plan.of([skill.reference for skill in version.skills])

    def _begun(self, run_id: str) -> set[str]:
        query = select(nodes.c.node).where(
            nodes.c.tenant_id == self._tenant_id, nodes.c.stream_id == run_id
        )
        return set(self._connection.execute(query).scalars())

    def _whole(self, run_id: str, node: str) -> Recording:
        row = self._node(run_id, node)
        if row is None:
            raise RecordEnded(_STOPPED)
        return Recording(dict(self._settled(run_id, node)), outcome_of(row) or _STOPPED)

    def _as_far_as_it_went(self, run_id: str, node: str) -> Recording:
        """All of a skill that was done; one that was not goes on."""
        row = self._node(run_id, node)
        outcome = outcome_of(row) if row is not None else None
        is_done = outcome is not None and outcome.status is NodeStatus.COMPLETED
        return Recording(dict(self._settled(run_id, node)), outcome if is_done else None)

    def _settled(self, run_id: str, node: str) -> list[tuple[int, Step]]:
        return [(step.number, step) for step in self._steps(run_id, node) if step.status.is_settled]

    def _steps(self, run_id: str, node: str) -> list[Step]:
        """The steps of a node's newest generation, in order."""
        row = self._node(run_id, node)
        return [] if row is None else self._recorded(row)

    def _recorded(self, node: RowMapping) -> list[Step]:
        """The steps of one generation of a node, in order."""
        query = select(steps).where(
            steps.c.tenant_id == self._tenant_id,
            steps.c.stream_id == node["stream_id"],
            steps.c.node == node["node"],
            steps.c.generation == node["generation"],
        )
        rows = self._connection.execute(query.order_by(steps.c.number)).mappings()
        return [step_of(row) for row in rows]

    def _node(self, run_id: str, node: str, generation: int | None = None) -> RowMapping | None:
        """A generation of a node; the newest, if it is not said which."""
        query = select(nodes).where(
            nodes.c.tenant_id == self._tenant_id,
            nodes.c.stream_id == run_id,
            nodes.c.node == node,
        )
        if generation is not None:
            query = query.where(nodes.c.generation == generation)
        newest = query.order_by(nodes.c.generation.desc()).limit(1)
        return self._connection.execute(newest).mappings().first()
