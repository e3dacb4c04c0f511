"""Caps on money and what was spent, over HTTP."""

from datetime import date
from decimal import Decimal

from pydantic import BaseModel, Field

from omniforge.agents.budgets import BEGINNING, Budget
from omniforge.client import models
from omniforge.store.budgets import Cost


class CapBody(BaseModel, extra="forbid"):
    """A cap in dollars. 0 stops every call that can cost money."""

    cap_usd: Decimal = Field(ge=0, le=100_000_000, decimal_places=9)


class BudgetBody(models.Budget):
    """A cap and what has been taken of it in its period."""

    @classmethod
    def of(cls, budget: Budget) -> "BudgetBody":
        return cls(
            scope=budget.scope,
            subject=budget.subject,
            period=budget.period,
            cap_usd=budget.cap,
            reserved_usd=budget.reserved,
            settled_usd=budget.settled,
            overrun_usd=budget.overrun,
            left_usd=budget.left,
            starts_on=_unless_ever(budget.starts),
            ends_on=budget.ends,
        )


class BudgetList(BaseModel):
    budgets: list[BudgetBody]


class CostBody(models.Cost):
    """What model calls came to, added up by `key`: an agent, a person, a day or the tenant."""

    @classmethod
    def of(cls, cost: Cost) -> "CostBody":
        return cls(key=cost.key, calls=cost.calls, cost_usd=cost.cost, reserved_usd=cost.reserved)


class CostList(BaseModel):
    costs: list[CostBody]


def _unless_ever(starts: date) -> date | None:
    return None if starts == BEGINNING else starts
