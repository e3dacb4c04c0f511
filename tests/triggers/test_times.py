"""What the server says of the times of a schedule, against what cron means and what it fires at."""

import asyncio
import random
from datetime import UTC, datetime, timedelta

import pytest
from temporalio.client import (
    ScheduleActionExecutionStartWorkflow,
    ScheduleBackfill,
    ScheduleHandle,
    ScheduleOverlapPolicy,
)
from temporalio.service import RPCError, RPCStatusCode
from temporalio.testing import WorkflowEnvironment

from api.triggers.times import matching_times
from tests.support.cron import an_expression
from tests.triggers.asked import paused, spec, times

NOON = datetime(2027, 3, 1, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


@pytest.mark.parametrize("part", range(5))
async def test_the_server_fires_at_what_vixies_cron_fires_at(
    temporal: WorkflowEnvironment, part: int
) -> None:
    start, end = datetime(2028, 2, 14, tzinfo=UTC), datetime(2028, 3, 6, 23, 59, tzinfo=UTC)
    fires = 0
    for seed in range(part * 30, part * 30 + 30):
        written = an_expression(random.Random(seed))  # noqa: S311 - makes up tests

        answered = await times(temporal.client, spec(written.text), start, end, 50_000)

        assert answered == list(written.times(start, end)), written.text
        fires += len(answered)
    assert fires > 1_000


async def test_more_times_are_told_than_the_server_tells_at_once(
    temporal: WorkflowEnvironment,
) -> None:
    end = NOON + timedelta(hours=40)
    async with paused(temporal.client, spec("* * * * *")) as handle:
        every = await matching_times(temporal.client, handle.id, NOON, end, 10_000)
        first = await matching_times(temporal.client, handle.id, NOON, end, 1_500)

    assert every == [NOON + minute * MINUTE for minute in range(2_401)]
    assert first == every[:1_500]


async def test_jitter_is_in_the_times_and_never_reaches_the_next_one(
    temporal: WorkflowEnvironment,
) -> None:
    jittered = spec("* * * * *", jitter=timedelta(hours=1))
    end = NOON + timedelta(hours=40)

    answered = await times(temporal.client, jittered, NOON, end, 10_000)

    assert [each.replace(second=0, microsecond=0) for each in answered] == [
        NOON + minute * MINUTE for minute in range(2_400)
    ]
    assert len({each.second for each in answered}) > 50


@pytest.mark.parametrize("jitter", [timedelta(), timedelta(seconds=50)])
async def test_a_backfill_starts_what_was_told_for_its_range(
    temporal: WorkflowEnvironment, jitter: timedelta
) -> None:
    end = NOON + 4 * MINUTE
    async with paused(temporal.client, spec("* * * * *", jitter=jitter)) as handle:
        told = await matching_times(temporal.client, handle.id, NOON, end)
        every = ScheduleOverlapPolicy.ALLOW_ALL
        await handle.backfill(ScheduleBackfill(NOON, end, overlap=every))
        started = await _started(handle, len(told))

    assert [due for due, _ in started] == told
    assert [scheduled for _, scheduled in started] == [
        due.replace(second=0, microsecond=0) for due in told
    ]


async def test_a_paused_schedule_tells_its_next_times_and_none_after_its_end(
    temporal: WorkflowEnvironment,
) -> None:
    yearly = spec("0 0 1 1 *")
    yearly.end_at = datetime(2035, 1, 1, tzinfo=UTC)
    async with paused(temporal.client, yearly) as handle:
        told = (await handle.describe()).info.next_action_times

    assert told[-1] == yearly.end_at
    assert {(each.month, each.day, each.hour) for each in told} == {(1, 1, 0)}


async def test_a_schedule_that_is_not_there_has_no_times(temporal: WorkflowEnvironment) -> None:
    with pytest.raises(RPCError) as refused:
        await matching_times(temporal.client, "nobody", NOON, NOON)

    assert refused.value.status is RPCStatusCode.NOT_FOUND


async def _started(handle: ScheduleHandle, count: int) -> list[tuple[datetime, datetime]]:
    """When each was due, and the time that its workflow's id ends with."""
    async with asyncio.timeout(20):
        while len(recent := (await handle.describe()).info.recent_actions) < count:
            await asyncio.sleep(0.05)
    return [
        (each.scheduled_at, datetime.fromisoformat(each.action.workflow_id[-20:]))
        for each in recent
        if isinstance(each.action, ScheduleActionExecutionStartWorkflow)
    ]
