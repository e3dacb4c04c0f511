"""Caps on money and what was spent, over HTTP."""

from datetime import date
from decimal import Decimal
from typing import Self

from pydantic import AliasChoices, BaseModel, Field, field_validator, model_validator

from omniforge.agents.budgets import BEGINNING, Budget, BudgetMode, BudgetTerms
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


class Spending(BaseModel, extra="forbid"):
    """What becomes of a run whose next model call does not fit under a cap.

    It waits until someone raises the cap. With `budget_mode` `ask` (or `cli`) whoever watches it is
    asked; with `warn` (or `mcp`) a program is told by an event `budget_warning`. Then, with
    `auto_proceed`, the run may raise its own cap by itself: once, to `auto_proceed_limit_usd`.
    """

    budget_mode: BudgetMode = Field(
        default=BudgetMode.ASK, validation_alias=AliasChoices("budget_mode", "mode")
    )
    auto_proceed: bool = False
    auto_proceed_limit_usd: Decimal | None = Field(default=None, gt=0, le=100_000, decimal_places=9)

    @field_validator("budget_mode", mode="before")
    @classmethod
    def _known_names(cls, name: object) -> object:
        return (
            {"cli": BudgetMode.ASK, "mcp": BudgetMode.WARN}.get(name, name)
            if isinstance(name, str)
            else name
        )

    @model_validator(mode="after")
    def _is_of_one_mind(self) -> Self:
        if self.auto_proceed != (self.auto_proceed_limit_usd is not None):
            raise ValueError("auto_proceed and auto_proceed_limit_usd go together")
        if self.auto_proceed and self.budget_mode is BudgetMode.ASK:
            raise ValueError("auto_proceed is for budget_mode 'warn': a person is asked instead")
        return self

    @property
    def budget_terms(self) -> BudgetTerms:
        limit = self.auto_proceed_limit_usd
        return BudgetTerms(mode=self.budget_mode, auto_proceed_limit_usd=limit)


class RaiseBody(BaseModel, extra="forbid"):
    """What a run may spend in all, in dollars; more than it may now."""

    budget_usd: Decimal = Field(ge=0, le=100_000, decimal_places=9)


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
