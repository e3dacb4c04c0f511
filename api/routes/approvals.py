"""Questions that runs ask people, and the answers."""

import asyncio
from typing import Annotated

from fastapi import APIRouter, Query
from temporalio.client import Client, WorkflowUpdateFailedError
from temporalio.service import RPCError

from activities.payloads import Decided
from api.dependencies import Caller, Cursor, Limit, Mine, OwnRun, Temporal
from api.errors import responses
from api.schemas.runs import AnswerBody, ApprovalList, DecisionBody
from omniforge.errors import (
    AlreadyDecided,
    ApprovalNotFound,
    ExecutionNotFound,
    Rejected,
    RunFinished,
    TemporalUnavailable,
    Unauthenticated,
)
from omniforge.journal.ports import DECISIONS, Decision
from omniforge.store.approvals import Approval
from omniforge.store.store import TenantStore
from workflows.agent_run import DECIDE
from workflows.attributes import run_workflow_id

router = APIRouter(prefix="/api/v1", tags=["approvals"], responses=responses(Unauthenticated))

# An update needs a worker; longer than this a person should not stare at a button.
DECIDE_TIMEOUT = 15.0
# For a run that has not heard of its question yet: milliseconds, or the time to replace its worker.
UNHEARD_PAUSE = 0.2


@router.get("/approvals")
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
    "/approvals/{approval_id}",
    responses=responses(
        ApprovalNotFound, AlreadyDecided, Rejected, RunFinished, TemporalUnavailable
    ),
)
async def decide(
    approval_id: str,
    body: DecisionBody,
    mine: Mine,
    caller: Caller,
    temporal: Temporal,
) -> Approval:
    """Decide what a run waits for: once, by whoever is first. The run goes on at once."""
    approval = await mine.read(lambda db: db.approvals.get(approval_id))
    if approval.decision is not None:
        raise _too_late(approval)
    if body.decision not in DECISIONS[approval.kind]:
        raise Rejected(
            f"{body.decision!r} does not decide an approval of kind {approval.kind!r}; one of"
            f" {', '.join(DECISIONS[approval.kind])} does."
        )
    decided = Decided(
        tenant_id=caller.tenant_id,
        approval_id=approval_id,
        decision=body.decision,
        decided_by=caller.user_id,
        note=body.reason,
    )
    return await _decided(mine, temporal, approval.execution_id, decided)


@router.post(
    "/executions/{execution_id}/answer",
    responses=responses(
        ExecutionNotFound, ApprovalNotFound, Rejected, RunFinished, TemporalUnavailable
    ),
)
async def answer(
    run: OwnRun, body: AnswerBody, mine: Mine, caller: Caller, temporal: Temporal
) -> Approval:
    """Answer the question that a run asks. The run goes on at once."""
    question = await mine.read(lambda db: db.approvals.open_question(run.id, body.id))
    decided = Decided(
        tenant_id=caller.tenant_id,
        approval_id=question.id,
        decision=Decision.ANSWER,
        decided_by=caller.user_id,
        note=body.answer,
    )
    return await _decided(mine, temporal, run.id, decided)


async def _decided(
    mine: TenantStore, temporal: Client, execution_id: str, decided: Decided
) -> Approval:
    run = await mine.read(lambda db: db.runs.get(execution_id))
    if run.status.is_final:
        raise RunFinished(run.id, run.status)
    try:
        async with asyncio.timeout(DECIDE_TIMEOUT):
            await _tell_run(temporal, run_workflow_id(run.tenant_id, run.id), decided, mine)
    except (RPCError, RuntimeError, TimeoutError) as error:
        raise TemporalUnavailable(
            "The decision did not reach the run: no worker answered. Try again shortly."
        ) from error
    approval = await mine.read(lambda db: db.approvals.get(decided.approval_id))
    # Updates are one per approval: who comes second gets the outcome of the first.
    if (approval.decision, approval.note) != (decided.decision, decided.note):
        raise _too_late(approval)
    return approval


def _too_late(approval: Approval) -> AlreadyDecided:
    when = f"{approval.decided_at:%Y-%m-%d %H:%M} UTC" if approval.decided_at else "just now"
    return AlreadyDecided(approval.id, f"{approval.decision} by {approval.decided_by}, {when}")


async def _tell_run(
    temporal: Client, workflow_id: str, decided: Decided, mine: TenantStore
) -> None:
    """Hand a decision to its run, which hears of its own question a moment after people can see it."""
    handle = temporal.get_workflow_handle(workflow_id)
    while True:
        try:
            await handle.execute_update(DECIDE, decided, id=decided.approval_id)
            return
        except WorkflowUpdateFailedError as error:
            approval = await mine.read(lambda db: db.approvals.get(decided.approval_id))
            if approval.decision is not None:
                raise _too_late(approval) from error
        await asyncio.sleep(UNHEARD_PAUSE)
