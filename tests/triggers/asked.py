"""What a real Temporal server answers about schedules, which never fire here."""

import contextlib
import uuid
from collections.abc import AsyncIterator
from datetime import datetime, timedelta

from temporalio.client import (
    Client,
    Schedule,
    ScheduleActionStartWorkflow,
    ScheduleHandle,
    ScheduleSpec,
    ScheduleState,
)

from api.triggers.projection import temporal_spec
from api.triggers.times import matching_times
from omniforge.agents.triggers.schedules import ScheduleConfig


def spec(cron: str, zone: str = "UTC", jitter: timedelta = timedelta()) -> ScheduleSpec:
    """As the platform hands a schedule to Temporal."""
    return temporal_spec(
        ScheduleConfig(
            agent_id="agent",
            tenant_id="tenant",
            cron_expression=cron,
            timezone=zone,
            jitter_s=int(jitter.total_seconds()),
        )
    )


@contextlib.asynccontextmanager
async def paused(client: Client, of: ScheduleSpec) -> AsyncIterator[ScheduleHandle]:
    """A schedule that never fires by itself, for as long as it is asked."""
    name = f"asked-{uuid.uuid4().hex}"
    soon = timedelta(seconds=5)
    action = ScheduleActionStartWorkflow(
        "NobodyRunsThis", id=name, task_queue=name, execution_timeout=soon
    )
    handle = await client.create_schedule(
        name, Schedule(action=action, spec=of, state=ScheduleState(paused=True))
    )
    try:
        yield handle
    finally:
        await handle.delete()


async def times(
    client: Client, of: ScheduleSpec, start: datetime, end: datetime, limit: int = 1_000
) -> list[datetime]:
    async with paused(client, of) as handle:
        return await matching_times(client, handle.id, start, end, limit)
