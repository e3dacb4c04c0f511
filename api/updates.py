"""Telling a run something that it may refuse: an update of its workflow, waited for."""

import asyncio

from pydantic import BaseModel
from temporalio.client import (
    Client,
    WorkflowUpdateFailedError,
    WorkflowUpdateRPCTimeoutOrCancelledError,
)
from temporalio.exceptions import ApplicationError, FailureError
from temporalio.service import RPCError, RPCStatusCode

from omniforge.errors import TemporalUnavailable
from workflows.attributes import run_workflow_id

# An update needs a worker; longer than this a person should not stare at a button.
UPDATE_TIMEOUT = 15.0

# Cut off by a time-out, the SDK raises an error of its own in the place of TimeoutError.
_NO_ANSWER = (RPCError, RuntimeError, TimeoutError, WorkflowUpdateRPCTimeoutOrCancelledError)


class NotTaken(Exception):
    """The run refused, with a code and a sentence of its own; without a code it has ended."""

    def __init__(self, code: str = "", message: str = "") -> None:
        super().__init__(message or "The run has ended.")
        self.code, self.message = code, message


async def update(
    client: Client, tenant_id: str, execution_id: str, name: str, what: BaseModel, update_id: str
) -> None:
    """Tell a run something and wait until it has taken it in. Under one id it is told once.

    Raises:
        NotTaken: The run refused it, or has ended.
        TemporalUnavailable: No worker answered in time, so nobody knows.
    """
    handle = client.get_workflow_handle(run_workflow_id(tenant_id, execution_id))
    try:
        async with asyncio.timeout(UPDATE_TIMEOUT):
            await handle.execute_update(name, what, id=update_id)
    except WorkflowUpdateFailedError as error:
        raise _not_taken(error.cause) from error
    except _NO_ANSWER as error:
        if isinstance(error, RPCError) and error.status is RPCStatusCode.NOT_FOUND:
            raise NotTaken from error
        raise no_answer() from error


def no_answer() -> TemporalUnavailable:
    return TemporalUnavailable(
        "It is not known whether this reached the run: no worker answered. Look at the run, and try again."
    )


def _not_taken(cause: BaseException | None) -> NotTaken:
    while isinstance(cause, FailureError) and not isinstance(cause, ApplicationError):
        cause = cause.cause
    if isinstance(cause, ApplicationError):
        return NotTaken(cause.type or "", cause.message)
    return NotTaken()
