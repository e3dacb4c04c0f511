"""Heals what a crash left between the database and Temporal, in both directions."""

import asyncio
import logging
from datetime import datetime, timedelta
from functools import partial

from sqlalchemy import Connection
from temporalio.client import Client, WorkflowExecutionStatus
from temporalio.service import RPCError, RPCStatusCode

from api.launch import Launch
from omniforge import clock
from omniforge.agents.runs import ErrorInfo, Run, RunStatus
from omniforge.errors import OmniForgeError
from omniforge.store.admission import TO_BE_TOLD
from omniforge.store.store import Repositories, Store
from omniforge.store.unfinished import unfinished
from workflows.attributes import run_workflow_id

log = logging.getLogger(__name__)

EVERY = 15.0
# A start takes milliseconds; a row this old whose workflow is missing was left behind.
GRACE = timedelta(seconds=10)
PAGE = 500


def _page(before: datetime, after: str, connection: Connection) -> list[Run]:
    return unfinished(connection, before, after, PAGE)


_ENDED = {
    WorkflowExecutionStatus.CANCELED: (RunStatus.CANCELLED, "cancelled in Temporal"),
    WorkflowExecutionStatus.TERMINATED: (RunStatus.CANCELLED, "terminated in Temporal"),
    WorkflowExecutionStatus.TIMED_OUT: (RunStatus.TIMED_OUT, "timed out in Temporal"),
    WorkflowExecutionStatus.FAILED: (
        RunStatus.FAILED,
        "failed in Temporal; its page there says why",
    ),
    WorkflowExecutionStatus.COMPLETED: (RunStatus.FAILED, "ended in Temporal without a result"),
}


class Reconciler:
    """Starts accepted runs without a workflow, ends runs whose workflow is gone, and keeps queues moving.

    A new day or month lets runs go on that wait for money: it finds them, too.
    """

    def __init__(self, store: Store, client: Client, launch: Launch) -> None:
        self._store, self._client, self._launch = store, client, launch

    async def keep_going(self) -> None:
        """Reconcile now and then, until cancelled. A part that is down is tried again next time."""
        while True:
            try:
                await self.reconcile()
            except Exception:
                log.exception("reconcile_failed")
            await asyncio.sleep(EVERY)

    async def reconcile(self, grace: timedelta = GRACE) -> int:
        """One pass over all unfinished runs; how many were healed. One that resists is left for later."""
        before, after, healed = clock.now() - grace, "", 0
        queueing: set[str] = set()
        waiting: set[str] = set()
        while runs := await self._store.database.read(partial(_page, before, after)):
            after = runs[-1].id
            queueing |= {run.tenant_id for run in runs if run.status is RunStatus.QUEUED}
            waiting |= {run.tenant_id for run in runs if run.status is RunStatus.WAITING}
            for run in runs:
                # Thousands may be queued. What has happened to one of them is seen when it is its turn.
                if run.status is RunStatus.QUEUED:
                    continue
                try:
                    healed += await self._heal(run)
                except (OmniForgeError, RPCError) as error:
                    log.warning(
                        "run_not_healed", extra={"execution_id": run.id, "reason": str(error)}
                    )
        for tenant_id in sorted(queueing):
            healed += await self._admit(tenant_id)
        for tenant_id in sorted(waiting):
            healed += await self._launch.fund(tenant_id)
            healed += await self._launch.reconnect(tenant_id)
        return healed

    async def _admit(self, tenant_id: str) -> int:
        """Fill the free places of a tenant. There are some if the platform's cap is another one now."""
        mine = self._store.for_tenant(tenant_id)

        def admit(db: Repositories) -> list[str]:
            db.overlap.let_all_in()
            return db.admission.admit()

        admitted = await mine.write(admit)
        await self._launch.admit(tenant_id, admitted)
        return len(admitted)

    async def _heal(self, run: Run) -> bool:
        handle = self._client.get_workflow_handle(run_workflow_id(run.tenant_id, run.id))
        try:
            status = (await handle.describe()).status
        except RPCError as error:
            if error.status is not RPCStatusCode.NOT_FOUND:
                raise
            return await self._without_workflow(run)
        if status not in _ENDED:
            return await self._tell(run)
        if run.status is RunStatus.PENDING and run.generation:
            # What has ended is the workflow of the generation before.
            return await self._without_workflow(run)
        await self._end(run, *_ENDED[status])
        return True

    async def _tell(self, run: Run) -> bool:
        """Tell a run of its place in case it has one and does not know."""
        is_untold = run.waiting_for == TO_BE_TOLD
        if is_untold:
            await self._launch.admit(run.tenant_id, [run.id])
        return is_untold

    async def _without_workflow(self, run: Run) -> bool:
        # One that is to have a place and was queued before it had a workflow has not begun, either.
        if run.status is RunStatus.PENDING or run.started_at is None:
            mine = self._store.for_tenant(run.tenant_id)
            agent, weight = await mine.read(
                lambda db: (db.agents.get(run.agent_id), db.admission.weight())
            )
            await self._launch.start_workflow(run, agent.name, weight)
        else:
            await self._end(run, RunStatus.FAILED, "is no longer in Temporal")
        log.warning("run_healed", extra={"execution_id": run.id, "was": run.status})
        return True

    async def _end(self, run: Run, status: RunStatus, what: str) -> None:
        error = ErrorInfo(code="workflow_gone", message=f"The run's workflow {what}.")

        def finish(db: Repositories) -> list[str]:
            db.runs.finish(run.id, status, error, run.generation)
            return db.admission.admitted

        admitted = await self._store.for_tenant(run.tenant_id).write(finish)
        await self._launch.admit(run.tenant_id, admitted)
