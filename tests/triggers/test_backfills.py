"""Times of a schedule that have passed, run now."""

import asyncio
from datetime import UTC, datetime
from itertools import pairwise

import pytest

from api.launch import Launch
from api.reconciler import Reconciler
from api.triggers import schedules
from api.triggers.starts import accept_backfill
from omniforge import clock
from omniforge.agents.runs import RunPriority, RunStatus
from omniforge.agents.triggers.schedules import Overlap
from omniforge.errors import BackfillTooLarge, ScheduleInvalid
from tests.support.platform import PATIENCE
from tests.support.requirements import requirement
from tests.triggers.scheduling import AT_ONCE, MINUTE, Desk, Gate

EACH_MINUTE = "* * * * *"
HOURS = [datetime(2026, 3, 1, hour, tzinfo=UTC) for hour in range(5)]


@requirement("FR-9")
async def test_a_preview_of_a_backfill_starts_nothing(desk: Desk) -> None:
    schedule = await desk.add(cron_expression="@hourly", jitter_s=600)

    found = await desk.scheduler.backfill(
        schedule.id, HOURS[0], HOURS[-1], desk.caller, preview=True
    )

    assert list(found.times) == HOURS
    assert (found.runs, await desk.fires(schedule)) == ((), [])


@requirement("FR-9")
@pytest.mark.parametrize("overlap", [Overlap.SKIP, Overlap.BUFFER_ONE])
async def test_backfilled_runs_go_one_after_another_and_none_twice(
    desk: Desk, overlap: Overlap
) -> None:
    schedule = await desk.add(cron_expression="@hourly", overlap=overlap)

    some = await desk.scheduler.backfill(schedule.id, HOURS[1], HOURS[2], desk.caller)
    rest = await desk.scheduler.backfill(schedule.id, HOURS[0], HOURS[-1], desk.caller)
    ids = [run.id for done in (some, rest) for run in done.runs]
    ended = [await desk.platform.ended(run_id) for run_id in ids]
    runs = sorted([await desk.run(run_id) for run_id in ids], key=lambda run: run.started_at or 0)

    assert [run.scheduled_at for run in some.runs] == HOURS[1:3]
    assert [run.scheduled_at for run in rest.runs] == [HOURS[0], *HOURS[3:]]
    assert {one["status"] for one in ended} == {"completed"}
    assert {run.priority for run in runs} == {RunPriority.BULK}
    for earlier, later in pairwise(runs):
        assert earlier.completed_at is not None
        assert later.started_at is not None
        assert earlier.completed_at <= later.started_at


@requirement("FR-9")
async def test_where_runs_may_overlap_a_backfill_starts_all_at_once(desk: Desk) -> None:
    gate = Gate(desk.platform)
    schedule = await desk.add(cron_expression="@hourly", overlap=Overlap.ALLOW)

    done = await desk.scheduler.backfill(schedule.id, HOURS[0], HOURS[-1], desk.caller)
    for run in done.runs:
        await desk.platform.until(run.id, {"running"})
    gate.open()

    assert len(done.runs) == len(HOURS)
    for run in done.runs:
        await desk.platform.ended(run.id)


@requirement("FR-9", "DUR-1")
async def test_a_backfill_of_which_nothing_was_started_is_finished_by_the_reconciler(
    desk: Desk,
) -> None:
    schedule = await desk.add(cron_expression="@hourly")
    store, client = desk.platform.store, desk.platform.temporal
    reconciler = Reconciler(store, client, Launch(store, client))
    accepted = await desk.platform.mine.write(
        lambda db: accept_backfill(db, schedule.id, desk.caller, HOURS[:3])
    )

    async with asyncio.timeout(PATIENCE):
        while not all([(await desk.run(run.id)).status.is_final for run in accepted.runs]):
            await reconciler.reconcile(AT_ONCE)

    assert {(await desk.run(run.id)).status for run in accepted.runs} == {RunStatus.COMPLETED}


@requirement("FR-9")
async def test_a_backfill_has_a_limit_and_lies_in_the_past(desk: Desk) -> None:
    schedule = await desk.add(cron_expression=EACH_MINUTE)
    start, now = HOURS[0], clock.now()

    with pytest.raises(BackfillTooLarge, match="more than 1,000"):
        await desk.scheduler.backfill(schedule.id, start, now, desk.caller, preview=True)
    with pytest.raises(ScheduleInvalid, match="future"):
        await desk.scheduler.backfill(schedule.id, start, now + MINUTE, desk.caller)
    with pytest.raises(ScheduleInvalid, match="before end"):
        await desk.scheduler.backfill(schedule.id, start, start, desk.caller)
    most = await desk.scheduler.backfill(
        schedule.id, start, start + 999 * MINUTE, desk.caller, preview=True
    )

    assert len(most.times) == schedules.MAX_BACKFILL
    assert await desk.fires(schedule) == []
