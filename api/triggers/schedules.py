"""Schedules of agents: every change is a row first, and then Temporal's."""

import asyncio
import contextlib
import logging
import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any

from fastapi import Depends, Request
from temporalio.client import Client

from api.launch import Launch
from api.triggers import previews
from api.triggers.previews import Forecast
from api.triggers.projection import Projector, a_few_at_a_time
from api.triggers.starts import Accepted, accept_backfill, accept_now
from api.triggers.wishes import changed, planned, sound
from omniforge import clock
from omniforge.agents.config import AgentStatus
from omniforge.agents.runs import Run
from omniforge.agents.triggers.schedules import Fire, Schedule, ScheduleConfig
from omniforge.errors import (
    AgentArchived,
    BackfillTooLarge,
    ScheduleInvalid,
    TemporalUnavailable,
)
from omniforge.identity import Principal
from omniforge.store.store import Repositories, Store, TenantStore

log = logging.getLogger(__name__)

MAX_BACKFILL = 1_000
# An agent may have thousands of schedules; who switches it waits no longer than this.
TELLING_TIMEOUT = 10.0
# So many fires tell how late a schedule is.
LATELY = 100


@dataclass(frozen=True, slots=True)
class Skip:
    """A schedule with the time that is left out; not new when it was to be left out before."""

    schedule: Schedule
    is_new: bool


@dataclass(frozen=True, slots=True)
class Backfill:
    """The times of a range, and the runs for those of them that had not fired; in a preview, none."""

    times: tuple[datetime, ...]
    runs: tuple[Run, ...] = ()


@dataclass(frozen=True, slots=True)
class Lateness:
    """How long after they were due the last fires came, in seconds."""

    fires: int
    p50_s: float
    p99_s: float
    max_s: float


@dataclass(frozen=True, slots=True)
class Shown:
    """What people want to know of a schedule.

    `next_times` are the server's own; None when it does not answer. Without `is_in_sync`, Temporal has not
    taken the newest change over; that is repeated.
    """

    schedule: Schedule
    words: str
    next_times: tuple[datetime, ...] | None
    is_in_sync: bool


class AgentScheduler:
    """Schedules as people change them.

    A change is on record when a method returns. Where Temporal did not take it over in time, the answer
    says so (`projected` is less than `revision`), and the healer repeats it.
    """

    def __init__(self, store: Store, client: Client, launch: Launch) -> None:
        self._store, self._client, self._launch = store, client, launch
        self._projector = Projector(store, client)

    async def add_schedule(
        self, config: ScheduleConfig, caller: Principal, key: str | None = None
    ) -> Schedule:
        """Have an agent run at these times. Under a key that was used before, it is the one of that time.

        Raises:
            CronInvalid, TimeZoneUnknown, ScheduleInvalid: It cannot be; nothing is on record.
            AgentNotFound, AgentArchived: There is nothing to run.
        """
        schedule = planned(config, caller, key)

        def add(db: Repositories) -> Schedule:
            _refuse_archived(db, config.agent_id)
            return db.schedules.add(schedule)

        mine = self._store.for_tenant(caller.tenant_id)
        added = await mine.write(add)
        try:
            return await self._followed(mine, added)
        except ScheduleInvalid:
            await self.remove_schedule(added.id, caller)
            raise

    async def update_schedule(
        self, schedule_id: str, changes: Mapping[str, Any], caller: Principal
    ) -> Schedule:
        """Change what is named of a `ScheduleConfig`, or the note; agent and tenant stay.

        Raises:
            CronInvalid, TimeZoneUnknown, ScheduleInvalid: It cannot be so; it is as it was.
            ScheduleNotFound, AgentArchived: There is nothing to change.
        """
        mine = self._store.for_tenant(caller.tenant_id)

        def change(db: Repositories) -> tuple[Schedule, Schedule]:
            before = db.schedules.locked(schedule_id)
            _refuse_archived(db, before.agent_id)
            return before, db.schedules.change(changed(before, changes))

        before, after = await mine.write(change)
        try:
            return await self._followed(mine, after)
        except ScheduleInvalid:
            await self._followed(mine, await mine.write(lambda db: db.schedules.change(before)))
            raise

    async def remove_schedule(self, schedule_id: str, caller: Principal) -> None:
        """Let it fire no more. Runs under way go on, and what it did stays in the history.

        Raises:
            ScheduleNotFound: Missing, or another tenant's.
        """
        mine = self._store.for_tenant(caller.tenant_id)
        await mine.write(lambda db: db.schedules.remove(schedule_id))
        await self._tell(caller.tenant_id, [schedule_id])

    async def pause(self, schedule_id: str, note: str, caller: Principal) -> Schedule:
        """Let it not fire until it is resumed; what is due meanwhile is not caught up."""
        return await self.update_schedule(schedule_id, {"enabled": False, "note": note}, caller)

    async def resume(self, schedule_id: str, caller: Principal) -> Schedule:
        return await self.update_schedule(schedule_id, {"enabled": True, "note": ""}, caller)

    async def skip_next(self, schedule_id: str, caller: Principal) -> Skip:
        """Leave the next time out. As long as that has not come, asking again skips nothing more.

        Raises:
            ScheduleInvalid: There is no next time.
            TemporalUnavailable: The server, which knows the next time, does not answer.
        """
        mine = self._store.for_tenant(caller.tenant_id)
        schedule = await mine.read(lambda db: db.schedules.get(schedule_id))
        at = await previews.next_scheduled(self._client, schedule)
        if at is None:
            raise ScheduleInvalid("The schedule has no further time that could be left out.")
        if at == schedule.skip_at:
            return Skip(schedule, is_new=False)

        def skip(db: Repositories) -> Schedule:
            db.schedules.skip(schedule_id, at)
            return db.schedules.get(schedule_id)

        return Skip(await mine.write(skip), is_new=True)

    async def run_now(self, schedule_id: str, caller: Principal, overlap: bool = False) -> Run:
        """Start a run with the schedule's input, beside the times that are planned.

        Raises:
            ScheduleBusy: A run of it has not ended, and they may not overlap.
            AgentNotActive: The agent is a draft, paused or archived.
            TemporalUnavailable: It was not started; try again.
        """
        mine = self._store.for_tenant(caller.tenant_id)
        accepted = await mine.write(lambda db: accept_now(db, schedule_id, caller, overlap))
        (run,) = accepted.runs
        await self._launch.start_accepted(run, accepted.agent_name, accepted.weight)
        return run

    async def backfill(
        self,
        schedule_id: str,
        start: datetime,
        end: datetime,
        caller: Principal,
        preview: bool = False,
    ) -> Backfill:
        """Start a run for each time from `start` to `end`, both included, that has not fired.

        Raises:
            ScheduleInvalid: The range is none, or reaches into the future.
            BackfillTooLarge: It has too many times.
            AgentNotActive: The agent is a draft, paused or archived.
            TemporalUnavailable: The server, which knows the times, does not answer.
        """
        _refuse_range(start, end)
        mine = self._store.for_tenant(caller.tenant_id)
        schedule = await mine.read(lambda db: db.schedules.get(schedule_id))
        times = await previews.times_between(
            self._client, schedule, start, end, limit=MAX_BACKFILL + 1
        )
        if len(times) > MAX_BACKFILL:
            raise BackfillTooLarge(MAX_BACKFILL)
        if preview:
            return Backfill(tuple(times))
        accepted = await mine.write(lambda db: accept_backfill(db, schedule_id, caller, times))
        await self._start_all(accepted)
        return Backfill(tuple(times), accepted.runs)

    async def shown(self, schedules: Sequence[Schedule]) -> list[Shown]:
        """Schedules with what their rows do not tell, in the same order."""
        times: Mapping[str, Sequence[datetime]] | None = None
        with contextlib.suppress(TemporalUnavailable):
            times = await previews.next_due(self._client, schedules)
        return [
            Shown(
                schedule,
                previews.words(schedule),
                None if times is None else _next_times(schedule, times[schedule.id]),
                schedule.projected == schedule.revision,
            )
            for schedule in schedules
        ]

    async def lateness(self, schedule: Schedule) -> Lateness | None:
        """How late its last fires came; None before the first."""
        mine = self._store.for_tenant(schedule.tenant_id)
        lately = await mine.read(lambda db: db.fires.page(schedule.id, LATELY, None))
        return _lateness(lately.items)

    async def preview(self, config: ScheduleConfig) -> Forecast:
        """What a schedule would be, without making it.

        Raises:
            CronInvalid, TimeZoneUnknown, ScheduleInvalid: It cannot be.
            TemporalUnavailable: The server, which knows the times, does not answer.
        """
        return await previews.forecast(self._client, sound(config))

    async def follow(self, tenant_id: str, agent_id: str) -> None:
        """Tell Temporal of an agent that was switched on or off, or put away.

        Whom this misses, the healer finds.
        """
        mine = self._store.for_tenant(tenant_id)
        await self._tell(tenant_id, await mine.read(lambda db: db.schedules.unprojected(agent_id)))

    # ---- inside ------------------------------------------------------------------------------

    async def _followed(self, mine: TenantStore, schedule: Schedule) -> Schedule:
        """
        Raises:
            ScheduleInvalid: Temporal does not take it.
        """
        if schedule.projected == schedule.revision:
            return schedule
        with contextlib.suppress(TemporalUnavailable):
            await self._projector.project(mine.tenant_id, schedule.id)
        return await mine.read(lambda db: db.schedules.get(schedule.id))

    async def _tell(self, tenant_id: str, schedule_ids: Collection[str]) -> None:
        async def tell(schedule_id: str) -> None:
            await self._projector.project(tenant_id, schedule_id)

        try:
            async with asyncio.timeout(TELLING_TIMEOUT):
                await a_few_at_a_time(schedule_ids, tell)
        except (TemporalUnavailable, TimeoutError) as error:
            log.warning("schedules_not_projected", extra={"reason": str(error)})

    async def _start_all(self, accepted: Accepted) -> None:
        """Start what is on record. Whom this misses, the reconciler starts."""

        async def start(run: Run) -> None:
            await self._launch.start_workflow(run, accepted.agent_name, accepted.weight)

        with contextlib.suppress(TemporalUnavailable):
            await a_few_at_a_time(accepted.runs, start)


def _scheduler(request: Request) -> AgentScheduler:
    scheduler: AgentScheduler = request.app.state.scheduler
    return scheduler


Scheduling = Annotated[AgentScheduler, Depends(_scheduler)]


def _refuse_archived(db: Repositories, agent_id: str) -> None:
    if db.agents.get(agent_id).status is AgentStatus.ARCHIVED:
        raise AgentArchived(agent_id)


def _refuse_range(start: datetime, end: datetime) -> None:
    if start >= end:
        raise ScheduleInvalid("start: it has to come before end.")
    if end > clock.now():
        raise ScheduleInvalid(
            "end: it lies in the future, and only times that have passed can be run."
        )


def _next_times(schedule: Schedule, due: Sequence[datetime]) -> tuple[datetime, ...]:
    """Without the one that is to be left out, which jitter puts off."""
    skip_at = schedule.skip_at
    skipped = next((at for at in due if skip_at and skip_at <= at), None)
    return tuple(at for at in due if at != skipped)[: previews.NEXT_TIMES]


def _lateness(fires: list[Fire]) -> Lateness | None:
    late = sorted(
        fire.lateness_s for fire in fires if fire.kind == "schedule" and fire.lateness_s is not None
    )
    if not late:
        return None
    return Lateness(len(late), _quantile(late, 0.5), _quantile(late, 0.99), late[-1])


def _quantile(ordered: list[float], part: float) -> float:
    """The nearest rank."""
    return ordered[math.ceil(part * len(ordered)) - 1]
