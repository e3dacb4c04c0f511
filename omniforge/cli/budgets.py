"""`omniforge budgets`."""

from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from omniforge.cli.session import Session, on_platform

if TYPE_CHECKING:
    from decimal import Decimal

    from omniforge.agents.budgets import Scope
    from omniforge.client.models import Budget

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
    cap = _dollars(amount)
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


def _dollars(amount: str) -> "Decimal":
    from decimal import Decimal, InvalidOperation

    try:
        return Decimal(amount)
    except InvalidOperation:
        raise typer.BadParameter(f"{amount!r} is not an amount like 2.50") from None


def _row(budget: "Budget") -> tuple[object, ...]:
    amounts = (budget.cap_usd, budget.reserved_usd, budget.settled_usd, budget.left_usd)
    until = budget.ends_on or "-"
    return budget.scope, budget.subject, budget.period, *(f"{each:f}" for each in amounts), until
