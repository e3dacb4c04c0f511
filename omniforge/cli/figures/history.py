"""`omniforge agents history` and `omniforge agents stats`."""

from datetime import date, datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from omniforge.cli.agents import AgentName, Cursor, Limit
from omniforge.cli.figures.money import dollars
from omniforge.cli.session import Session, on_platform

if TYPE_CHECKING:
    from omniforge.client.figures import ExecutionRecord, Statistics, Totals


class Mode(StrEnum):
    LIVE = "live"
    DRY_RUN = "dry_run"
    INTEGRATION = "integration"
    REPLAY = "replay"
    FORK = "fork"


Day = Annotated[datetime | None, typer.Option(formats=["%Y-%m-%d"], metavar="DAY")]

_COLUMNS = (
    "ID",
    "VERSION",
    "STATUS",
    "STARTED",
    "TOOK",
    "TOKENS",
    "COST",
    "WITH CHILDREN",
    "MODELS",
)


@on_platform
async def history(
    session: Session,
    agent: AgentName,
    since: Day = None,
    until: Day = None,
    mode: Annotated[Mode, typer.Option(help="Runs of this mode.")] = Mode.LIVE,
    limit: Limit = 20,
    cursor: Cursor = None,
) -> None:
    """An agent's runs with what they took and cost, and the totals. Days are those of UTC."""
    from omniforge.agents.modes import RunMode

    client = session.client
    found = await client.agents.find(agent)
    known = await client.history.records(
        found.id,
        since=_day(since),
        until=_day(until),
        mode=RunMode(mode),
        limit=limit,
        cursor=cursor,
    )
    if session.out.as_json:
        session.out.document(known)
        return
    session.out.table(_COLUMNS, [_row(record) for record in known.records])
    session.out.note(_summed_up(known.totals))
    if known.next_cursor:
        session.out.note(f"There are more: --cursor {known.next_cursor}")


@on_platform
async def stats(session: Session, agent: AgentName, since: Day = None, until: Day = None) -> None:
    """How an agent's runs went. Tests, replays and forks are left out."""
    found = await session.client.agents.find(agent)
    figures = await session.client.history.statistics(
        found.id, since=_day(since), until=_day(until)
    )
    if session.out.as_json:
        session.out.document(figures)
        return
    session.out.facts(_facts(figures))


def _facts(figures: "Statistics") -> list[tuple[str, object]]:
    rate = figures.success_rate
    return [
        ("runs", figures.runs),
        ("under way", figures.under_way),
        ("successful", figures.successes),
        ("cancelled", figures.cancelled),
        *((f"failed: {code}", count) for code, count in figures.failures.items()),
        ("success rate", "-" if rate is None else f"{rate:.1%}"),
        ("duration", _spread(_took(figures.median_duration_s), _took(figures.p95_duration_s))),
        ("cost", f"{dollars(figures.mean_cost_usd)} mean, {dollars(figures.p95_cost_usd)} p95"),
        ("total cost", dollars(figures.total_cost_usd)),
        ("total tokens", f"{figures.total_tokens:,}"),
        ("last run", f"{figures.last_run:%Y-%m-%d %H:%M} UTC" if figures.last_run else "-"),
    ]


def _spread(median: str, p95: str) -> str:
    return f"{median} median, {p95} p95"


def _summed_up(totals: "Totals") -> str:
    said = f"{totals.runs} runs, {dollars(totals.cost_usd)}, {totals.tokens:,} tokens"
    if totals.including_children.cost_usd != totals.cost_usd:
        said += f"; {dollars(totals.including_children.cost_usd)} with the runs that they started"
    return f"{said}."


def _row(record: "ExecutionRecord") -> tuple[object, ...]:
    begun = f"{record.started_at:%Y-%m-%d %H:%M:%S}" if record.started_at else "-"
    status = f"{record.status} ({record.error_code})" if record.error_code else record.status
    return (
        record.run_id,
        record.agent_version or "-",
        status,
        begun,
        _took(record.duration_s),
        record.tokens,
        dollars(record.cost_usd),
        dollars(record.including_children.cost_usd),
        ", ".join(record.models) or "-",
    )


def _took(seconds: float | None) -> str:
    from omniforge.cli.live import took

    return "-" if seconds is None else took(seconds)


def _day(moment: datetime | None) -> date | None:
    return None if moment is None else moment.date()
