"""A run's row: beginning, waiting, decisions, end. Short database work, so local activities.

All of them may be repeated: the second time changes nothing.
"""

from typing import TYPE_CHECKING

from temporalio import activity

from activities.failures import temporal_failures
from activities.payloads import (
    AgentRun,
    Beginning,
    Child,
    Decided,
    Finish,
    NodeRef,
    RecordedEnd,
    RunOutcome,
    Waiting,
)
from omniforge import clock
from omniforge.agents.runs import Run, RunStatus

if TYPE_CHECKING:
    from omniforge.agents.config import SkillReference
    from omniforge.store.runs import Begun
    from omniforge.store.store import Repositories, Store


class RunActivities:
    def __init__(self, store: "Store") -> None:
        self._store = store

    @activity.defn
    async def begin(self, job: AgentRun) -> Beginning:
        """Mark the run running and pin its version."""
        run = Run(
            id=job.execution_id,
            agent_id=job.agent_id,
            tenant_id=job.tenant_id,
            status=RunStatus.PENDING,
            trigger_type=job.trigger_type,
            triggered_by=job.triggered_by,
            parent_id=job.parent_id,
            created_at=clock.now(),
        )

        def begin(db: "Repositories") -> "Begun":
            if job.parent_id is None:
                return db.runs.begin(run)
            order = db.children.order(job.parent_id, run.id)
            return db.runs.begin(run.model_copy(update={"input_data": order.input_data}))

        with temporal_failures():
            begun = await self._store.for_tenant(job.tenant_id).write(begin)
        return Beginning(
            status=begun.status,
            agent_name=begun.agent_name,
            skills=tuple(_without_config(skill.reference) for skill in begun.version.steps),
            skill_timeout_s=begun.version.limits.skill_timeout_s,
            recorded_end=_recorded_end(begun),
        )

    @activity.defn
    async def mark_waiting(self, job: Waiting) -> None:
        """Show in the run's row what it waits for."""
        with temporal_failures():
            await self._store.for_tenant(job.tenant_id).write(
                lambda db: db.runs.mark_waiting(job.execution_id, job.waiting_for)
            )

    @activity.defn
    async def decide(self, job: Decided) -> None:
        """Put a person's decision into the run's inbox."""
        with temporal_failures():
            await self._store.for_tenant(job.tenant_id).write(
                lambda db: db.approvals.decide(
                    job.approval_id, job.decision, job.decided_by, job.note
                )
            )

    @activity.defn
    async def order_child(self, job: Child) -> Child:
        """Which agent is to be run for a skill that waits for it, or why none is."""
        with temporal_failures():
            order = await self._store.for_tenant(job.tenant_id).read(
                lambda db: db.children.order(job.parent_id, job.execution_id)
            )
        return job.model_copy(update=order.model_dump(exclude={"input_data"}))

    @activity.defn
    async def child_ended(self, job: Child) -> None:
        """Put word of a child's end, or of its refusal, into its parent's inbox."""
        with temporal_failures():
            await self._store.for_tenant(job.tenant_id).write(
                lambda db: db.children.ended(job.parent_id, job.execution_id, job.refusal)
            )

    @activity.defn
    async def count_steps(self, job: NodeRef) -> int:
        """How many steps a node has on record: more than before means progress was made."""
        with temporal_failures():
            return await self._store.for_tenant(job.tenant_id).read(
                lambda db: db.runs.count_steps(job.execution_id, job.node)
            )

    @activity.defn
    async def finish(self, job: Finish) -> RunOutcome:
        """Give the run its final status, with what its skills came to."""
        with temporal_failures():
            run = await self._store.for_tenant(job.tenant_id).write(
                lambda db: db.runs.finish(job.execution_id, job.status, job.error)
            )
        return RunOutcome(status=run.status, error=run.error, cost_usd=str(run.cost_usd))


def _recorded_end(begun: "Begun") -> RecordedEnd | None:
    run = begun.recorded_end
    if run is None or run.error is None:
        return None
    return RecordedEnd(status=run.status, error=run.error)


def _without_config(reference: "SkillReference") -> "SkillReference":
    """What the workflow needs of a skill; its configuration may be private and stays out of history."""
    return reference.model_copy(update={"config": {}})
