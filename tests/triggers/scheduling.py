"""Schedules of one agent on the platform, as tests drive them."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Self

from sqlalchemy import update
from temporalio.client import ScheduleBackfill, ScheduleDescription, ScheduleHandle
from temporalio.service import RPCError, RPCStatusCode

from api.launch import Launch
from api.triggers.healing import ScheduleHealer
from api.triggers.projection import is_as_desired, temporal_id
from api.triggers.schedules import AgentScheduler
from omniforge import clock
from omniforge.agents.runs import Run
from omniforge.agents.triggers.schedules import Fire, Schedule, ScheduleConfig
from omniforge.identity import Principal, Role
from omniforge.llm.protocol import Completion, Turn
from omniforge.store.tables import schedules
from tests.support.platform import PATIENCE, Platform, skill
from tests.support.scripted import answer

MINUTE = timedelta(minutes=1)
MOMENT = timedelta(milliseconds=1)
AT_ONCE = timedelta(0)
NEVER = "0 0 29 2 *"
"""A time that comes in no test."""


@dataclass
class Desk:
    """What people do with an agent's schedules, and what Temporal has of them."""

    platform: Platform
    scheduler: AgentScheduler
    healer: ScheduleHealer
    caller: Principal
    agent_id: str

    @classmethod
    @contextlib.asynccontextmanager
    async def open(cls, platform: Platform) -> AsyncIterator[Self]:
        """With an agent of its own, whose schedules are gone at the end."""
        client, store = platform.temporal, platform.store
        desk = cls(
            platform,
            AgentScheduler(store, client, Launch(store, client)),
            ScheduleHealer(store, client),
            Principal(platform.tenant_id, "us_test", Role.OWNER),
            await platform.agent(skill("one")),
        )
        yield desk
        for schedule in await desk.all():
            await desk.scheduler.remove_schedule(schedule.id, desk.caller)

    def config(self, **more: Any) -> ScheduleConfig:
        wishes = {"agent_id": self.agent_id, "cron_expression": NEVER, **more}
        return ScheduleConfig(tenant_id=self.platform.tenant_id, **wishes)

    async def add(self, **more: Any) -> Schedule:
        return await self.scheduler.add_schedule(self.config(**more), self.caller)

    async def change(self, schedule: Schedule, **changes: Any) -> Schedule:
        return await self.scheduler.update_schedule(schedule.id, changes, self.caller)

    async def get(self, schedule: Schedule) -> Schedule:
        return await self.platform.mine.read(lambda db: db.schedules.get(schedule.id))

    async def all(self) -> list[Schedule]:
        page = await self.platform.mine.read(lambda db: db.schedules.page(200, None, self.agent_id))
        return page.items

    # ---- Temporal ----------------------------------------------------------------------------

    def handle(self, schedule: Schedule) -> ScheduleHandle:
        return self.platform.temporal.get_schedule_handle(temporal_id(schedule))

    async def described(self, schedule: Schedule) -> ScheduleDescription:
        return await self.handle(schedule).describe()

    async def is_there(self, schedule: Schedule) -> bool:
        try:
            await self.described(schedule)
        except RPCError as error:
            if error.status is RPCStatusCode.NOT_FOUND:
                return False
            raise
        return True

    async def is_in_line(self, schedule: Schedule) -> bool:
        """Whether Temporal has it as its row says."""
        desired = await self.platform.mine.read(lambda db: db.schedules.desired(schedule.id))
        assert desired is not None
        shown = (await self.described(schedule)).schedule
        return is_as_desired(desired, shown.spec, shown.state.note, shown.state.paused)

    async def listed(self) -> set[str]:
        return {each.id async for each in await self.platform.temporal.list_schedules()}

    async def until_listed(self, *temporal_ids: str, gone: bool = False) -> None:
        """A listing is a moment behind."""
        async with asyncio.timeout(PATIENCE):
            while bool(set(temporal_ids) & await self.listed()) == gone:
                await asyncio.sleep(0.03)

    # ---- fires and runs ----------------------------------------------------------------------

    async def fires(self, schedule: Schedule) -> list[Fire]:
        """What became of its times so far, the newest first."""
        page = await self.platform.mine.read(lambda db: db.fires.page(schedule.id, 200, None))
        return page.items

    async def fired(self, schedule: Schedule, count: int = 1) -> list[Fire]:
        """Have the last minutes come once more, and wait for what becomes of them."""
        minute = clock.now().replace(second=0, microsecond=0)
        start, end = minute - (count - 1) * MINUTE, minute + MINUTE - MOMENT
        await self.handle(schedule).backfill(ScheduleBackfill(start, end))
        return await self.until_fires(schedule, count)

    async def until_fires(
        self, schedule: Schedule, count: int, within: float = PATIENCE
    ) -> list[Fire]:
        async with asyncio.timeout(within):
            while len(fires := await self.fires(schedule)) < count:
                await asyncio.sleep(0.03)
        return fires

    async def until_fired_at(self, schedule: Schedule, *times: datetime) -> None:
        async with asyncio.timeout(PATIENCE):
            while not {fire.scheduled_at for fire in await self.fires(schedule)} >= set(times):
                await asyncio.sleep(0.03)

    async def run(self, execution_id: str | None) -> Run:
        return await self.platform.mine.read(lambda db: db.runs.get(execution_id or ""))

    async def age(self, schedule: Schedule, at: datetime) -> None:
        """As if its row had not been changed since then."""
        statement = update(schedules).where(schedules.c.id == schedule.id).values(updated_at=at)
        await self.platform.store.database.write(lambda c: c.execute(statement).rowcount)


class Gate:
    """A model that answers once it is opened, so that a run goes on until then."""

    def __init__(self, platform: Platform) -> None:
        self._open = asyncio.Event()
        platform.model.decides(self._wait)

    async def _wait(self, _: Completion) -> Turn:
        await self._open.wait()
        return answer("done")

    def open(self) -> None:
        self._open.set()
