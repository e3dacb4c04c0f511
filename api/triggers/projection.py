"""A schedule's row as a Temporal Schedule: what it looks like there, and how it gets there."""

import asyncio
import contextlib
import hashlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import TypeVar

from temporalio.client import (
    Client,
    ScheduleActionStartWorkflow,
    ScheduleAlreadyRunningError,
    ScheduleBackfill,
    ScheduleCalendarSpec,
    ScheduleHandle,
    ScheduleOverlapPolicy,
    SchedulePolicy,
    ScheduleRange,
    ScheduleSpec,
    ScheduleState,
    ScheduleUpdate,
)
from temporalio.client import Schedule as TemporalSchedule
from temporalio.common import Priority
from temporalio.service import RPCError, RPCStatusCode

from activities.payloads import AgentRun
from api.triggers.clocks import asked_in, never
from omniforge import clock
from omniforge.agents.runs import RunPriority, RunTrigger
from omniforge.agents.triggers.cron import parse_cron
from omniforge.agents.triggers.schedules import Schedule, ScheduleConfig
from omniforge.errors import ScheduleInvalid, TemporalUnavailable
from omniforge.store.schedules import Desired
from omniforge.store.store import Store
from workflows.agent_run import AgentRunWorkflow
from workflows.attributes import run_attributes, run_workflow_id
from workflows.wire import RUNS_QUEUE

T = TypeVar("T")
R = TypeVar("R")

# The SDK retries by itself for longer than a caller waits.
CALL_TIMEOUT = 10.0
AT_ONCE = 16

_NOTE = "Kept by OmniForge, which undoes what is changed here."

Calendar = tuple[frozenset[int], ...]
"""Minutes, hours, days of month, months and days of week, all of which a time has to match."""


def temporal_schedule(desired: Desired) -> TemporalSchedule:
    """What Temporal is to have. It starts a run at each time; whether runs overlap, `begin` decides."""
    wish = desired.schedule
    job = AgentRun(
        execution_id="",
        tenant_id=wish.tenant_id,
        agent_id=wish.agent_id,
        trigger_type=RunTrigger.SCHEDULED,
        triggered_by=wish.created_by,
        trigger_id=wish.id,
    )
    return TemporalSchedule(
        action=ScheduleActionStartWorkflow(
            AgentRunWorkflow.run,
            job,
            id=temporal_id(wish),
            task_queue=RUNS_QUEUE,
            typed_search_attributes=run_attributes(wish.tenant_id, wish.agent_id),
            static_summary=desired.agent_name,
            priority=Priority(RunPriority.NORMAL.rank, wish.tenant_id, desired.weight),
        ),
        spec=temporal_spec(wish),
        policy=SchedulePolicy(
            overlap=ScheduleOverlapPolicy.ALLOW_ALL,
            catchup_window=timedelta(seconds=wish.catchup_window_s),
        ),
        state=ScheduleState(note=_note(desired, job), paused=desired.is_paused),
    )


def temporal_id(wish: Schedule) -> str:
    """The id of its schedule, and of the workflows that start, up to the time that Temporal appends."""
    return run_workflow_id(wish.tenant_id, wish.id)


def temporal_spec(wish: ScheduleConfig) -> ScheduleSpec:
    cron = parse_cron(wish.cron_expression)
    return ScheduleSpec(
        cron_expressions=list(cron.expressions),
        skip=never(cron),
        time_zone_name=asked_in(cron, wish.timezone),
        jitter=timedelta(seconds=wish.jitter_s) if wish.jitter_s else None,
        start_at=wish.starts_at,
        end_at=wish.ends_at,
    )


def is_as_desired(desired: Desired, spec: ScheduleSpec, note: str | None, paused: bool) -> bool:
    """Whether a schedule in Temporal, as a listing or a description shows it, is the one we want.

    The server tells calendars in the place of cron expressions, and of the action nothing: for that, the
    note has a digest.
    """
    wish = desired.schedule
    shown = (spec.time_zone_name, spec.jitter, spec.start_at, spec.end_at)
    wanted = temporal_spec(wish)
    return (
        paused == desired.is_paused
        and note == temporal_schedule(desired).state.note
        and shown == (wanted.time_zone_name, wanted.jitter, wanted.start_at, wanted.end_at)
        and not spec.intervals
        and [*map(_calendar, spec.skip)] == [*map(_calendar, wanted.skip)]
        and {_calendar(each) for each in spec.calendars} == _calendars(wish.cron_expression)
    )


class Projector:
    """Brings Temporal in line with rows. Any number of processes may do so for the same row at once."""

    def __init__(self, store: Store, client: Client) -> None:
        self._store, self._client = store, client

    async def project(self, tenant_id: str, schedule_id: str) -> None:
        """Have Temporal's schedule be as the newest row says, whatever it is now.

        Raises:
            TemporalUnavailable: No server took it in time. It is repeated later.
            ScheduleInvalid: Temporal does not take such a schedule.
        """
        mine = self._store.for_tenant(tenant_id)
        # Who writes an older revision over a newer one notices that here, and writes once more.
        while True:
            desired = await mine.read(lambda db: db.schedules.desired(schedule_id))
            if desired is None:
                return await self._delete(run_workflow_id(tenant_id, schedule_id))
            if await self._project(desired):
                return None

    async def _project(self, desired: Desired) -> bool:
        wish = desired.schedule
        mine = self._store.for_tenant(wish.tenant_id)
        if desired.is_wanted:
            await self._put(desired)
        else:
            await self._delete(temporal_id(wish))
        if desired.is_removed:
            return await mine.write(lambda db: db.schedules.forget(wish))
        return await mine.write(lambda db: db.schedules.mark_projected(wish))

    async def _put(self, desired: Desired) -> None:
        wish = desired.schedule
        handle = self._client.get_schedule_handle(temporal_id(wish))
        if wish.projected and await self._updated(handle, desired):
            return
        try:
            async with answering():
                await self._client.create_schedule(
                    handle.id,
                    temporal_schedule(desired),
                    search_attributes=run_attributes(wish.tenant_id, wish.agent_id),
                    backfill=await self._missed(desired),
                )
        except ScheduleAlreadyRunningError:
            await self._updated(handle, desired)

    async def _updated(self, handle: ScheduleHandle, desired: Desired) -> bool:
        wanted = temporal_schedule(desired)
        try:
            async with answering():
                await handle.update(lambda _: ScheduleUpdate(wanted))
        except RPCError:
            return False
        return True

    async def _missed(self, desired: Desired) -> list[ScheduleBackfill]:
        """The times for which a schedule that Temporal does not have came too late.

        It has lost it, or was not there when it was to be told. A run that was started for one of them
        has its id, so none is started twice.
        """
        wish, now = desired.schedule, clock.now()
        last = await self._store.for_tenant(wish.tenant_id).read(
            lambda db: db.schedules.last_due(wish.id)
        )
        within = now - timedelta(seconds=wish.catchup_window_s)
        after_last = last + timedelta(seconds=1) if last else within
        since = max(after_last, within, wish.updated_at)
        if desired.is_paused or _minute(since) == _minute(now):
            return []
        return [ScheduleBackfill(since, now, overlap=ScheduleOverlapPolicy.ALLOW_ALL)]

    async def _delete(self, temporal_id: str) -> None:
        with contextlib.suppress(RPCError):
            async with answering():
                await self._client.get_schedule_handle(temporal_id).delete()


async def a_few_at_a_time(ones: Iterable[T], work: Callable[[T], Awaitable[R]]) -> list[R]:
    """The results of work on each, in their order. The first failure ends what is under way."""
    few = asyncio.Semaphore(AT_ONCE)

    async def one_of_them(one: T) -> R:
        async with few:
            return await work(one)

    tasks = [asyncio.ensure_future(one_of_them(one)) for one in ones]
    try:
        return await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()


@contextlib.asynccontextmanager
async def answering() -> AsyncIterator[None]:
    """Calls to Temporal about schedules, bounded in time. Of its errors only "not found" is let through.

    Raises:
        TemporalUnavailable: It did not answer.
        ScheduleInvalid: It refuses the schedule.
    """
    try:
        async with asyncio.timeout(CALL_TIMEOUT):
            yield
    except (RPCError, RuntimeError, TimeoutError) as error:
        status = error.status if isinstance(error, RPCError) else None
        if status is RPCStatusCode.NOT_FOUND:
            raise
        if status is RPCStatusCode.INVALID_ARGUMENT:
            raise ScheduleInvalid(f"Temporal does not take such a schedule: {error}") from error
        raise TemporalUnavailable(
            "The Temporal server, which keeps the times of schedules, does not answer. Try again shortly."
        ) from error


def _minute(time: datetime) -> datetime:
    return time.astimezone(UTC).replace(second=0, microsecond=0)


def _note(desired: Desired, job: AgentRun) -> str:
    wish = desired.schedule
    parts = [
        job.model_dump_json(),
        desired.agent_name,
        desired.weight,
        wish.catchup_window_s,
    ]
    digest = hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:16]
    return f"{_NOTE} {digest}"


def _calendar(shown: ScheduleCalendarSpec) -> Calendar:
    return tuple(
        frozenset(number for each in ranges for number in _numbers(each))
        for ranges in (
            shown.minute,
            shown.hour,
            shown.day_of_month,
            shown.month,
            shown.day_of_week,
        )
    )


def _numbers(shown: ScheduleRange) -> range:
    return range(shown.start, max(shown.end, shown.start) + 1, shown.step or 1)


@lru_cache(maxsize=1_000)
def _calendars(cron_expression: str) -> frozenset[Calendar]:
    cron = parse_cron(cron_expression)
    if not cron.either_day:
        return frozenset({(cron.minutes, cron.hours, cron.days, cron.months, cron.weekdays)})
    any_day, any_weekday = frozenset(range(1, 32)), frozenset(range(7))
    return frozenset(
        {
            (cron.minutes, cron.hours, cron.days, cron.months, any_weekday),
            (cron.minutes, cron.hours, any_day, cron.months, cron.weekdays),
        }
    )
