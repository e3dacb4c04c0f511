"""Caps on what model calls may cost, and what they have cost."""

from datetime import date
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Path, Query

from activities.payloads import Raise
from api.dependencies import Audited, Caller, Mine, OwnRun, Temporal
from api.errors import responses
from api.launch import Launching
from api.schemas.budgets import BudgetBody, BudgetList, CapBody, CostBody, CostList, RaiseBody
from api.updates import NotTaken, update
from omniforge.agents.budgets import Period, Scope
from omniforge.errors import (
    AgentNotFound,
    BudgetNotFound,
    BudgetNotRaised,
    ExecutionNotFound,
    MemberNotFound,
    RunFinished,
    TemporalUnavailable,
    Unauthenticated,
)
from omniforge.identity import new_id
from omniforge.store.audit import Act
from omniforge.store.budgets import CostBy
from workflows.attributes import RAISE_BUDGET

router = APIRouter(prefix="/api/v1", tags=["budgets"], responses=responses(Unauthenticated))

CappedScope = Literal[Scope.TENANT, Scope.USER, Scope.AGENT]
Subject = Annotated[
    str,
    Path(
        max_length=64,
        description="Id of the agent, person or tenant; `me` is the caller or the caller's own tenant.",
    ),
]


def _subject(scope: CappedScope, subject: Subject, period: Period, caller: Caller) -> str:
    own = {Scope.TENANT: caller.tenant_id, Scope.USER: caller.user_id}.get(scope)
    if own is not None and subject == "me":
        return own
    if scope is Scope.TENANT and subject != own:
        raise BudgetNotFound(subject, period)
    return subject


Named = Annotated[str, Depends(_subject)]


@router.get("/budgets")
async def list_budgets(mine: Mine) -> BudgetList:
    """Every cap of the workspace, and what has been taken of it in its current period.

    Caps of single runs are `limits.budget_usd` of their agents.
    """
    budgets = await mine.read(lambda db: db.budgets.all())
    return BudgetList(budgets=[BudgetBody.of(budget) for budget in budgets])


@router.put(
    "/budgets/{scope}/{subject}/{period}",
    responses=responses(AgentNotFound, MemberNotFound, BudgetNotFound),
)
async def set_budget(
    scope: CappedScope,
    period: Period,
    body: CapBody,
    named: Named,
    audited: Audited,
    launch: Launching,
) -> BudgetBody:
    """Cap what model calls may cost: of an agent, a person, or the whole workspace.

    It holds from the next call on, also in runs under way, and counts what was spent before. Runs that
    wait for money and get it so go on at once.
    """
    cap = body.cap_usd
    budget = await audited.write(
        Act.BUDGET_SET,
        named,
        lambda db: db.budgets.set(scope, named, period, cap),
        scope=scope,
        period=period,
        cap_usd=str(cap),
    )
    await launch.fund(audited.caller.tenant_id)
    return BudgetBody.of(budget)


@router.delete(
    "/budgets/{scope}/{subject}/{period}", status_code=204, responses=responses(BudgetNotFound)
)
async def clear_budget(
    scope: CappedScope, period: Period, named: Named, audited: Audited, launch: Launching
) -> None:
    """Take a cap away. Runs that waited for its money go on at once."""
    await audited.write(
        Act.BUDGET_CLEARED,
        named,
        lambda db: db.budgets.clear(named, period),
        scope=scope,
        period=period,
    )
    await launch.fund(audited.caller.tenant_id)


@router.post(
    "/executions/{execution_id}/budget",
    responses=responses(ExecutionNotFound, BudgetNotRaised, RunFinished, TemporalUnavailable),
)
async def raise_budget(
    run: OwnRun,
    body: RaiseBody,
    audited: Audited,
    mine: Mine,
    temporal: Temporal,
    launch: Launching,
) -> BudgetBody:
    """Let a run spend more. Waiting for that, it goes on at once, and so do runs that it has started.

    This raises the cap that the run took from `limits.budget_usd` of its agent. Caps of the agent, the
    person and the workspace stay as they are.
    """
    cap = body.budget_usd
    await mine.read(lambda db: db.control.refuse_raise(run.id, cap))
    more = Raise(
        execution_id=run.id,
        tenant_id=run.tenant_id,
        cap_usd=cap,
        by=audited.caller.user_id,
        request_id=new_id("br"),
    )
    try:
        await update(temporal, run.tenant_id, run.id, RAISE_BUDGET, more, more.request_id)
    except NotTaken as refused:
        # Another caller was faster, or the run has ended since: the same look says which.
        await mine.read(lambda db: db.control.refuse_raise(run.id, cap))
        raise BudgetNotRaised(f"The run did not take the raise. {refused}") from refused
    await audited.note(Act.BUDGET_RAISED, run.id, cap_usd=str(cap))
    await launch.fund(mine.tenant_id)
    budget = await mine.read(lambda db: db.budgets.of_run(run.id))
    if budget is None:
        raise BudgetNotRaised("The run has no cap of its own.")
    return BudgetBody.of(budget)


@router.get("/costs")
async def list_costs(
    mine: Mine,
    by: Annotated[CostBy, Query(description="What to add up by.")] = CostBy.AGENT,
    since: Annotated[date | None, Query(description="First day, UTC.")] = None,
    until: Annotated[date | None, Query(description="Last day, UTC.")] = None,
) -> CostList:
    """What model calls have cost, added up from the calls themselves."""
    costs = await mine.read(lambda db: db.budgets.costs(by, since, until))
    return CostList(costs=[CostBody.of(cost) for cost in costs])
