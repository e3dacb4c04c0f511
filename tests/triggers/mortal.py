"""`python -m tests.triggers.mortal MOMENT DATABASE ADDRESS TENANT AGENT`: adds a schedule, and dies at it.

Or, at the moments of a removal, removes all schedules of the agent. It prints nothing and never ends well.
"""

import asyncio
import os
import signal
import sys
from enum import StrEnum
from pathlib import Path

from temporalio.client import Client

from api.launch import Launch
from api.triggers.projection import Projector
from api.triggers.schedules import AgentScheduler
from omniforge.agents.triggers.schedules import ScheduleConfig
from omniforge.identity import Principal, Role
from omniforge.store.schedules import Desired
from omniforge.store.store import Store, open_store
from tests.triggers.scheduling import NEVER
from workflows.wire import data_converter


class Moment(StrEnum):
    ROW_WRITTEN = "row written, Temporal not told"
    TEMPORAL_TOLD = "Temporal told, row not marked"
    REMOVAL_WRITTEN = "removal written, Temporal not told"
    TEMPORAL_FORGOT = "Temporal forgot, row still there"


_EARLY = {Moment.ROW_WRITTEN, Moment.REMOVAL_WRITTEN}
REMOVALS = {Moment.REMOVAL_WRITTEN, Moment.TEMPORAL_FORGOT}


def _die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


class MortalProjector(Projector):
    def __init__(self, store: Store, client: Client, moment: Moment) -> None:
        super().__init__(store, client)
        self._moment = moment

    async def _put(self, desired: Desired) -> None:
        if self._moment in _EARLY:
            _die()
        await super()._put(desired)
        _die()

    async def _delete(self, temporal_id: str) -> None:
        if self._moment in _EARLY:
            _die()
        await super()._delete(temporal_id)
        _die()


class MortalScheduler(AgentScheduler):
    def __init__(self, store: Store, client: Client, moment: Moment) -> None:
        super().__init__(store, client, Launch(store, client))
        self._projector = MortalProjector(store, client, moment)


async def main(moment: Moment, database: str, address: str, tenant_id: str, agent_id: str) -> None:
    store = open_store(database, Path())
    client = await Client.connect(address, data_converter=data_converter())
    caller = Principal(tenant_id, "us_test", Role.OWNER)
    scheduler = MortalScheduler(store, client, moment)
    if moment in REMOVALS:
        mine = store.for_tenant(tenant_id)
        page = await mine.read(lambda db: db.schedules.page(10, None, agent_id))
        for schedule in page.items:
            await scheduler.remove_schedule(schedule.id, caller)
    else:
        wish = ScheduleConfig(agent_id=agent_id, tenant_id=tenant_id, cron_expression=NEVER)
        await scheduler.add_schedule(wish, caller)


if __name__ == "__main__":
    asyncio.run(main(Moment(sys.argv[1]), *sys.argv[2:]))
