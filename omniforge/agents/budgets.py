"""Caps on money: whose they are, for how long they count, and whether a call still fits under one."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date, timedelta
from decimal import ROUND_CEILING, Decimal
from enum import StrEnum
from typing import Annotated

from pydantic import BaseModel, PlainSerializer

from omniforge.errors import BudgetExceeded, BudgetHeld

Dollars = Annotated[
    Decimal, PlainSerializer(lambda amount: f"{amount:f}", return_type=str, when_used="json")
]
"""An amount, exact: in JSON a string of digits."""

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


class BudgetMode(StrEnum):
    """Whether whoever starts a run can be asked when its money is short."""

    ASK = "ask"
    """A person looks on: the run waits and asks."""
    WARN = "warn"
    """A program: it is warned, and the run waits unless it may raise its own cap by itself."""


class BudgetTerms(BaseModel, frozen=True):
    """What a run does when a call does not fit under its own cap.

    Up to `auto_proceed_limit_usd` it raises that cap by itself, once. No other cap ever rises so.
    """

    mode: BudgetMode = BudgetMode.ASK
    auto_proceed_limit_usd: Dollars | None = None


class Shortfall(BaseModel, frozen=True):
    """A call that a cap leaves no room for. `ends_on` is the day on which the cap starts anew."""

    scope: Scope
    subject: str
    period: Period
    cap_usd: Dollars
    left_usd: Dollars
    needs_usd: Dollars
    ends_on: date | None = None

    def sentence(self, run_id: str | None = None) -> str:
        """What is missing, as told to the run of this id."""
        return (
            f"The next model call may cost up to ${self.needs_usd:f}; ${self.left_usd:f} of the"
            f" ${self.cap_usd:f} of {self._owner(run_id)} is left."
        )

    def question(self, run_id: str) -> str:
        """The same for people who can do something about it, and what that is."""
        who = (
            "Whoever may run the agent"
            if self.scope is Scope.RUN
            else "An owner or admin of the workspace"
        )
        return f"{self.sentence(run_id)} {who} can raise it: {self.command()}{self._relief()}"

    def enough(self) -> Decimal:
        """A cap under which the call fits, with some room for those after it; in whole cents."""
        wanted = max(self.cap_usd + self.needs_usd - self.left_usd, self.cap_usd * Decimal("1.2"))
        return (wanted * 100).to_integral_value(ROUND_CEILING) / 100

    def command(self, amount: str = "USD") -> str:
        """What raises this cap to an amount, in a terminal."""
        if self.scope is Scope.RUN:
            return f"omniforge runs raise {self.subject} --budget-usd {amount}"
        whose = "" if self.scope is Scope.TENANT else f" --{self.scope} {self.subject}"
        per = "" if self.period is Period.EVER else f" --per {self.period}"
        return f"omniforge budgets set {amount}{whose}{per}"

    def _owner(self, run_id: str | None) -> str:
        during = "" if self.period is Period.EVER else f" for this {self.period}"
        if self.scope is Scope.RUN and run_id not in {None, self.subject}:
            return f"run {self.subject}, which has this one work for it"
        owners = {Scope.RUN: "this run", Scope.TENANT: "the workspace"}
        return owners.get(self.scope, f"{self.scope} {self.subject}") + during

    def _relief(self) -> str:
        """When it goes on by itself, if a new period leaves room for the call."""
        if self.ends_on is None or self.needs_usd > self.cap_usd:
            return ""
        return f" (by itself it goes on when a new {self.period} begins, {self.ends_on}, 00:00 UTC)"


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

    def may_fit(self, amount: Decimal) -> bool:
        """Whether a call fits, at the latest when those under way have ended and cost nothing."""
        return self.settled + self.overrun + amount <= self.cap

    def refusal(self, amount: Decimal) -> BudgetExceeded:
        """Why a call does not fit; `BudgetHeld` when it would once the calls under way have ended."""
        kind = BudgetHeld if self.may_fit(amount) else BudgetExceeded
        short = self.shortfall(amount)
        return kind(short.sentence(), **short.model_dump(mode="json"))

    def shortfall(self, amount: Decimal) -> Shortfall:
        """What there is and what is wanted, for people and programs."""
        return Shortfall(
            scope=self.scope,
            subject=self.subject,
            period=self.period,
            cap_usd=self.cap,
            left_usd=self.left,
            needs_usd=amount,
            ends_on=self.ends,
        )
