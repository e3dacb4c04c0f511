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
from omniforge.store.runs import unfinished
from omniforge.store.store import Store
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
    """Starts accepted runs that have no workflow, and ends runs whose workflow is gone."""

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
        while runs := await self._store.database.read(partial(_page, before, after)):
            after = runs[-1].id
            for run in runs:
                try:
                    healed += await self._heal(run)
                except (OmniForgeError, RPCError) as error:
                    log.warning(
                        "run_not_healed", extra={"execution_id": run.id, "reason": str(error)}
                    )
        return healed

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
