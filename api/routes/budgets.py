"""Caps on what model calls may cost, and what they have cost."""

from datetime import date
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Path, Query

from api.dependencies import Caller, Mine
from api.errors import responses
from api.schemas.budgets import BudgetBody, BudgetList, CapBody, CostBody, CostList
from omniforge.agents.budgets import Period, Scope
from omniforge.errors import AgentNotFound, BudgetNotFound, MemberNotFound, Unauthenticated
from omniforge.store.budgets import CostBy

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
    scope: CappedScope, period: Period, body: CapBody, named: Named, mine: Mine
) -> BudgetBody:
    """Cap what model calls may cost: of an agent, a person, or the whole workspace.

    It holds from the next call on, also in runs under way, and counts what was spent before.
    """
    cap = body.cap_usd
    return BudgetBody.of(await mine.write(lambda db: db.budgets.set(scope, named, period, cap)))


@router.delete(
    "/budgets/{scope}/{subject}/{period}", status_code=204, responses=responses(BudgetNotFound)
)
async def clear_budget(scope: CappedScope, period: Period, named: Named, mine: Mine) -> None:
    """Take a cap away."""
    await mine.write(lambda db: db.budgets.clear(named, period))


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
