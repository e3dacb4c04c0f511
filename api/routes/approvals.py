"""Questions that runs ask people, and the answers."""

import asyncio
from typing import Annotated

from fastapi import APIRouter, Query
from temporalio.client import Client, WorkflowUpdateFailedError
from temporalio.service import RPCError

from activities.payloads import Decided
from api.dependencies import Caller, Cursor, Limit, Mine, Temporal
from api.errors import responses
from api.schemas.runs import ApprovalList, DecisionBody
from omniforge.errors import (
    AlreadyDecided,
    ApprovalNotFound,
    RunFinished,
    TemporalUnavailable,
    Unauthenticated,
)
from omniforge.store.approvals import Approval
from workflows.agent_run import DECIDE
from workflows.wire import run_workflow_id

router = APIRouter(
    prefix="/api/v1/approvals", tags=["approvals"], responses=responses(Unauthenticated)
)

# An update needs a worker; longer than this a person should not stare at a button.
DECIDE_TIMEOUT = 15.0


@router.get("")
async def list_approvals(
    mine: Mine,
    limit: Limit = 50,
    cursor: Cursor = None,
    is_open: Annotated[bool, Query(alias="open", description="Only undecided ones.")] = True,
) -> ApprovalList:
    """What runs wait for, newest first."""
    page = await mine.read(lambda db: db.approvals.page(limit, cursor, is_open))
    return ApprovalList(approvals=page.items, next_cursor=page.next_cursor)


@router.post(
    "/{approval_id}",
    responses=responses(ApprovalNotFound, AlreadyDecided, RunFinished, TemporalUnavailable),
)
async def decide(
    approval_id: str,
    body: DecisionBody,
    mine: Mine,
    caller: Caller,
    temporal: Temporal,
) -> Approval:
    """Decide an effect in doubt: `happened`, `resend` or `skip`. The run goes on at once."""
    approval = await mine.read(lambda db: db.approvals.get(approval_id))
    if approval.decision is not None:
        raise AlreadyDecided(approval_id, f"{approval.decision} by {approval.decided_by}")
    decided = Decided(
        tenant_id=caller.tenant_id,
        approval_id=approval_id,
        decision=body.decision,
        decided_by=caller.user_id,
        note=body.reason,
    )
    run = await mine.read(lambda db: db.runs.get(approval.execution_id))
    if run.status.is_final:
        raise RunFinished(run.id, run.status)
    await _tell_run(temporal, run_workflow_id(caller.tenant_id, approval.execution_id), decided)
    return await mine.read(lambda db: db.approvals.get(approval_id))


async def _tell_run(temporal: Client, workflow_id: str, decided: Decided) -> None:
    handle = temporal.get_workflow_handle(workflow_id)
    try:
        async with asyncio.timeout(DECIDE_TIMEOUT):
            await handle.execute_update(DECIDE, decided, id=decided.approval_id)
    except WorkflowUpdateFailedError as error:
        raise AlreadyDecided(decided.approval_id, str(error.cause)) from error
    except (RPCError, RuntimeError, TimeoutError) as error:
        raise TemporalUnavailable(
            "The decision did not reach the run: no worker answered. Try again shortly."
        ) from error
