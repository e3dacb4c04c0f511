"""What a schedule's row becomes in Temporal, and that the newest row wins."""

import asyncio
from datetime import UTC, datetime

import pytest
from temporalio.client import ScheduleOverlapPolicy

from api.launch import Launch
from api.triggers.schedules import AgentScheduler
from omniforge.agents.triggers.schedules import Overlap
from tests.support.requirements import requirement
from tests.triggers.scheduling import NEVER, Desk

EXPRESSIONS = [
    "* * * * *",
    "*/5 * * * *",
    "0 8 * * 1-5",
    "0 8 * * mon,wed,fri",
    "0 0 * * 0",
    "0 0 * * 7",
    "0 0 * * fri-sun",
    "15,45 6-18/3 * * *",
    "0 9 1,15 * *",
    "0 9 1,15 * mon",
    "0 9 */2 jan-mar *",
    "0 9 */2 * tue",
    "59 23 31 12 *",
    "0 0 29 2 *",
    "@daily",
    "@monthly",
]


@requirement("FR-9")
@pytest.mark.parametrize("expression", EXPRESSIONS)
async def test_what_temporal_shows_of_a_schedule_is_known_again(
    desk: Desk, expression: str
) -> None:
    schedule = await desk.add(
        cron_expression=expression,
        timezone="America/New_York",
        jitter_s=7,
        starts_at=datetime(2027, 1, 1, 12, 30, 5, 123456, tzinfo=UTC),
        ends_at=datetime(2037, 1, 1, tzinfo=UTC),
    )

    assert await desk.is_in_line(schedule)


@requirement("FR-9")
@pytest.mark.parametrize("overlap", Overlap)
async def test_temporal_starts_each_run_and_leaves_overlap_to_us(
    desk: Desk, overlap: Overlap
) -> None:
    schedule = await desk.add(overlap=overlap)

    described = await desk.described(schedule)

    assert described.schedule.policy.overlap is ScheduleOverlapPolicy.ALLOW_ALL


@requirement("SEC-3")
async def test_what_temporal_holds_of_a_schedule_tells_nothing_of_its_input_or_notes(
    desk: Desk,
) -> None:
    schedule = await desk.add(input_data={"iban": "DE02"}, name="payroll")
    await desk.scheduler.pause(schedule.id, "audit of Ms Smith", desk.caller)

    described = await desk.described(schedule)

    held = described.raw_description.SerializeToString()
    assert not [word for word in (b"DE02", b"payroll", b"Smith") if word in held]


@requirement("FR-9")
async def test_of_changes_made_at_once_by_several_processes_temporal_has_the_last(
    desk: Desk,
) -> None:
    schedule = await desk.add()
    store, client = desk.platform.store, desk.platform.temporal
    processes = [AgentScheduler(store, client, Launch(store, client)) for _ in range(3)]

    await asyncio.gather(
        *(
            processes[number % 3].update_schedule(
                schedule.id, {"cron_expression": f"{number} 3 29 2 *"}, desk.caller
            )
            for number in range(24)
        )
    )
    newest = await desk.get(schedule)

    assert await desk.is_in_line(schedule)
    assert newest.projected == newest.revision == 25


async def test_a_change_that_races_a_removal_leaves_nothing_in_temporal(desk: Desk) -> None:
    schedule = await desk.add()

    await asyncio.gather(
        *(desk.change(schedule, cron_expression=NEVER) for _ in range(5)),
        desk.scheduler.remove_schedule(schedule.id, desk.caller),
        return_exceptions=True,
    )

    assert not await desk.is_there(schedule)
