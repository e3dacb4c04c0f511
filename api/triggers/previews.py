"""When a schedule would be due, asked of the Temporal server with a paused one that is gone afterwards."""

import contextlib
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from temporalio.client import (
    Client,
    ScheduleActionStartWorkflow,
    ScheduleHandle,
    ScheduleState,
)
from temporalio.client import Schedule as TemporalSchedule
from temporalio.service import RPCError

from api.triggers.projection import a_few_at_a_time, answering, temporal_id, temporal_spec
from api.triggers.times import matching_times
from omniforge import clock
from omniforge.agents.triggers.cron import parse_cron
from omniforge.agents.triggers.schedules import Schedule, ScheduleConfig
from omniforge.agents.triggers.words import in_words
from omniforge.errors import TemporalUnavailable
from omniforge.identity import new_id
from workflows.attributes import AGENT_RUN
from workflows.wire import RUNS_QUEUE

PREVIEW = "preview"
"""What the ids of paused schedules begin with that are only asked."""

NEXT_TIMES = 5
# A listing is a moment behind; this is far more than that.
LISTED_AFTER = timedelta(seconds=30)

# Jitter never reaches the next time, so the last one before a fire is its own. In ten hours a server
# that tells a thousand times at once tells all there are.
_LOOK_BACK = (timedelta(hours=10), timedelta(hours=25))


@dataclass(frozen=True, slots=True)
class Forecast:
    """A schedule in words, and the next times at which it is due, as the server says."""

    words: str
    next_times: tuple[datetime, ...]


async def forecast(client: Client, wish: ScheduleConfig) -> Forecast:
    """
    Raises:
        TemporalUnavailable: The server does not answer.
        ScheduleInvalid: It does not take such a schedule.
    """
    async with _asked(client, wish) as handle, answering():
        times = (await handle.describe()).info.next_action_times
    return Forecast(words(wish), tuple(times[:NEXT_TIMES]))


async def next_due(
    client: Client, schedules: Sequence[Schedule]
) -> Mapping[str, Sequence[datetime]]:
    """The next times of schedules by their ids; none where Temporal does not have one.

    Of many a listing tells, at a tenth of the cost, but not of those that were just changed.

    Raises:
        TemporalUnavailable: The server does not answer.
    """
    now = clock.now()
    settled = [each for each in schedules if now - each.updated_at > LISTED_AFTER]
    times: dict[str, Sequence[datetime]] = {}
    if len(settled) > 1:
        async with answering():
            times = {
                each: [at for at in found if at > now]
                for each, found in (await _listed_times(client, settled)).items()
            }

    async def described(schedule: Schedule) -> None:
        times[schedule.id] = await _described_times(client, schedule)

    await a_few_at_a_time((one for one in schedules if not times.get(one.id)), described)
    return times


async def _listed_times(
    client: Client, schedules: Sequence[Schedule]
) -> dict[str, Sequence[datetime]]:
    by_id = {temporal_id(each): each.id for each in schedules}
    named = ",".join(f"'{each}'" for each in by_id)
    listing = await client.list_schedules(f"ScheduleId IN ({named})", page_size=len(by_id))
    return {by_id[each.id]: each.info.next_action_times async for each in listing if each.info}


async def _described_times(client: Client, schedule: Schedule) -> Sequence[datetime]:
    try:
        async with answering():
            described = await client.get_schedule_handle(temporal_id(schedule)).describe()
    except RPCError:
        return ()
    return described.info.next_action_times


async def next_scheduled(client: Client, schedule: Schedule) -> datetime | None:
    """The time of the next fire by the cron expression alone.

    Raises:
        TemporalUnavailable: The server does not answer.
    """
    due = next(iter(await _described_times(client, schedule)), None)
    if due is None or not schedule.jitter_s:
        return due
    for back in _LOOK_BACK:
        if before := await times_between(client, schedule, due - back, due):
            return before[-1]
    return None


async def times_between(
    client: Client, wish: ScheduleConfig, start: datetime, end: datetime, limit: int = 1_000
) -> list[datetime]:
    """The first times of a range, both ends included, by the cron expression alone.

    Raises:
        TemporalUnavailable: The server does not answer.
    """
    exact = wish.model_copy(update={"jitter_s": 0})
    async with _asked(client, exact) as handle, answering():
        return await matching_times(client, handle.id, start, end, limit)


def words(wish: ScheduleConfig) -> str:
    return in_words(parse_cron(wish.cron_expression), wish.timezone)


@contextlib.asynccontextmanager
async def _asked(client: Client, wish: ScheduleConfig) -> AsyncIterator[ScheduleHandle]:
    """A schedule of these times that never fires. What a crash leaves of it, the healer removes."""
    preview_id = f"{PREVIEW}/{wish.tenant_id}/{new_id('sc')}"
    never = ScheduleActionStartWorkflow(AGENT_RUN, id=preview_id, task_queue=RUNS_QUEUE)
    paused = TemporalSchedule(
        action=never, spec=temporal_spec(wish), state=ScheduleState(paused=True)
    )
    async with answering():
        handle = await client.create_schedule(preview_id, paused)
    try:
        yield handle
    finally:
        with contextlib.suppress(TemporalUnavailable, RPCError):
            async with answering():
                await handle.delete()
