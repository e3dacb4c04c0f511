"""`omniforge agents estimate`."""

from typing import TYPE_CHECKING, Annotated

import typer

from omniforge.cli.agents import AgentName
from omniforge.cli.figures.money import dollars
from omniforge.cli.session import Session, on_platform

if TYPE_CHECKING:
    from omniforge.client.figures import Estimate, Forecast


@on_platform
async def estimate(
    session: Session,
    agent: AgentName,
    runs_per_month: Annotated[
        int | None, typer.Option(min=0, help="Default: as many as in the last thirty days.")
    ] = None,
    items: Annotated[
        int | None, typer.Option(min=0, max=1000, help="How many items each `for_each` has.")
    ] = None,
) -> None:
    """What a run and a month of an agent will cost, also of one that never ran."""
    found = await session.client.agents.find(agent)
    made = await session.client.history.estimate(
        found.id, runs_per_month=runs_per_month, items=items
    )
    if session.out.as_json:
        session.out.document(made)
        return
    _tell(session, made)


def _tell(session: Session, made: "Estimate") -> None:
    session.out.table(
        ("", "AT LEAST", "EXPECTED", "95 IN 100", "AT MOST"),
        [_row("a run", made.run), _row(f"{made.runs_per_month} runs a month", made.month)],
    )
    for name, forecast in (("a run", made.run), ("a month", made.month)):
        if forecast.most_because:
            session.out.note(f"At most, {name}: {forecast.most_because}")
    for sentence in made.assumptions:
        session.out.note(f"- {sentence}")


def _row(name: str, made: "Forecast") -> tuple[object, ...]:
    bars = made.interval
    between = f"{dollars(bars.low_usd)} to {dollars(bars.high_usd)}" if bars else "-"
    figures = (dollars(made.least_usd), dollars(made.expected_usd), between, dollars(made.most_usd))
    return (name, *figures)
