"""How skills get at fresh tokens: they ask the workflow of the connection, once for all that ask at once."""

import asyncio
from datetime import timedelta

from temporalio.client import (
    Client,
    RPCTimeoutOrCancelledError,
    WithStartWorkflowOperation,
    WorkflowUpdateFailedError,
)
from temporalio.common import WorkflowIDConflictPolicy
from temporalio.exceptions import ApplicationError
from temporalio.service import RPCError

from activities.payloads import ConnectionRef, ConnectionState, Freshen
from omniforge.errors import TokenUnknown
from omniforge.integrations.oauth.connection import Connection
from workflows.attributes import FRESHEN, connection_attributes, connection_workflow_id
from workflows.connection import ConnectionWorkflow
from workflows.wire import RUNS_QUEUE

# The token endpoint's time, four times over, is more than a skill should wait for.
SECONDS = timedelta(seconds=45)


class Freshener:
    """Has the workflows of connections bring newer tokens; one that is not there is started."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._under_way: dict[tuple[str, int, bool], asyncio.Task[None]] = {}

    async def __call__(self, connection: Connection, is_refused: bool) -> None:
        """
        Raises:
            TokenUnknown: None came. Whether it will, is not known.
        """
        key = connection.id, connection.version, is_refused
        task = self._under_way.get(key)
        if task is None:
            task = self._under_way[key] = asyncio.create_task(self._ask(connection, is_refused))
            task.add_done_callback(lambda _: self._under_way.pop(key, None))
        await asyncio.shield(task)

    async def _ask(self, connection: Connection, is_refused: bool) -> None:
        ref = ConnectionRef(tenant_id=connection.tenant_id, connection_id=connection.id)
        start = WithStartWorkflowOperation(
            ConnectionWorkflow.run,
            ref,
            id=connection_workflow_id(connection.tenant_id, connection.id),
            task_queue=RUNS_QUEUE,
            id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
            search_attributes=connection_attributes(connection.tenant_id),
            static_summary=f"Account at {connection.integration_id}",
        )
        try:
            async with asyncio.timeout(SECONDS.total_seconds()):
                await self._client.execute_update_with_start_workflow(
                    FRESHEN,
                    Freshen(connection=ref, known=connection.version, is_refused=is_refused),
                    start_workflow_operation=start,
                    result_type=ConnectionState,
                )
        except WorkflowUpdateFailedError as error:
            cause = error.cause
            told = cause.message if isinstance(cause, ApplicationError) else str(error)
            raise TokenUnknown(told) from error
        # An update whose waiting is cancelled, by the time-out here too, is told as the last of these.
        except (RPCError, RuntimeError, TimeoutError, RPCTimeoutOrCancelledError) as error:
            raise TokenUnknown(
                f"The tokens of {connection.integration_id} could not be refreshed in time."
            ) from error
