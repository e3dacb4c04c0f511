"""What the healer mends: rows that Temporal was not told of, and schedules that are not as their rows say."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta

import pytest
from temporalio.client import (
    Client,
    ScheduleActionStartWorkflow,
    ScheduleSpec,
    ScheduleState,
    ScheduleUpdate,
    ScheduleUpdateInput,
)
from temporalio.client import Schedule as TemporalSchedule

from api.launch import Launch
from api.triggers import healing
from api.triggers.healing import ScheduleHealer
from api.triggers.projection import temporal_id
from api.triggers.schedules import AgentScheduler
from omniforge import clock
from omniforge.agents.triggers.schedules import Schedule
from omniforge.errors import TemporalUnavailable
from tests.support.requirements import requirement
from tests.triggers.scheduling import AT_ONCE, MINUTE, NEVER, Desk

Meddle = Callable[[Desk, Schedule], Awaitable[None]]

EACH_MINUTE = "* * * * *"
LONG_AGO = timedelta(hours=5)


def never_started(temporal_id: str) -> TemporalSchedule:
    """Somebody's schedule that does nothing."""
    action = ScheduleActionStartWorkflow("Other", id=temporal_id, task_queue="nobody")
    spec = ScheduleSpec(cron_expressions=[NEVER])
    return TemporalSchedule(action, spec, state=ScheduleState(paused=True))


# ---- rows that Temporal was not told of ------------------------------------------------------


@requirement("FR-9")
async def test_a_change_that_temporal_did_not_take_is_told_later(
    desk: Desk, nobody: Client
) -> None:
    store = desk.platform.store
    cut_off = AgentScheduler(store, nobody, Launch(store, nobody))
    added, removed = await cut_off.add_schedule(desk.config(), desk.caller), await desk.add()
    await cut_off.remove_schedule(removed.id, desk.caller)

    while_young = await desk.healer.project()
    later = await desk.healer.project(AT_ONCE)

    assert (while_young, later) == (0, 2)
    assert await desk.is_in_line(added)
    assert not await desk.is_there(removed)
    assert await desk.healer.project(AT_ONCE) == 0


@requirement("FR-9")
async def test_what_was_due_before_temporal_heard_of_a_schedule_is_caught_up(
    desk: Desk, nobody: Client
) -> None:
    store = desk.platform.store
    cut_off = AgentScheduler(store, nobody, Launch(store, nobody))
    schedule = await cut_off.add_schedule(
        desk.config(cron_expression=EACH_MINUTE, overlap="allow"), desk.caller
    )
    added_at = clock.now().replace(second=30) - 3 * MINUTE
    await desk.age(schedule, added_at)

    await desk.healer.project(AT_ONCE)

    first = added_at.replace(second=0, microsecond=0) + MINUTE
    await desk.until_fired_at(schedule, first, first + MINUTE, first + 2 * MINUTE)
    assert min(fire.scheduled_at for fire in await desk.fires(schedule)) == first


async def test_while_temporal_is_down_a_pass_ends_at_once(desk: Desk, nobody: Client) -> None:
    store = desk.platform.store
    cut_off = AgentScheduler(store, nobody, Launch(store, nobody))
    schedule = await cut_off.add_schedule(desk.config(), desk.caller)
    healer = ScheduleHealer(store, nobody)

    for heal in (healer.project, healer.compare):
        with pytest.raises(TemporalUnavailable):
            await heal(AT_ONCE)

    assert (await desk.get(schedule)).projected == 0


async def test_one_schedule_that_temporal_refuses_keeps_no_other_from_being_told(
    desk: Desk, nobody: Client, newer_zone: str
) -> None:
    store = desk.platform.store
    cut_off = AgentScheduler(store, nobody, Launch(store, nobody))
    bad = await cut_off.add_schedule(desk.config(timezone=newer_zone), desk.caller)
    good = await cut_off.add_schedule(desk.config(), desk.caller)

    assert await desk.healer.project(AT_ONCE) == 1
    assert await desk.is_in_line(good)
    assert not await desk.is_there(bad)


# ---- schedules that are not as their rows say ------------------------------------------------


@requirement("FR-9")
async def test_a_lost_schedule_comes_back_and_catches_up_what_was_due(desk: Desk) -> None:
    schedule = await desk.add(cron_expression=EACH_MINUTE, overlap="allow")
    await desk.age(schedule, clock.now() - LONG_AGO)
    (last,) = await desk.fired(schedule)
    await desk.handle(schedule).delete()
    await desk.until_listed(temporal_id(schedule), gone=True)

    await desk.healer.compare(AT_ONCE)

    assert await desk.is_in_line(schedule)
    # Nothing before its last fire comes again.
    assert {fire.scheduled_at for fire in await desk.fires(schedule)} <= {
        last.scheduled_at,
        last.scheduled_at + MINUTE,
    }


@requirement("FR-9")
async def test_a_lost_schedule_catches_up_no_further_than_its_window(desk: Desk) -> None:
    schedule = await desk.add(cron_expression=EACH_MINUTE, overlap="allow", catchup_window_s=4 * 60)
    await desk.age(schedule, clock.now() - LONG_AGO)
    await desk.handle(schedule).delete()
    await desk.until_listed(temporal_id(schedule), gone=True)
    lost_at = clock.now()

    await asyncio.gather(*(desk.healer.compare(AT_ONCE) for _ in range(3)))
    fires = await desk.until_fires(schedule, 4)
    for fire in fires:
        await desk.platform.ended(fire.execution_id or "")

    times = [fire.scheduled_at for fire in fires]
    assert min(times) >= lost_at - 4 * MINUTE
    assert len(set(times)) == len(times) in {4, 5}


@requirement("FR-9")
async def test_a_paused_schedule_that_is_lost_comes_back_paused_and_catches_nothing_up(
    desk: Desk,
) -> None:
    schedule = await desk.add(cron_expression=EACH_MINUTE, enabled=False)
    await desk.age(schedule, clock.now() - LONG_AGO)
    await desk.handle(schedule).delete()
    await desk.until_listed(temporal_id(schedule), gone=True)

    await desk.healer.compare(AT_ONCE)
    described = await desk.described(schedule)

    assert described.schedule.state.paused
    assert described.info.num_actions == 0


async def by_pausing(desk: Desk, schedule: Schedule) -> None:
    await desk.handle(schedule).pause(note="by hand")


async def by_changing_its_times(desk: Desk, schedule: Schedule) -> None:
    def change(found: ScheduleUpdateInput) -> ScheduleUpdate:
        changed = found.description.schedule
        changed.spec = ScheduleSpec(cron_expressions=["1 2 3 4 *"])
        return ScheduleUpdate(changed)

    await desk.handle(schedule).update(change)


async def by_adding_jitter(desk: Desk, schedule: Schedule) -> None:
    def change(found: ScheduleUpdateInput) -> ScheduleUpdate:
        changed = found.description.schedule
        changed.spec.jitter = timedelta(seconds=9)
        return ScheduleUpdate(changed)

    await desk.handle(schedule).update(change)


@requirement("FR-9")
@pytest.mark.parametrize("meddle", [by_pausing, by_changing_its_times, by_adding_jitter])
async def test_what_somebody_changes_in_temporal_is_undone(desk: Desk, meddle: Meddle) -> None:
    schedule = await desk.add()
    await desk.until_listed(temporal_id(schedule))

    await meddle(desk, schedule)
    assert not await desk.is_in_line(schedule)
    async with asyncio.timeout(20):
        while not await desk.healer.compare(AT_ONCE):
            await asyncio.sleep(0.03)

    assert await desk.is_in_line(schedule)


@requirement("FR-9")
async def test_the_new_name_of_an_agent_reaches_its_schedules(desk: Desk) -> None:
    schedule = await desk.add()
    await desk.until_listed(temporal_id(schedule))

    await desk.platform.api.patch(f"/api/v1/agents/{desk.agent_id}", json={"name": "Renamed"})
    assert not await desk.is_in_line(schedule)
    await desk.healer.compare(AT_ONCE)

    assert await desk.is_in_line(schedule)


@requirement("FR-9")
async def test_a_schedule_without_a_row_is_deleted_and_one_of_somebody_else_is_not(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(healing, "PREVIEWS_LAST", AT_ONCE)
    tenant, client = desk.platform.tenant_id, desk.platform.temporal
    ours = [f"run/{tenant}/sc_gone", f"preview/{tenant}/sc_left"]
    others = ["cleaning", f"run/{tenant}", f"conversation/{tenant}/one", "run/tn_elsewhere/sc_one"]
    kept = await desk.add()
    for each in (*ours, *others):
        await client.create_schedule(each, never_started(each))
    await desk.until_listed(temporal_id(kept), *ours, *others)

    while_young = await desk.healer.compare(timedelta(hours=1))
    await desk.until_listed(ours[1], gone=True)
    later = await desk.healer.compare(AT_ONCE)
    await desk.until_listed(ours[0], gone=True)

    assert (while_young, later) == (1, 1)
    assert {*others, temporal_id(kept)} <= await desk.listed()
    for each in others:
        await client.get_schedule_handle(each).delete()


@requirement("FR-9")
async def test_the_schedules_of_an_archived_agent_do_not_come_back(desk: Desk) -> None:
    schedule = await desk.add()
    await desk.platform.api.post(f"/api/v1/agents/{desk.agent_id}/archive")
    await desk.until_listed(temporal_id(schedule), gone=True)

    await desk.healer.project(AT_ONCE)
    await desk.healer.compare(AT_ONCE)

    assert not await desk.is_there(schedule)
    assert (await desk.get(schedule)).projected == (await desk.get(schedule)).revision


@requirement("FR-9")
async def test_what_is_in_line_is_left_alone(desk: Desk) -> None:
    schedules = [await desk.add(jitter_s=number) for number in range(5)]
    await desk.until_listed(*map(temporal_id, schedules))

    healed = await desk.healer.compare(AT_ONCE)
    updates = [(await desk.described(one)).info.last_updated_at for one in schedules]

    assert (healed, updates) == (0, [None] * 5)


async def test_a_missing_schedule_that_a_listing_does_not_show_yet_is_asked_for_first(
    desk: Desk,
) -> None:
    """Right after they are made, some of many are not listed."""
    schedules = [await desk.add() for _ in range(20)]

    await desk.healer.compare(AT_ONCE)

    assert all([(await desk.described(one)).info.last_updated_at is None for one in schedules])
