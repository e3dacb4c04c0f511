"""Caps on money: whose they are, for how long they count, and whether a call still fits under one."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date, timedelta
from decimal import ROUND_CEILING, Decimal
from enum import StrEnum

from omniforge.errors import BudgetExceeded, BudgetHeld

NOTHING = Decimal(0)
NANOS = 10**9

# Where "ever" begins: before any call was made.
BEGINNING = date(1970, 1, 1)


def billionths(amount: Decimal) -> Decimal:
    """An amount as it is kept: whole billionths, rounded up."""
    return (amount * NANOS).to_integral_value(ROUND_CEILING) / NANOS


class Scope(StrEnum):
    """Whose calls a cap is for. That of a run is its agent's `limits.budget_usd`."""

    TENANT = "tenant"
    USER = "user"
    AGENT = "agent"
    RUN = "run"


class Period(StrEnum):
    """How long a cap counts before it starts at nothing again. Days and months are those of UTC."""

    EVER = "ever"
    MONTH = "month"
    DAY = "day"

    def start(self, day: date) -> date:
        """The first day of the period that a day is in."""
        match self:
            case Period.EVER:
                return BEGINNING
            case Period.MONTH:
                return day.replace(day=1)
            case Period.DAY:
                return day

    def end(self, day: date) -> date | None:
        """The first day after the period that a day is in; None when it never ends."""
        match self:
            case Period.EVER:
                return None
            case Period.MONTH:
                return (day.replace(day=1) + timedelta(days=31)).replace(day=1)
            case Period.DAY:
                return day + timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Payer:
    """Whose caps the calls of a stream have to fit under, beside the stream's own."""

    tenant_id: str
    user_id: str
    agent_id: str


@dataclass(frozen=True, slots=True)
class Closed:
    """A reservation that was given back, and what its call came to."""

    day: date
    amount: Decimal
    cost: Decimal


@dataclass(frozen=True, slots=True)
class Movement:
    """How the money of one level changes in one commit."""

    reserve: Decimal = NOTHING
    release: Decimal = NOTHING
    settle: Decimal = NOTHING
    overrun: Decimal = NOTHING

    @classmethod
    def of(cls, reserve: Decimal, closed: Iterable[Closed]) -> "Movement":
        """What a provider bills beyond a reservation was never checked, so it is kept apart."""
        release = settle = overrun = NOTHING
        for each in closed:
            release += each.amount
            settle += min(each.cost, each.amount)
            overrun += max(each.cost - each.amount, NOTHING)
        return cls(reserve, release, settle, overrun)


STILL = Movement()
"""No money moves."""


@dataclass(frozen=True, slots=True)
class Budget:
    """A cap, and what has been taken of it in the period that began on the day `starts`.

    `settled + reserved` never exceeds the cap, unless the cap was lowered since. `overrun` is what
    providers billed beyond their calls' worst cases: it can no longer be refused, but takes up room.
    """

    scope: Scope
    subject: str
    period: Period
    cap: Decimal
    starts: date = BEGINNING
    reserved: Decimal = NOTHING
    settled: Decimal = NOTHING
    overrun: Decimal = NOTHING

    @property
    def left(self) -> Decimal:
        return max(self.cap - self.settled - self.overrun - self.reserved, NOTHING)

    @property
    def ends(self) -> date | None:
        return self.period.end(self.starts)

    def on(self, day: date) -> "Budget":
        """This budget on a day: a new period begins with nothing taken."""
        starts = self.period.start(day)
        if starts <= self.starts:
            return self
        return replace(self, starts=starts, reserved=NOTHING, settled=NOTHING, overrun=NOTHING)

    def after(self, reserve: Decimal, closed: Iterable[Closed]) -> "Budget":
        """After calls began and ended. Those of a period before this one no longer matter here."""
        ours = [each for each in closed if self.period.start(each.day) == self.starts]
        moved = Movement.of(reserve, ours)
        return replace(
            self,
            reserved=self.reserved + moved.reserve - moved.release,
            settled=self.settled + moved.settle,
            overrun=self.overrun + moved.overrun,
        )

    def fits(self, amount: Decimal) -> bool:
        return self.settled + self.overrun + self.reserved + amount <= self.cap

    def refusal(self, amount: Decimal) -> BudgetExceeded:
        """Why a call does not fit; `BudgetHeld` when it would once the calls under way have ended."""
        only_held = self.settled + self.overrun + amount <= self.cap
        kind = BudgetHeld if only_held else BudgetExceeded
        return kind(
            f"The next model call may cost up to ${amount:f}; ${self.left:f} of"
            f" {self._named()} is left. {self._advice()}",
            scope=self.scope,
            subject=self.subject,
            period=self.period,
            cap_usd=f"{self.cap:f}",
            left_usd=f"{self.left:f}",
        )

    def _named(self) -> str:
        owners = {Scope.RUN: "this run", Scope.TENANT: "the workspace"}
        owner = owners.get(self.scope, f"{self.scope} {self.subject}")
        during = "" if self.period is Period.EVER else f" for this {self.period}"
        return f"the ${self.cap:f} of {owner}{during}"

    def _advice(self) -> str:
        if self.scope is Scope.RUN:
            return "Raise `limits.budget_usd` of the agent, or choose a cheaper model."
        fresh = f" A new {self.period} begins on {self.ends}, 00:00 UTC." if self.ends else ""
        return f"Raise it with `omniforge budgets set`, or choose a cheaper model.{fresh}"
