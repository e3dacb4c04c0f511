"""`omniforge schedules`."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from omniforge.cli.agents import AgentName, Cursor, Limit
from omniforge.cli.exits import ExitCode
from omniforge.cli.runs import InputData
from omniforge.cli.session import Session, on_platform
from omniforge.cli.triggers.telling import Overlap, facts_of, fire_row, schedule_row, times, why
from omniforge.cli.triggers.times import NONE, moment, spoken

if TYPE_CHECKING:
    from omniforge.agents.triggers.schedules import Overlap as Policy
    from omniforge.client import Agent
    from omniforge.client.triggering import Backfill, Lateness, Schedule

app = typer.Typer(no_args_is_help=True, help="The times at which agents run by themselves.")


ScheduleId = Annotated[str, typer.Argument(metavar="SCHEDULE", help="Its id.")]
Cron = Annotated[
    str, typer.Argument(metavar="CRON", help="Five fields like '0 8 * * mon-fri', or @daily.")
]
Name = Annotated[str | None, typer.Option(help="What people call it.")]
Zone = Annotated[str | None, typer.Option("--timezone", metavar="ZONE", help="As Europe/Berlin.")]
OverlapOption = Annotated[
    Overlap | None, typer.Option(help="What becomes of a time while an earlier run goes on.")
]
OverlapWaiting = Annotated[
    bool | None,
    typer.Option(help="Whether a run that only waits for people lets the next one begin."),
]
Catchup = Annotated[
    int | None,
    typer.Option("--catchup-window", metavar="SECONDS", help="How late a missed time still runs."),
]
Jitter = Annotated[
    int | None,
    typer.Option("--jitter", metavar="SECONDS", help="Put each time off by a part of this."),
]
Starts = Annotated[
    str | None, typer.Option("--starts", metavar="DATE|none", help="No run before this.")
]
Ends = Annotated[str | None, typer.Option("--ends", metavar="DATE|none", help="No run after this.")]

# Enough to see why a schedule was silent of late.
_RECENT = 20
_SKIPS_SHOWN = 3
_TIMES_SHOWN = 10


@app.command("list")
@on_platform
async def list_schedules(
    session: Session,
    agent: Annotated[str | None, typer.Option(help="Only of this one (id or name).")] = None,
    every: Annotated[bool, typer.Option("--all", help="All of them, page by page.")] = False,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> None:
    """The schedules of the workspace, newest first."""
    client = session.client.schedules
    of_agent = None if agent is None else (await session.client.agents.find(agent)).id
    page = await client.list(agent_id=of_agent, limit=200 if every else limit, cursor=cursor)
    found = list(page)
    while every and page.next_cursor:
        session.out.note(f"{len(found):,} read")
        page = await client.list(agent_id=of_agent, limit=200, cursor=page.next_cursor)
        found += page
    if session.out.as_json:
        session.out.document({"schedules": found, "next_cursor": page.next_cursor})
        return
    session.out.table(
        ("ID", "NAME", "AGENT", "WHEN", "NEXT", "STATE"), [schedule_row(one) for one in found]
    )
    if not found:
        session.out.note("No schedules yet. Add one: omniforge schedules add AGENT '0 8 * * 1'")
    if page.next_cursor:
        session.out.note(f"There are more: --cursor {page.next_cursor}")


@app.command()
@on_platform
async def show(session: Session, schedule: ScheduleId) -> None:
    """One schedule: when it runs, when next, and what was skipped of late."""
    found = await session.client.schedules.get(schedule)
    _tell(session, found)
    if session.out.as_json:
        return
    recent = await session.client.schedules.fires(schedule, limit=_RECENT)
    skipped = [fire for fire in recent if fire.reason is not None][:_SKIPS_SHOWN]
    _tell_unless_active(session, await session.client.agents.get(found.agent_id))
    if (late := found.lateness) is not None:
        session.out.facts([("late by", _late(late))])
    session.out.facts(
        [("skipped", f"{spoken(one.scheduled_at, found.timezone)}: {why(one)}") for one in skipped]
    )


@app.command()
@on_platform
async def add(
    session: Session,
    agent: AgentName,
    cron: Cron,
    timezone: Zone = "UTC",
    name: Name = None,
    overlap: OverlapOption = None,
    overlap_waiting: OverlapWaiting = None,
    catchup_window: Catchup = None,
    jitter: Jitter = None,
    starts: Starts = None,
    ends: Ends = None,
    input_data: InputData = None,
    paused: Annotated[bool, typer.Option("--paused", help="It begins paused.")] = False,
) -> None:
    """Have an agent run at certain times."""
    found = await session.client.agents.find(agent)
    zone = timezone or "UTC"
    wishes = _given(
        name=name,
        overlap=_policy(overlap),
        overlap_waiting=overlap_waiting,
        catchup_window_s=catchup_window,
        jitter_s=jitter,
        input_data=input_data,
        enabled=False if paused else None,
        **_bounds(starts, ends, zone),
    )
    added = await session.client.schedules.add(found.id, cron, zone, **wishes)
    _tell(session, added)
    _tell_unless_active(session, found)


@app.command()
@on_platform
async def change(
    session: Session,
    schedule: ScheduleId,
    cron: Annotated[str | None, typer.Option(metavar="CRON", help="Another expression.")] = None,
    timezone: Zone = None,
    name: Name = None,
    overlap: OverlapOption = None,
    overlap_waiting: OverlapWaiting = None,
    catchup_window: Catchup = None,
    jitter: Jitter = None,
    starts: Starts = None,
    ends: Ends = None,
    input_data: InputData = None,
) -> None:
    """Change what is given, and leave the rest; `none` takes a start or an end away."""
    client = session.client.schedules
    needs_zone = timezone is None and (starts or ends)
    zone = (await client.get(schedule)).timezone if needs_zone else timezone or "UTC"
    wishes = _given(
        cron_expression=cron,
        timezone=timezone,
        name=name,
        overlap=_policy(overlap),
        overlap_waiting=overlap_waiting,
        catchup_window_s=catchup_window,
        jitter_s=jitter,
        input_data=input_data,
    )
    _tell(session, await client.change(schedule, **wishes, **_bounds(starts, ends, zone)))


@app.command()
@on_platform
async def remove(session: Session, schedule: ScheduleId) -> None:
    """Forget a schedule. Its runs stay."""
    await session.client.schedules.remove(schedule)
    session.out.note(f"Removed {schedule}.")


@app.command()
@on_platform
async def pause(
    session: Session,
    schedule: ScheduleId,
    note: Annotated[str, typer.Option(help="Why, for whoever wonders.")] = "",
) -> None:
    """Let a schedule fire no more until it is resumed."""
    _tell(session, await session.client.schedules.pause(schedule, note=note))


@app.command()
@on_platform
async def resume(session: Session, schedule: ScheduleId) -> None:
    """Let a schedule fire again. What was due meanwhile is not caught up."""
    _tell(session, await session.client.schedules.resume(schedule))


@app.command("skip-next")
@on_platform
async def skip_next(session: Session, schedule: ScheduleId) -> None:
    """Leave the next time out."""
    _tell(session, await session.client.schedules.skip_next(schedule))


@app.command()
@on_platform
async def run(
    session: Session,
    schedule: ScheduleId,
    overlap: Annotated[
        bool, typer.Option("--overlap", help="Also while an earlier run of it goes on.")
    ] = False,
) -> None:
    """Start a run of a schedule now, beside its times."""
    started = await session.client.schedules.run(schedule, overlap=overlap)
    if session.out.as_json:
        session.out.document(started)
        return
    typer.echo(started.execution_id)
    session.out.note(f"Watch it: omniforge runs watch {started.execution_id}")


@app.command()
@on_platform
async def backfill(
    session: Session,
    schedule: ScheduleId,
    since: Annotated[str, typer.Option(metavar="DATE", help="The first moment of the range.")],
    until: Annotated[str, typer.Option(metavar="DATE", help="The last one.")],
    yes: Annotated[bool, typer.Option("--yes", help="Start them without asking.")] = False,
    preview: Annotated[bool, typer.Option("--preview", help="Only say what would start.")] = False,
) -> None:
    """Have the times of a range fire now, after showing them. Dates are the schedule's."""
    client = session.client.schedules
    zone = (await client.get(schedule)).timezone
    start, end = moment(since, zone, "--since"), moment(until, zone, "--until")
    plan = await client.backfill(schedule, start, end, preview=True)
    if not session.out.as_json:
        _tell_plan(session, plan, zone)
    if not preview and plan.times and (yes or _agreed(session, plan)):
        plan = await client.backfill(schedule, start, end)
        session.out.note(
            f"Started {len(plan.execution_ids):,}; the others had fired."
            f" Look on: omniforge schedules history {schedule}"
        )
    if session.out.as_json:
        session.out.document(plan)


@app.command()
@on_platform
async def history(
    session: Session, schedule: ScheduleId, limit: Limit = 50, cursor: Cursor = None
) -> None:
    """What became of each time at which a schedule was due, newest first."""
    page = await session.client.schedules.fires(schedule, limit=limit, cursor=cursor)
    if session.out.as_json:
        session.out.document({"fires": page.items, "next_cursor": page.next_cursor})
        return
    session.out.table(
        ("SCHEDULED", "FIRED", "LATE", "KIND", "OUTCOME", "RUN OR REASON"),
        [fire_row(fire) for fire in page],
    )
    if not page:
        session.out.note("It has not fired yet.")
    if page.next_cursor:
        session.out.note(f"There are more: --cursor {page.next_cursor}")


@app.command()
@on_platform
async def preview(session: Session, cron: Cron, timezone: Zone = "UTC") -> None:
    """What an expression means in words, and its next times. Nothing is kept of it."""
    zone = timezone or "UTC"
    seen = await session.client.schedules.preview(cron, zone)
    if session.out.as_json:
        session.out.document(seen)
        return
    session.out.facts([("when", seen.words), *times("next", seen.next_times, zone)])


# ---- from options ------------------------------------------------------------------------------


def _given(**wishes: Any) -> dict[str, Any]:
    return {name: value for name, value in wishes.items() if value is not None}


def _bounds(starts: str | None, ends: str | None, zone: str) -> dict[str, Any]:
    said = {"starts_at": (starts, "--starts"), "ends_at": (ends, "--ends")}
    return {
        name: None if text == NONE else moment(text, zone, option)
        for name, (text, option) in said.items()
        if text is not None
    }


def _policy(overlap: Overlap | None) -> "Policy | None":
    from omniforge.agents.triggers.schedules import Overlap as Policy

    return None if overlap is None else Policy(overlap)


def _agreed(session: Session, plan: "Backfill") -> bool:
    if not session.out.can_ask:
        session.out.note("Nothing was started. Start them with --yes.")
        raise typer.Exit(ExitCode.FAILED)
    try:
        return typer.confirm(f"Start these {len(plan.times):,}?", err=True)
    except typer.Abort:
        raise KeyboardInterrupt from None


def _tell(session: Session, schedule: "Schedule") -> None:
    if session.out.as_json:
        session.out.document(schedule)
    else:
        session.out.facts(list(facts_of(schedule)))


def _tell_unless_active(session: Session, agent: "Agent") -> None:
    if agent.status != "active":
        session.out.note(
            f"The agent is {agent.status}, so nothing runs: omniforge agents activate {agent.id}"
        )


def _late(late: "Lateness") -> str:
    return f"{late.p50_s:.1f} s, 99 of 100 by {late.p99_s:.1f} s, at most {late.max_s:.1f} s"


def _tell_plan(session: Session, plan: "Backfill", zone: str) -> None:
    session.out.facts(
        [("times", f"{len(plan.times):,}"), *times("first", plan.times[:_TIMES_SHOWN], zone)]
    )
    if not plan.times:
        session.out.note("It was not due in that range.")
