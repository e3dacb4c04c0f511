"""Schedules as rows: what people wish, and what of it Temporal has."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Connection

from omniforge import clock
from omniforge.agents.config import AgentStatus
from omniforge.agents.triggers.schedules import (
    Fire,
    FireOutcome,
    Schedule,
    occurrence_id,
)
from omniforge.errors import ScheduleNotFound
from omniforge.identity import new_id
from omniforge.store.schedules import (
    Desired,
    desired_by_id,
    projected,
    unprojected,
    with_jitter_unknown,
)
from tests.store.making import Tenant
from tests.support.requirements import requirement

NOON = datetime(2027, 1, 31, 12, tzinfo=UTC)
DAY = timedelta(days=1)


async def added(tenant: Tenant, agent: str | None = None, **more: Any) -> Schedule:
    at = clock.now()
    schedule = Schedule(
        id=new_id("sc"),
        tenant_id=tenant.id,
        agent_id=agent or await tenant.agent(status=AgentStatus.ACTIVE),
        cron_expression="0 * * * *",
        created_by="us_anna",
        created_at=at,
        updated_at=at,
        **more,
    )
    return await tenant.mine.write(lambda db: db.schedules.add(schedule))


async def desired(tenant: Tenant, schedule: Schedule) -> Desired | None:
    return await tenant.mine.read(lambda db: db.schedules.desired(schedule.id))


async def fired(tenant: Tenant, schedule: Schedule, at: datetime, **more: Any) -> str:
    fire = Fire(
        schedule_id=schedule.id,
        scheduled_at=at,
        due_at=None,
        fired_at=clock.now(),
        outcome=FireOutcome.RUN,
        **more,
    )
    fire_id = occurrence_id(schedule.id, at)
    await tenant.mine.write(lambda db: db.fires.record(fire, fire_id))
    return fire_id


async def switch(tenant: Tenant, agent_id: str, status: AgentStatus) -> None:
    await tenant.mine.write(lambda db: db.agents.set_status(agent_id, status))


async def note_due(tenant: Tenant, schedule: Schedule, due: dict[str, datetime]) -> None:
    await tenant.mine.write(lambda db: db.schedules.set_due(schedule.id, due))


@requirement("FR-9")
async def test_a_schedule_is_read_as_it_was_written(tenant: Tenant) -> None:
    schedule = await added(
        tenant, jitter_s=7, starts_at=NOON, input_data={"a": [1, None]}, skip_at=NOON, name="n"
    )

    assert await tenant.mine.read(lambda db: db.schedules.get(schedule.id)) == schedule
    assert (schedule.revision, schedule.projected) == (1, 0)


@requirement("FR-9")
async def test_a_second_schedule_of_the_same_id_is_the_first(tenant: Tenant) -> None:
    schedule = await added(tenant, name="first")

    again = schedule.model_copy(update={"name": "second"})
    found = await tenant.mine.write(lambda db: db.schedules.add(again))

    assert found == schedule


@requirement("FR-9")
async def test_only_the_newest_revision_can_be_marked_as_projected(tenant: Tenant) -> None:
    schedule = await added(tenant)
    changed = await tenant.mine.write(
        lambda db: db.schedules.change(schedule.model_copy(update={"timezone": "Europe/Berlin"}))
    )

    late = await tenant.mine.write(lambda db: db.schedules.mark_projected(schedule))
    newest = await tenant.mine.write(lambda db: db.schedules.mark_projected(changed))
    found = await tenant.mine.read(lambda db: db.schedules.get(schedule.id))

    assert (late, newest) == (False, True)
    assert (found.timezone, found.revision, found.projected) == ("Europe/Berlin", 2, 2)


@requirement("FR-9")
async def test_a_removed_schedule_is_gone_for_people_until_it_is_forgotten_for_good(
    tenant: Tenant,
) -> None:
    schedule = await added(tenant)

    await tenant.mine.write(lambda db: db.schedules.remove(schedule.id))
    with pytest.raises(ScheduleNotFound):
        await tenant.mine.read(lambda db: db.schedules.get(schedule.id))
    left = await desired(tenant, schedule)
    assert left is not None
    late = await tenant.mine.write(lambda db: db.schedules.forget(schedule))
    forgotten = await tenant.mine.write(lambda db: db.schedules.forget(left.schedule))

    assert (left.is_wanted, late, forgotten) == (False, False, True)
    assert await desired(tenant, schedule) is None


@requirement("FR-9")
async def test_an_agents_status_is_a_change_of_its_schedules(tenant: Tenant) -> None:
    schedule = await added(tenant)
    await tenant.mine.write(lambda db: db.schedules.mark_projected(schedule))
    seen = []

    for status in (AgentStatus.PAUSED, AgentStatus.ACTIVE, AgentStatus.ARCHIVED):
        await switch(tenant, schedule.agent_id, status)
        found = await desired(tenant, schedule)
        assert found is not None
        seen.append((found.schedule.revision, found.is_paused, found.is_wanted))
    behind = await tenant.mine.read(lambda db: db.schedules.unprojected(schedule.agent_id))

    assert seen == [(2, True, True), (3, False, True), (4, True, False)]
    assert behind == [schedule.id]


@requirement("SEC-3")
async def test_a_tenant_sees_and_changes_its_own_schedules_only(tenant: Tenant) -> None:
    schedule = await added(tenant)
    other = await Tenant.new(tenant.store, "Other")

    with pytest.raises(ScheduleNotFound):
        await other.mine.read(lambda db: db.schedules.get(schedule.id))
    with pytest.raises(ScheduleNotFound):
        await other.mine.write(lambda db: db.schedules.remove(schedule.id))
    marked = await other.mine.write(lambda db: db.schedules.mark_projected(schedule))
    page = await other.mine.read(lambda db: db.schedules.page(50, None))

    assert (marked, page.items) == (False, [])
    assert await desired(other, schedule) is None


@requirement("FR-9")
async def test_those_to_be_told_and_those_told_come_in_pages_of_all_tenants(
    tenant: Tenant,
) -> None:
    other = await Tenant.new(tenant.store, "Other")
    told, untold, foreign = await added(tenant), await added(tenant), await added(other)
    await tenant.mine.write(lambda db: db.schedules.mark_projected(told))
    soon = clock.now() + DAY

    def all_of(connection: Connection) -> tuple[set[str], set[str], set[str]]:
        behind = unprojected(connection, soon, "", 10_000)
        return (
            {one.schedule.id for one in behind},
            {one.schedule.id for one in projected(connection, soon, "", 10_000)},
            {one.schedule.id for one in unprojected(connection, told.updated_at, "", 10_000)},
        )

    behind, ahead, young = await tenant.store.database.read(all_of)
    after = await tenant.store.database.read(lambda c: unprojected(c, soon, untold.id, 1))
    known = await tenant.store.database.read(lambda c: desired_by_id(c, [told.id, "sc_none"]))

    assert behind >= {untold.id, foreign.id}
    assert (told.id in behind, told.id in ahead, told.id in young) == (False, True, False)
    assert [one.schedule.id for one in after] == [foreign.id]
    assert list(known) == [told.id]


@requirement("FR-9")
async def test_when_a_fire_was_due_is_noted_once(tenant: Tenant) -> None:
    schedule = await added(tenant, jitter_s=60)
    fire_id = await fired(tenant, schedule, NOON)
    due, since = NOON + timedelta(seconds=9), clock.now() - DAY

    before = await tenant.store.database.read(lambda c: with_jitter_unknown(c, since))
    for at in (due, due + DAY):
        await note_due(tenant, schedule, {fire_id: at, "none": at})
    after = await tenant.store.database.read(lambda c: with_jitter_unknown(c, since))
    page = await tenant.mine.read(lambda db: db.fires.page(schedule.id, 10, None))

    assert (tenant.id, schedule.id) in before
    assert (tenant.id, schedule.id) not in after
    assert [fire.due_at for fire in page.items] == [due]


@requirement("FR-9")
async def test_the_last_time_that_was_due_is_none_that_somebody_asked_for(tenant: Tenant) -> None:
    schedule = await added(tenant)

    assert await tenant.mine.read(lambda db: db.schedules.last_due(schedule.id)) is None
    await fired(tenant, schedule, NOON)
    await fired(tenant, schedule, NOON + DAY, kind="backfill")

    assert await tenant.mine.read(lambda db: db.schedules.last_due(schedule.id)) == NOON
