"""Heals what a crash left between the database and Temporal, in both directions."""

import asyncio
import logging
from datetime import timedelta

from temporalio.client import Client, WorkflowExecutionStatus
from temporalio.service import RPCError, RPCStatusCode

from api.launch import Launch
from omniforge import clock
from omniforge.agents.runs import ErrorInfo, Run, RunStatus
from omniforge.errors import OmniForgeError
from omniforge.store.runs import unfinished
from omniforge.store.store import Store
from workflows.wire import run_workflow_id

log = logging.getLogger(__name__)

EVERY = 15.0
# A start takes milliseconds; a row this old whose workflow is missing was left behind.
GRACE = timedelta(seconds=10)
MAX_RUNS = 1_000

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
    """Starts accepted runs that have no workflow, and ends runs whose workflow is gone."""

    def __init__(self, store: Store, client: Client, launch: Launch) -> None:
        self._store, self._client, self._launch = store, client, launch

    async def keep_going(self) -> None:
        """Reconcile now and then, until cancelled. A part that is down is tried again next time."""
        while True:
            try:
                await self.reconcile()
            except (OmniForgeError, RPCError, RuntimeError) as error:
                log.warning("reconcile_failed", extra={"reason": str(error)})
            await asyncio.sleep(EVERY)

    async def reconcile(self, grace: timedelta = GRACE) -> int:
        """One pass; how many runs were healed."""
        before = clock.now() - grace
        runs = await self._store.database.read(lambda c: unfinished(c, before, MAX_RUNS))
        return sum([await self._heal(run) for run in runs])

    async def _heal(self, run: Run) -> bool:
        handle = self._client.get_workflow_handle(run_workflow_id(run.tenant_id, run.id))
        try:
            status = (await handle.describe()).status
        except RPCError as error:
            if error.status is not RPCStatusCode.NOT_FOUND:
                raise
            return await self._without_workflow(run)
        if status not in _ENDED:
            return False
        await self._end(run, *_ENDED[status])
        return True

    async def _without_workflow(self, run: Run) -> bool:
        if run.status is RunStatus.PENDING:
            mine = self._store.for_tenant(run.tenant_id)
            agent = await mine.read(lambda db: db.agents.get(run.agent_id))
            await self._launch.start_workflow(run, agent.name)
        else:
            await self._end(run, RunStatus.FAILED, "is no longer in Temporal")
        log.warning("run_healed", extra={"execution_id": run.id, "was": run.status})
        return True

    async def _end(self, run: Run, status: RunStatus, what: str) -> None:
        error = ErrorInfo(code="workflow_gone", message=f"The run's workflow {what}.")
        mine = self._store.for_tenant(run.tenant_id)
        await mine.write(lambda db: db.runs.finish(run.id, status, error))
