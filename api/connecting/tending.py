"""Sees to it that every connection whose tokens end has its workflow, and that no other one has."""

import asyncio
import logging
from functools import partial

from temporalio.client import Client
from temporalio.service import RPCError

from api.connecting.workflows import ConnectionWorkflows
from omniforge.store.connections import connections_to_tend
from omniforge.store.store import Store
from workflows.attributes import LOOK_AGAIN, connection_workflow_id

log = logging.getLogger(__name__)

EVERY = 60.0
PAGE = 500

_RUNNING = "OfKind = 'connection' AND ExecutionStatus = 'Running'"


class ConnectionTender:
    def __init__(self, store: Store, client: Client, workflows: ConnectionWorkflows) -> None:
        self._store, self._client, self._workflows = store, client, workflows

    async def keep_going(self) -> None:
        """Look now and then, until cancelled. A part that is down is tried again next time."""
        while True:
            try:
                await self.tend()
            except RPCError as error:
                log.warning("connections_not_tended", extra={"reason": str(error)})
            except Exception:
                log.exception("connections_not_tended")
            await asyncio.sleep(EVERY)

    async def tend(self) -> int:
        """One pass over all connections; of how many the workflow was started."""
        # It is behind by a moment; what it does not know yet is started in vain.
        running = {one.id async for one in self._client.list_workflows(_RUNNING)}
        after, started = "", 0
        while page := await self._store.database.read(
            partial(connections_to_tend, after=after, limit=PAGE)
        ):
            after = page[-1][1]
            for tenant_id, connection_id in page:
                workflow_id = connection_workflow_id(tenant_id, connection_id)
                if workflow_id in running:
                    running.remove(workflow_id)
                else:
                    started += await self._workflows.look(tenant_id, connection_id)
        for workflow_id in sorted(running):
            await self._tell(workflow_id)
        return started

    async def _tell(self, workflow_id: str) -> None:
        """There is nothing left to look after, which it finds when it looks."""
        try:
            await self._client.get_workflow_handle(workflow_id).signal(LOOK_AGAIN)
        except RPCError as error:
            log.info("connection_not_told", extra={"workflow": workflow_id, "reason": str(error)})
