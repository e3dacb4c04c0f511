"""The workflows of connections, as the API starts and asks them."""

import asyncio
import logging

from temporalio.client import (
    Client,
    RPCTimeoutOrCancelledError,
    WithStartWorkflowOperation,
    WorkflowUpdateFailedError,
)
from temporalio.common import WorkflowIDConflictPolicy
from temporalio.service import RPCError

from activities.payloads import ConnectionRef, ConnectionState
from omniforge.errors import TemporalUnavailable
from omniforge.integrations.oauth.connection import Connection
from workflows.attributes import (
    DISCONNECT,
    LOOK_AGAIN,
    connection_attributes,
    connection_workflow_id,
)
from workflows.connection import ConnectionWorkflow
from workflows.wire import RUNS_QUEUE

log = logging.getLogger(__name__)

# A service that is slow to revoke a token is given fifteen seconds.
SECONDS = 25.0

_AWAY = (RPCError, RuntimeError, TimeoutError)


class ConnectionWorkflows:
    def __init__(self, client: Client) -> None:
        self._client = client

    async def look(self, tenant_id: str, connection_id: str) -> bool:
        """Have a connection looked after from now on. False when Temporal is away: it is tried again."""
        try:
            async with asyncio.timeout(SECONDS):
                await self._client.start_workflow(
                    ConnectionWorkflow.run,
                    ConnectionRef(tenant_id=tenant_id, connection_id=connection_id),
                    id=connection_workflow_id(tenant_id, connection_id),
                    task_queue=RUNS_QUEUE,
                    id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
                    search_attributes=connection_attributes(tenant_id),
                    start_signal=LOOK_AGAIN,
                )
        except _AWAY as error:
            what = {"connection_id": connection_id, "reason": str(error)}
            log.warning("connection_not_looked_after", extra=what)
            return False
        return True

    async def disconnect(self, connection: Connection) -> None:
        """End a connection, after a refresh that is under way.

        Raises:
            TemporalUnavailable: It was not ended as far as is known.
        """
        ref = ConnectionRef(tenant_id=connection.tenant_id, connection_id=connection.id)
        start = WithStartWorkflowOperation(
            ConnectionWorkflow.run,
            ref,
            id=connection_workflow_id(connection.tenant_id, connection.id),
            task_queue=RUNS_QUEUE,
            id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
            search_attributes=connection_attributes(connection.tenant_id),
        )
        try:
            async with asyncio.timeout(SECONDS):
                await self._client.execute_update_with_start_workflow(
                    DISCONNECT, start_workflow_operation=start, result_type=ConnectionState
                )
        except (*_AWAY, RPCTimeoutOrCancelledError, WorkflowUpdateFailedError) as error:
            raise TemporalUnavailable(
                "The connection was not ended: Temporal, or a worker, does not answer. Try again."
            ) from error
