"""Schedules as people change them, on the platform and its Temporal server."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from temporalio.client import Client, ScheduleBackfill

from api.launch import Launch
from api.triggers.projection import temporal_id
from api.triggers.schedules import AgentScheduler
from api.triggers.wishes import MAX_INPUT_BYTES
from omniforge import clock
from omniforge.agents.runs import RunStatus, RunTrigger
from omniforge.errors import (
    AgentArchived,
    AgentNotActive,
    AgentNotFound,
    OmniForgeError,
    ScheduleBusy,
    ScheduleInvalid,
    ScheduleNotFound,
)
from omniforge.identity import Principal, Role
from tests.support.requirements import requirement
from tests.triggers.scheduling import MINUTE, NEVER, Desk, Gate

EACH_MINUTE = "* * * * *"


# ---- changes ---------------------------------------------------------------------------------


@requirement("FR-9")
async def test_a_schedule_starts_runs_with_its_input(desk: Desk) -> None:
    schedule = await desk.add(cron_expression=EACH_MINUTE, input_data={"a": 1})

    (fire,) = await desk.fired(schedule)
    await desk.platform.ended(fire.execution_id or "")
    run = await desk.run(fire.execution_id)

    assert schedule.projected == schedule.revision
    assert (run.trigger_type, run.trigger_id) == (RunTrigger.SCHEDULED, schedule.id)
    assert run.status is RunStatus.COMPLETED
    assert run.input_data == {"a": 1}
    assert run.scheduled_at == fire.scheduled_at


@requirement("FR-9")
async def test_a_change_reaches_temporal_whole(desk: Desk) -> None:
    schedule = await desk.add(ends_at=clock.now() + timedelta(days=9), jitter_s=5)

    changed = await desk.change(
        schedule,
        cron_expression="30 8 * * mon-fri",
        timezone="Europe/Berlin",
        catchup_window_s=120,
        jitter_s=0,
        ends_at=None,
    )
    described = await desk.described(schedule)

    assert changed.projected == changed.revision == 2
    assert described.schedule.spec.time_zone_name == "Europe/Berlin"
    assert described.schedule.spec.calendars[0].hour[0].start == 8
    assert (described.schedule.spec.end_at, described.schedule.spec.jitter) == (None, None)
    assert described.schedule.policy.catchup_window == timedelta(minutes=2)


@requirement("FR-9")
async def test_a_paused_schedule_is_paused_in_temporal_until_it_is_resumed(desk: Desk) -> None:
    schedule = await desk.add()

    paused = await desk.scheduler.pause(schedule.id, "holidays", desk.caller)
    while_paused = await desk.described(schedule)
    resumed = await desk.scheduler.resume(schedule.id, desk.caller)
    afterwards = await desk.described(schedule)

    assert (paused.enabled, paused.note) == (False, "holidays")
    assert while_paused.schedule.state.paused
    # What people write stays in the database.
    assert "holidays" not in (while_paused.schedule.state.note or "")
    assert (resumed.enabled, resumed.note) == (True, "")
    assert not afterwards.schedule.state.paused


@requirement("FR-9")
async def test_a_removed_schedule_is_gone_and_its_runs_stay(desk: Desk) -> None:
    schedule = await desk.add(cron_expression=EACH_MINUTE)
    (fire,) = await desk.fired(schedule)
    await desk.platform.ended(fire.execution_id or "")

    await desk.scheduler.remove_schedule(schedule.id, desk.caller)

    assert not await desk.is_there(schedule)
    with pytest.raises(ScheduleNotFound):
        await desk.get(schedule)
    assert (await desk.run(fire.execution_id)).status is RunStatus.COMPLETED


async def test_a_key_makes_one_schedule_however_often_it_is_used(desk: Desk) -> None:
    first = await desk.scheduler.add_schedule(desk.config(), desk.caller, "k1")
    again = await desk.scheduler.add_schedule(desk.config(), desk.caller, "k1")
    other = await desk.scheduler.add_schedule(desk.config(), desk.caller, "k2")

    assert first.id == again.id != other.id
    assert len(first.id) <= 40


REFUSED: dict[str, dict[str, Any]] = {
    "no cron": {"cron_expression": "0 8 * *"},
    "no zone": {"timezone": "Mars/Olympus"},
    "end before start": {
        "starts_at": datetime(2030, 1, 2, tzinfo=UTC),
        "ends_at": datetime(2030, 1, 1, tzinfo=UTC),
    },
    "ended": {"ends_at": datetime(2020, 1, 1, tzinfo=UTC)},
    "no JSON": {"input_data": {"a": float("nan")}},
    "too much input": {"input_data": {"a": "x" * MAX_INPUT_BYTES}},
}


@requirement("FR-9")
@pytest.mark.parametrize("wrong", REFUSED)
async def test_what_cannot_be_scheduled_leaves_nothing(desk: Desk, wrong: str) -> None:
    with pytest.raises(OmniForgeError) as refusal:
        await desk.add(**REFUSED[wrong])

    assert refusal.value.code in {"cron_invalid", "time_zone_unknown", "schedule_invalid"}
    assert await desk.all() == []


@requirement("FR-9")
async def test_a_change_that_cannot_be_changes_nothing(desk: Desk) -> None:
    schedule = await desk.add()

    for changes in ({"cron_expression": "61 * * * *"}, {"jitter_s": -1}, {"timezone": "Nowhere"}):
        with pytest.raises(OmniForgeError):
            await desk.change(schedule, **changes)

    assert await desk.get(schedule) == schedule


@requirement("FR-9")
async def test_what_only_temporal_refuses_is_taken_back(desk: Desk, newer_zone: str) -> None:
    schedule = await desk.add()

    with pytest.raises(ScheduleInvalid, match="unknown time zone"):
        await desk.add(timezone=newer_zone)
    with pytest.raises(ScheduleInvalid, match="unknown time zone"):
        await desk.change(schedule, timezone=newer_zone)

    (left,) = await desk.all()
    assert (left.id, left.timezone, left.projected) == (schedule.id, "UTC", left.revision)
    assert await desk.is_in_line(schedule)


@requirement("SEC-3")
async def test_a_stranger_can_neither_see_nor_change_a_schedule(desk: Desk) -> None:
    schedule = await desk.add()
    stranger = Principal("tn_stranger", "us_stranger", Role.OWNER)

    with pytest.raises(ScheduleNotFound):
        await desk.scheduler.update_schedule(schedule.id, {"enabled": False}, stranger)
    with pytest.raises(ScheduleNotFound):
        await desk.scheduler.remove_schedule(schedule.id, stranger)
    with pytest.raises(ScheduleNotFound):
        await desk.scheduler.run_now(schedule.id, stranger)
    with pytest.raises(AgentNotFound):
        await desk.scheduler.add_schedule(
            desk.config().model_copy(update={"tenant_id": stranger.tenant_id}), stranger
        )


@requirement("FR-9")
async def test_without_temporal_a_change_is_on_record_and_said_not_to_be_in_sync(
    desk: Desk, nobody: Client
) -> None:
    store = desk.platform.store
    scheduler = AgentScheduler(store, nobody, Launch(store, nobody))

    schedule = await scheduler.add_schedule(desk.config(), desk.caller)
    (shown,) = await scheduler.shown([schedule])

    assert (schedule.projected, schedule.revision) == (0, 1)
    assert (shown.is_in_sync, shown.next_times) == (False, None)
    assert not await desk.is_there(schedule)


# ---- the agent -------------------------------------------------------------------------------


@requirement("FR-9")
async def test_schedules_follow_their_agent(desk: Desk) -> None:
    schedule = await desk.add()
    is_paused = []

    for verb in ("pause", "activate"):
        await desk.platform.api.post(f"/api/v1/agents/{desk.agent_id}/{verb}")
        is_paused.append((await desk.described(schedule)).schedule.state.paused)
    await desk.platform.api.post(f"/api/v1/agents/{desk.agent_id}/archive")

    assert is_paused == [True, False]
    assert not await desk.is_there(schedule)
    with pytest.raises(AgentArchived):
        await desk.add()
    with pytest.raises(AgentArchived):
        await desk.change(schedule, enabled=True)


# ---- what people ask of a schedule -----------------------------------------------------------


@requirement("FR-9")
async def test_the_next_time_is_skipped_once(desk: Desk) -> None:
    schedule = await desk.add(cron_expression=EACH_MINUTE)

    first = await desk.scheduler.skip_next(schedule.id, desk.caller)
    again = await desk.scheduler.skip_next(schedule.id, desk.caller)
    (shown,) = await desk.scheduler.shown([first.schedule])
    at = first.schedule.skip_at
    assert at is not None
    await desk.handle(schedule).backfill(ScheduleBackfill(at, at + MINUTE))
    fires = await desk.until_fires(schedule, 2)

    assert (first.is_new, again.is_new) == (True, False)
    assert at not in (shown.next_times or ())
    assert {fire.scheduled_at: fire.reason for fire in fires} == {
        at: "on_request",
        at + MINUTE: None,
    }


@requirement("FR-9")
async def test_with_jitter_the_time_that_is_skipped_is_the_one_of_the_expression(
    desk: Desk,
) -> None:
    schedule = await desk.add(cron_expression="0 */2 * * *", jitter_s=7_000)

    skipped = await desk.scheduler.skip_next(schedule.id, desk.caller)
    (shown,) = await desk.scheduler.shown([skipped.schedule])

    at, following = skipped.schedule.skip_at, (shown.next_times or ())[0]
    assert at is not None
    assert (at.hour % 2, at.minute, at.second) == (0, 0, 0)
    assert timedelta(hours=2) <= following - at < timedelta(hours=4)


async def test_a_schedule_without_a_further_time_has_none_to_skip(desk: Desk) -> None:
    schedule = await desk.add(ends_at=clock.now() + MINUTE)

    with pytest.raises(ScheduleInvalid, match="no further time"):
        await desk.scheduler.skip_next(schedule.id, desk.caller)


@requirement("FR-9")
async def test_a_run_can_be_started_now_unless_another_one_goes_on(desk: Desk) -> None:
    gate = Gate(desk.platform)
    schedule = await desk.add(input_data={"b": 2})

    run = await desk.scheduler.run_now(schedule.id, desk.caller)
    with pytest.raises(ScheduleBusy) as refusal:
        await desk.scheduler.run_now(schedule.id, desk.caller)
    beside = await desk.scheduler.run_now(schedule.id, desk.caller, overlap=True)
    gate.open()
    ended = [await desk.platform.ended(one.id) for one in (run, beside)]

    assert refusal.value.details["execution_id"] == run.id
    assert {one["status"] for one in ended} == {"completed"}
    assert run.input_data == {"b": 2}
    assert {(fire.kind, fire.execution_id) for fire in await desk.fires(schedule)} == {
        ("now", run.id),
        ("now", beside.id),
    }


async def test_nothing_runs_now_when_the_agent_may_not(desk: Desk) -> None:
    schedule = await desk.add()
    await desk.platform.api.post(f"/api/v1/agents/{desk.agent_id}/pause")

    with pytest.raises(AgentNotActive):
        await desk.scheduler.run_now(schedule.id, desk.caller)

    assert await desk.fires(schedule) == []


# ---- what is shown ---------------------------------------------------------------------------


@requirement("FR-9")
async def test_a_schedule_is_shown_in_words_with_the_servers_own_next_times(desk: Desk) -> None:
    schedule = await desk.add(cron_expression="0 8 * * mon", timezone="Europe/Berlin")

    (shown,) = await desk.scheduler.shown([schedule])
    described = await desk.described(schedule)

    assert shown.words == "Every Monday at 08:00 (Europe/Berlin)"
    assert list(shown.next_times or ()) == list(described.info.next_action_times[:5])
    assert shown.is_in_sync


@requirement("FR-9")
async def test_many_schedules_are_shown_with_the_same_times_as_each_alone(desk: Desk) -> None:
    schedules = [await desk.add(cron_expression=f"{minute} 8 * * *") for minute in range(5)]
    # A listing is asked of those that were not just changed.
    for schedule in schedules[:3]:
        await desk.age(schedule, clock.now() - timedelta(hours=1))
    await desk.until_listed(*map(temporal_id, schedules))
    schedules = [await desk.get(schedule) for schedule in schedules]

    together = await desk.scheduler.shown(schedules)
    alone = [(await desk.scheduler.shown([schedule]))[0] for schedule in schedules]

    assert together == alone
    assert {len(shown.next_times or ()) for shown in together} == {5}


@requirement("FR-9")
async def test_a_preview_shows_the_same_and_leaves_nothing_behind(desk: Desk) -> None:
    config = desk.config(cron_expression="0 8 * * mon", timezone="Europe/Berlin")

    found = await desk.scheduler.preview(config)
    schedule = await desk.scheduler.add_schedule(config, desk.caller)
    (shown,) = await desk.scheduler.shown([schedule])

    assert (found.words, found.next_times) == (shown.words, shown.next_times)
    assert len(found.next_times) == 5
    assert await desk.all() == [schedule]


@requirement("FR-9")
async def test_lateness_counts_from_the_time_with_jitter(desk: Desk) -> None:
    schedule = await desk.add(cron_expression=EACH_MINUTE, jitter_s=50)
    (before,) = await desk.fired(schedule)

    await desk.healer.note_due()
    (fire,) = await desk.fires(schedule)
    lateness = await desk.scheduler.lateness(schedule)

    assert before.due_at is None
    assert fire.due_at is not None
    assert timedelta(0) <= fire.due_at - fire.scheduled_at < timedelta(seconds=50)
    assert lateness is not None
    assert (lateness.fires, lateness.max_s) == (1, fire.lateness_s)


async def test_a_schedule_that_never_fired_has_no_lateness(desk: Desk) -> None:
    assert await desk.scheduler.lateness(await desk.add(cron_expression=NEVER)) is None
