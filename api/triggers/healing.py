"""Keeps Temporal's schedules as their rows say, over crashes, outages and hands that change them."""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import TypeVar, cast

from sqlalchemy import Connection
from temporalio.client import (
    Client,
    ScheduleActionExecution,
    ScheduleActionExecutionStartWorkflow,
    ScheduleDescription,
    ScheduleListDescription,
)
from temporalio.service import RPCError

from api.triggers.previews import PREVIEW
from api.triggers.projection import (
    Projector,
    a_few_at_a_time,
    answering,
    is_as_desired,
    temporal_id,
)
from omniforge import clock
from omniforge.errors import OmniForgeError, TemporalUnavailable
from omniforge.store.schedules import (
    Desired,
    desired_by_id,
    is_known,
    projected,
    unprojected,
    with_jitter_unknown,
)
from omniforge.store.store import Store
from workflows.attributes import run_workflow_id

log = logging.getLogger(__name__)

T = TypeVar("T")
Query = Callable[[Connection, datetime, str, int], list[Desired]]

EVERY = 15.0
# A listing of ten thousand takes seconds of the server's time, and finds what hardly ever happens.
COMPARE_EVERY = 300.0
# A change is projected at once, and a listing may be a while behind it.
GRACE = timedelta(seconds=30)
# The server tells the last ten; of a schedule that fires each minute, those of ten minutes.
RECENT = timedelta(minutes=10)
PREVIEWS_LAST = timedelta(minutes=1)
PAGE = 100

RUN = "run"


@dataclass(frozen=True, slots=True)
class Place:
    """Whose a schedule in Temporal is, as its id says."""

    kind: str
    tenant_id: str
    schedule_id: str

    @classmethod
    def of(cls, temporal_id: str) -> "Place | None":
        """None where it is none of ours."""
        parts = temporal_id.split("/")
        return cls(*parts) if len(parts) == 3 and parts[0] in {RUN, PREVIEW} else None

    @property
    def temporal_id(self) -> str:
        return f"{self.kind}/{self.tenant_id}/{self.schedule_id}"

    @property
    def is_preview(self) -> bool:
        return self.kind == PREVIEW

    def wanted_of(self, rows: Mapping[str, Desired]) -> Desired | None:
        """The row that wants it, if one does."""
        found = rows.get(self.schedule_id)
        if found is None or not found.is_wanted or _id_of(found) != self.temporal_id:
            return None
        return found

    def is_unwanted(self, connection: Connection) -> bool:
        """Whether no row wants it. Of a tenant that is not in this database, nobody here can tell."""
        rows = desired_by_id(connection, [self.schedule_id])
        return self.wanted_of(rows) is None and is_known(connection, self.tenant_id)


class ScheduleHealer:
    """Projects what was not, and undoes what others did to Temporal's schedules.

    A listing of those is behind the truth, so it only says where to look. Any number of processes may
    heal at once.
    """

    def __init__(self, store: Store, client: Client) -> None:
        self._store, self._client = store, client
        self._projector = Projector(store, client)

    async def keep_going(self) -> None:
        """Heal now and then, until cancelled. A part that is down is tried again next time."""
        compare_at = time.monotonic()
        while True:
            try:
                await self.project()
                await self.note_due()
                if time.monotonic() >= compare_at:
                    await self.compare()
                    compare_at = time.monotonic() + COMPARE_EVERY
            except TemporalUnavailable as error:
                log.warning("schedules_not_healed", extra={"reason": str(error)})
            except Exception:
                log.exception("schedules_not_healed")
            await asyncio.sleep(EVERY)

    async def project(self, grace: timedelta = GRACE) -> int:
        """Tell Temporal of the changes that it has not taken over; how many there were.

        Raises:
            TemporalUnavailable: It does not answer; the rest waits for the next time.
        """
        healed = 0
        async for page in self._pages(unprojected, grace):
            healed += await _each(page, self._told)
        return healed

    async def compare(self, grace: timedelta = GRACE) -> int:
        """Compare all schedules with what Temporal has, both ways; how many were mended.

        Raises:
            TemporalUnavailable: It does not answer; the rest waits for the next time.
        """
        healed, seen = 0, set[str]()
        before = clock.now() - grace
        async for listed in self._listed():
            seen |= {each.id for each in listed}
            ids = [place.schedule_id for each in listed if (place := Place.of(each.id))]
            rows = await self._store.database.read(partial(desired_by_id, schedule_ids=ids))
            healed += await _each(listed, partial(self._compared, rows, before))
        async for page in self._pages(projected, grace):
            unseen = [one for one in page if one.is_wanted and _id_of(one) not in seen]
            healed += await _each(unseen, self._restored)
        return healed

    async def note_due(self) -> int:
        """Note when fires with jitter were due, which only the server knows; of how many schedules.

        Raises:
            TemporalUnavailable: It does not answer; the rest waits for the next time.
        """
        since = clock.now() - RECENT
        unknown = await self._store.database.read(partial(with_jitter_unknown, since=since))
        return await _each(unknown, self._due_noted)

    # ---- one schedule ------------------------------------------------------------------------

    async def _told(self, desired: Desired) -> bool:
        await self._projector.project(desired.schedule.tenant_id, desired.schedule.id)
        return True

    async def _compared(
        self,
        rows: Mapping[str, Desired],
        before: datetime,
        listed: ScheduleListDescription,
    ) -> bool:
        """Have a listed schedule be as its row says, or not be."""
        place = Place.of(listed.id)
        if place is None:
            return False
        if place.is_preview:
            return await self._deleted(place, clock.now() - PREVIEWS_LAST)
        desired = place.wanted_of(rows)
        if desired is None:
            return await self._deleted(place, before)
        if desired.schedule.updated_at > before or _is_as_desired(desired, listed):
            return False
        described = await self._described(listed.id)
        if described is None or _is_as_desired(desired, described):
            return False
        return await self._mended(desired, "changed")

    async def _restored(self, desired: Desired) -> bool:
        """Make a schedule that no listing has, unless it is there."""
        if await self._described(_id_of(desired)) is not None:
            return False
        return await self._mended(desired, "missing")

    async def _mended(self, desired: Desired, was: str) -> bool:
        log.warning("schedule_healed", extra={"schedule_id": desired.schedule.id, "was": was})
        return await self._told(desired)

    async def _deleted(self, place: Place, before: datetime) -> bool:
        """Delete what no row wants, unless it is so new that its row may have been missed."""
        described = await self._described(place.temporal_id)
        if described is None or described.info.created_at > before:
            return False
        if not await self._store.database.read(place.is_unwanted):
            return False
        async with answering():
            await self._client.get_schedule_handle(place.temporal_id).delete()
        log.warning("schedule_healed", extra={"schedule_id": place.temporal_id, "was": "unwanted"})
        return True

    async def _due_noted(self, place: tuple[str, str]) -> bool:
        described = await self._described(run_workflow_id(*place))
        if described is None:
            return False
        due = {_run_id(each.action): each.scheduled_at for each in described.info.recent_actions}
        tenant_id, schedule_id = place
        mine = self._store.for_tenant(tenant_id)
        await mine.write(lambda db: db.schedules.set_due(schedule_id, due))
        return True

    async def _described(self, temporal_id: str) -> ScheduleDescription | None:
        try:
            async with answering():
                return await self._client.get_schedule_handle(temporal_id).describe()
        except RPCError:
            return None

    # ---- all of them -------------------------------------------------------------------------

    async def _pages(self, query: Query, grace: timedelta) -> AsyncIterator[list[Desired]]:
        before, after = clock.now() - grace, ""

        def page(connection: Connection) -> list[Desired]:
            return query(connection, before, after, PAGE)

        while found := await self._store.database.read(page):
            yield found
            after = found[-1].schedule.id

    async def _listed(self) -> AsyncIterator[list[ScheduleListDescription]]:
        """Temporal's schedules, ours and others', in pages."""
        listing = await self._client.list_schedules(page_size=PAGE)
        while True:
            async with answering():
                await listing.fetch_next_page()
            yield list(listing.current_page or ())
            if not listing.next_page_token:
                return


async def _each(ones: Sequence[T], heal: Callable[[T], Awaitable[bool]]) -> int:
    """Heal each, some at a time; how many needed it. One that resists is left for later.

    Raises:
        TemporalUnavailable: It does not answer, so the others need not be tried.
    """

    async def healed(one: T) -> bool:
        try:
            return await heal(one)
        except TemporalUnavailable:
            raise
        except (OmniForgeError, RPCError) as error:
            log.warning("schedule_not_healed", extra={"reason": str(error)})
            return False

    return sum(await a_few_at_a_time(ones, healed))


def _run_id(action: ScheduleActionExecution) -> str:
    started = cast(ScheduleActionExecutionStartWorkflow, action)
    return started.workflow_id.rpartition("/")[2]


def _id_of(desired: Desired) -> str:
    return temporal_id(desired.schedule)


def _is_as_desired(desired: Desired, shown: ScheduleListDescription | ScheduleDescription) -> bool:
    schedule = shown.schedule
    if schedule is None:
        return False
    return is_as_desired(desired, schedule.spec, schedule.state.note, schedule.state.paused)
