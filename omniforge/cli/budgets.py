"""`omniforge budgets`."""

from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, cast

import typer

from omniforge.cli.exits import ExitCode
from omniforge.cli.session import Session, on_platform

if TYPE_CHECKING:
    from decimal import Decimal

    from omniforge.agents.budgets import BudgetTerms, Scope, Shortfall
    from omniforge.client.models import Budget
    from omniforge.journal.events import EventBody

app = typer.Typer(
    no_args_is_help=True, help="Caps on what model calls may cost, and what they cost."
)


class Per(StrEnum):
    EVER = "ever"
    MONTH = "month"
    DAY = "day"


class By(StrEnum):
    AGENT = "agent"
    USER = "user"
    DAY = "day"
    TENANT = "tenant"


_COLUMNS = ("SCOPE", "OF", "PER", "CAP USD", "RESERVED", "SETTLED", "LEFT", "UNTIL")

AgentName = Annotated[
    str | None, typer.Option(metavar="AGENT", help="Of one agent, by id or name.")
]
UserId = Annotated[
    str | None, typer.Option(metavar="USER", help="Of the runs one person starts; `me` is you.")
]
PerOption = Annotated[Per, typer.Option(help="A day or month of UTC, or without end.")]
AutoProceed = Annotated[
    str | None,
    typer.Option(
        metavar="USD",
        help="Do not ask when its budget is used up: it goes on by itself, up to this in all.",
    ),
]
Day = Annotated[datetime | None, typer.Option(formats=["%Y-%m-%d"], metavar="DAY")]


@app.command("list")
@on_platform
async def list_budgets(session: Session) -> None:
    """Every cap, and what is left of it."""
    page = await session.client.budgets.list()
    if session.out.as_json:
        session.out.document({"budgets": page.items})
        return
    session.out.table(
        _COLUMNS,
        [_row(budget) for budget in page],
    )
    if not page:
        session.out.note("No caps. Set one: omniforge budgets set 10 --per day")


@app.command("set")
@on_platform
async def set_budget(
    session: Session,
    amount: Annotated[str, typer.Argument(metavar="USD", help="The most it may cost, like 2.50.")],
    agent: AgentName = None,
    user: UserId = None,
    per: PerOption = Per.EVER,
) -> None:
    """Cap an agent, a person, or without either the whole workspace. Holds from the next call on."""
    from omniforge.agents.budgets import Period

    scope, subject = await _whose(session, agent, user)
    cap = dollars(amount)
    budget = await session.client.budgets.set(cap, scope, subject, Period(per))
    if session.out.as_json:
        session.out.document(budget)
        return
    session.out.table(_COLUMNS, [_row(budget)])


@app.command()
@on_platform
async def clear(
    session: Session, agent: AgentName = None, user: UserId = None, per: PerOption = Per.EVER
) -> None:
    """Take a cap away."""
    from omniforge.agents.budgets import Period

    scope, subject = await _whose(session, agent, user)
    await session.client.budgets.clear(scope, subject, Period(per))
    session.out.note("Cleared.")


@app.command()
@on_platform
async def costs(
    session: Session,
    by: Annotated[By, typer.Option(help="What to add up by.")] = By.AGENT,
    since: Day = None,
    until: Day = None,
) -> None:
    """What model calls have cost. Days are those of UTC, inclusive."""
    days = [None if each is None else each.date() for each in (since, until)]
    page = await session.client.budgets.costs(by, *days)
    if session.out.as_json:
        session.out.document({"costs": page.items})
        return
    session.out.table(
        (by.upper(), "CALLS", "COST USD", "RESERVED"),
        [(one.key, one.calls, f"{one.cost_usd:f}", f"{one.reserved_usd:f}") for one in page],
    )
    if not page:
        session.out.note("No call that can cost money was made.")


async def _whose(session: Session, agent: str | None, user: str | None) -> "tuple[Scope, str]":
    from omniforge.agents.budgets import Scope

    if agent is not None and user is not None:
        raise typer.BadParameter("give --agent or --user, not both")
    if agent is not None:
        return Scope.AGENT, (await session.client.agents.find(agent)).id
    return (Scope.TENANT, "me") if user is None else (Scope.USER, user)


class Purse:
    """What is done when a run that is being watched is short of money: a person is asked for more.

    Where nobody can be asked, the command ends and says how to go on, unless it `waits`.
    """

    def __init__(self, session: Session, run_id: str, *, waits: bool) -> None:
        self._session, self._run_id, self._waits = session, run_id, waits
        self._raised: dict[str, Decimal] = {}

    async def mind(self, told: "EventBody") -> None:
        """
        Raises:
            Exit: Nobody can be asked. The run waits.
        """
        short = self._shortage(told)
        if short is None or short.cap_usd < self._raised.get(short.subject, 0):
            return
        if self._session.out.can_ask:
            await self._ask(short)
        elif not self._waits:
            message = f"The run {self._run_id} waits. {short.sentence(self._run_id)}"
            how = f"Raise it: {short.command()}\nThen: omniforge runs watch {self._run_id}"
            self._session.out.error("short_of_money", message, how)
            raise typer.Exit(ExitCode.SHORT_OF_MONEY)

    def _shortage(self, told: "EventBody") -> "Shortfall | None":
        """Why the run waits, or one that it has started. What it could help itself is none."""
        from omniforge.journal.events import BudgetWarning, SkillWaiting

        if isinstance(told, SkillWaiting):
            return next((wait.short for wait in told.waits if wait.short is not None), None)
        if isinstance(told, BudgetWarning) and told.run_id != self._run_id:
            return told.short
        return None

    async def _ask(self, short: "Shortfall") -> None:
        from omniforge.agents.budgets import Scope
        from omniforge.errors import OmniForgeError

        out = self._session.out
        if short.scope is not Scope.RUN:
            out.note(f"It goes on as soon as that is raised: {short.command()}")
            return
        out.note(short.sentence(self._run_id))
        amount = _asked(f"{short.enough():f}")
        try:
            budget = await self._session.client.runs.raise_budget(short.subject, amount)
        except OmniForgeError as error:
            out.note(error.message)
        else:
            self._raised[short.subject] = budget.cap_usd


def _asked(proposal: str) -> "Decimal":
    try:
        answer = typer.prompt("Raise the run's budget to", proposal, value_proc=dollars, err=True)
    except typer.Abort:
        raise KeyboardInterrupt from None
    return cast("Decimal", answer)


def budget_terms(auto_proceed: str | None) -> "BudgetTerms":
    """What `omniforge run` tells the platform of the money that a run may take by itself."""
    from omniforge.agents.budgets import BudgetMode, BudgetTerms

    if auto_proceed is None:
        return BudgetTerms()
    limit = dollars(auto_proceed)
    return BudgetTerms(mode=BudgetMode.WARN, auto_proceed_limit_usd=limit)


def dollars(amount: str) -> "Decimal":
    from decimal import Decimal, InvalidOperation

    try:
        return Decimal(amount)
    except InvalidOperation:
        raise typer.BadParameter(f"{amount!r} is not an amount like 2.50") from None


def _row(budget: "Budget") -> tuple[object, ...]:
    amounts = (budget.cap_usd, budget.reserved_usd, budget.settled_usd, budget.left_usd)
    until = budget.ends_on or "-"
    return budget.scope, budget.subject, budget.period, *(f"{each:f}" for each in amounts), until
