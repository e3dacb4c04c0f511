"""A run's row: beginning, waiting, decisions, end. Short database work, so local activities.

All of them may be repeated: the second time changes nothing.
"""

from typing import TYPE_CHECKING

from temporalio import activity

from activities.failures import temporal_failures
from activities.payloads import (
    Admitted,
    AgentRun,
    Beginning,
    Child,
    ConnectionsWanted,
    Decided,
    Finish,
    InFunds,
    MoneyWanted,
    NodeRef,
    Overdue,
    Raise,
    Reconnected,
    RecordedEnd,
    RunOutcome,
    Steer,
    Waiting,
    Wished,
)
from omniforge import clock
from omniforge.agents.runs import ErrorInfo, Fate, Run, RunStatus, RunTrigger
from omniforge.journal.ports import Verdict
from omniforge.journal.steps import NodeKey

if TYPE_CHECKING:
    from omniforge.agents.config import SkillReference
    from omniforge.store.briefs import Begun, Entry
    from omniforge.store.store import Repositories, Store


class RunActivities:
    def __init__(self, store: "Store") -> None:
        self._store = store

    @activity.defn
    async def begin(self, job: AgentRun) -> Beginning:
        """Mark the run running and pin its version, or queue it until there is room for it."""

        def begin(db: "Repositories") -> Beginning:
            run = _run_of(job)
            if job.parent_id is not None:
                order = db.children.order(job.parent_id, run.id)
                run = run.model_copy(update={"input_data": order.input_data})
            elif job.trigger_id is not None and not db.runs.is_known(run.id):
                entry = _entry(db, run, job)
                if entry.run is None:
                    return _no_run(entry)
                run = entry.run
            return _beginning(db.runs.begin(run))

        with temporal_failures():
            return await self._store.for_tenant(job.tenant_id).write(begin)

    @activity.defn
    async def fate(self, job: NodeRef) -> Fate:
        """Decide what becomes of a node whose turn it is."""
        with temporal_failures():
            return await self._store.for_tenant(job.tenant_id).write(
                lambda db: db.nodes.fate(db.runs.course(job.execution_id), _key(job))
            )

    @activity.defn
    async def join(self, job: NodeRef) -> None:
        """End a `for_each` all of whose items have ended."""
        with temporal_failures():
            await self._store.for_tenant(job.tenant_id).write(
                lambda db: db.nodes.join(db.runs.course(job.execution_id), _key(job))
            )

    @activity.defn
    async def fail_node(self, job: NodeRef) -> None:
        """End a node that its workers could not end, because the run goes on without it."""
        error = job.error or ErrorInfo(code="failed", message="The skill failed.")
        with temporal_failures():
            await self._store.for_tenant(job.tenant_id).write(
                lambda db: db.nodes.fail(db.runs.course(job.execution_id), _key(job), error)
            )

    @activity.defn
    async def wish(self, job: Wished) -> None:
        """Ask the executors of a run to end their segments, or take that back."""
        with temporal_failures():
            await self._store.for_tenant(job.tenant_id).write(
                lambda db: db.control.wish(job.execution_id, job.wish, job.by, job.note)
            )

    @activity.defn
    async def steer(self, job: Steer) -> None:
        """Put a person's message into the inboxes of the nodes it is for."""
        with temporal_failures():
            await self._store.for_tenant(job.tenant_id).write(
                lambda db: db.control.say(job.execution_id, job.nodes, job.id, job.text, job.by)
            )

    @activity.defn
    async def raise_budget(self, job: Raise) -> None:
        """Let a run spend more."""
        with temporal_failures():
            await self._store.for_tenant(job.tenant_id).write(
                lambda db: db.control.raise_cap(
                    job.execution_id, job.cap_usd, job.by, job.request_id
                )
            )

    @activity.defn
    async def look_for_money(self, job: MoneyWanted) -> InFunds:
        """Which of a run's waits for money can end. Nothing is set aside for them yet."""
        with temporal_failures():
            found = await self._store.for_tenant(job.tenant_id).read(
                lambda db: db.budgets.in_funds(job.execution_id)
            )
        return InFunds(wait_ids=tuple(found.get(job.execution_id, ())))

    @activity.defn
    async def look_for_connections(self, job: ConnectionsWanted) -> Reconnected:
        """Which of a run's waits for accounts can end."""
        with temporal_failures():
            found = await self._store.for_tenant(job.tenant_id).read(
                lambda db: db.connections.reconnected(job.execution_id)
            )
        return Reconnected(wait_ids=tuple(found.get(job.execution_id, ())))

    @activity.defn
    async def mark_waiting(self, job: Waiting) -> Admitted:
        """Show in the run's row what it waits for, and find out for whom that makes room."""

        def mark(db: "Repositories") -> tuple[str, ...]:
            db.runs.mark_waiting(job.execution_id, job.waiting_for)
            return tuple(db.admission.admitted)

        with temporal_failures():
            admitted = await self._store.for_tenant(job.tenant_id).write(mark)
        return Admitted(execution_ids=admitted)

    @activity.defn
    async def decide(self, job: Decided) -> None:
        """Put a person's decision into the run's inbox."""
        verdict = Verdict(job.decision, job.decided_by, job.note, job.arguments)
        with temporal_failures():
            await self._store.for_tenant(job.tenant_id).write(
                lambda db: db.approvals.decide(job.approval_id, verdict)
            )

    @activity.defn
    async def overdue(self, job: Overdue) -> None:
        """Remind people of a question, tell others of it, or give it up."""
        with temporal_failures():
            await self._store.for_tenant(job.tenant_id).write(
                lambda db: db.approvals.overdue(job.approval_id, job.what)
            )

    @activity.defn
    async def order_child(self, job: Child) -> Child:
        """Which agent is to be run for a skill that waits for it, or why none is."""
        mine = self._store.for_tenant(job.tenant_id)
        with temporal_failures():
            order = await mine.read(lambda db: db.children.order(job.parent_id, job.execution_id))
            child = job.model_copy(update=order.model_dump(exclude={"input_data"}))
            if not job.is_known:
                return child
            earlier = await mine.write(lambda db: db.retries.retry_child(job.execution_id))
        return child if earlier is None else _again(child, earlier)

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
                lambda db: db.nodes.count_steps(_key(job))
            )

    @activity.defn
    async def finish(self, job: Finish) -> RunOutcome:
        """Give the run its final status, with what its skills came to, and its place to the next."""

        def finish(db: "Repositories") -> RunOutcome:
            run = db.runs.finish(job.execution_id, job.status, job.error, job.generation)
            return RunOutcome(
                status=run.status,
                error=run.error,
                cost_usd=str(run.cost_usd),
                admitted=tuple(db.admission.admitted),
            )

        with temporal_failures():
            return await self._store.for_tenant(job.tenant_id).write(finish)


def _run_of(job: AgentRun) -> Run:
    """The row of a run that has none yet."""
    return Run(
        id=job.execution_id,
        agent_id=job.agent_id,
        tenant_id=job.tenant_id,
        status=RunStatus.PENDING,
        trigger_type=job.trigger_type,
        trigger_id=job.trigger_id,
        triggered_by=job.triggered_by,
        parent_id=job.parent_id,
        created_at=clock.now(),
    )


def _entry(db: "Repositories", run: Run, job: AgentRun) -> "Entry":
    """What becomes of something that fired and has no run yet."""
    if job.trigger_type is RunTrigger.SCHEDULED:
        return db.fires.enter(run, job.fired_at or run.created_at)
    return db.deliveries.enter(run)


def _no_run(entry: "Entry") -> Beginning:
    status = RunStatus.PENDING if entry.refusal is None else RunStatus.CANCELLED
    return Beginning(status=status, refusal=entry.refusal, later_s=entry.later_s)


def _beginning(begun: "Begun") -> Beginning:
    return Beginning(
        status=begun.status,
        agent_name=begun.agent_name,
        skills=tuple(_without_config(skill.reference) for skill in begun.version.steps),
        skill_timeout_s=begun.version.limits.skill_timeout_s,
        max_parallel=begun.version.limits.max_parallel,
        patience=begun.version.limits.patience,
        recorded_end=_recorded_end(begun),
        ends=dict(begun.ends),
        items=dict(begun.items),
        wish=begun.wish,
    )


def _again(child: Child, earlier: Run) -> Child:
    is_done = earlier.status is RunStatus.COMPLETED
    return child.model_copy(update={"generation": earlier.generation, "is_done": is_done})


def _key(job: NodeRef) -> NodeKey:
    return NodeKey(job.execution_id, job.node, job.generation)


def _recorded_end(begun: "Begun") -> RecordedEnd | None:
    run = begun.recorded_end
    if run is None or run.error is None:
        return None
    return RecordedEnd(status=run.status, error=run.error)


def _without_config(reference: "SkillReference") -> "SkillReference":
    """What the workflow needs of a skill; its configuration may be private and stays out of history."""
    return reference.model_copy(update={"config": {}})
