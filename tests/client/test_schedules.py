"""`client.schedules` against the platform."""

from datetime import UTC, datetime

import pytest

from omniforge.agents.triggers.schedules import FireOutcome, Overlap
from omniforge.client import OmniForgeClient
from omniforge.errors import BackfillTooLarge, CronInvalid, ScheduleNotFound, TimeZoneUnknown
from tests.support.platform import Platform, skill
from tests.support.requirements import requirement

ZONE = "Europe/Berlin"


@requirement("SDK-2", "FR-9")
async def test_a_schedule_is_made_changed_and_asked(
    client: OmniForgeClient, platform: Platform
) -> None:
    agent = await platform.agent(skill("one"))
    ends = datetime(2050, 1, 1, tzinfo=UTC)
    made = await client.schedules.add(agent, "0 8 * * 1", ZONE, overlap=Overlap.ALLOW, ends_at=ends)
    changed = await client.schedules.change(made.id, name="weekly", ends_at=None)
    paused = await client.schedules.pause(made.id, note="holidays")
    resumed = await client.schedules.resume(made.id)
    skipped = await client.schedules.skip_next(made.id)
    started = await client.schedules.run(made.id)
    run = await client.runs.wait(started.execution_id)
    fires = await client.schedules.fires(made.id)
    listed = await client.schedules.list(agent_id=agent)
    found = await client.schedules.get(made.id)
    await client.schedules.remove(made.id)

    assert (made.overlap, made.ends_at, made.in_sync) == (Overlap.ALLOW, ends, True)
    assert made.next_times is not None
    assert (changed.name, changed.ends_at) == ("weekly", None)
    assert (paused.note, resumed.enabled) == ("holidays", True)
    assert skipped.skip_at == made.next_times[0]
    assert [(one.outcome, one.execution_id) for one in fires] == [(FireOutcome.RUN, run.id)]
    assert (found.lateness, listed[0].id) == (None, made.id)
    with pytest.raises(ScheduleNotFound):
        await client.schedules.get(made.id)


@requirement("SDK-2", "FR-9")
async def test_a_range_is_previewed_and_run(client: OmniForgeClient, platform: Platform) -> None:
    agent = await platform.agent(skill("one"))
    made = await client.schedules.add(agent, "0 8 * * 1", ZONE)
    start, end = datetime(2026, 11, 2, tzinfo=UTC), datetime(2026, 11, 17, tzinfo=UTC)

    shown = await client.schedules.backfill(made.id, start, end, preview=True)
    done = await client.schedules.backfill(made.id, start, end)
    for execution_id in done.execution_ids:
        await client.runs.wait(execution_id)
    minutely = await client.schedules.add(agent, "* * * * *", enabled=False)
    with pytest.raises(BackfillTooLarge):
        await client.schedules.backfill(minutely.id, datetime(2025, 1, 1, tzinfo=UTC), end)

    assert (len(shown.times), shown.execution_ids) == (3, ())
    assert (done.times, len(done.execution_ids)) == (shown.times, 3)


@requirement("SDK-2", "FR-9")
async def test_what_cannot_be_a_schedule_has_its_own_error(
    client: OmniForgeClient, platform: Platform
) -> None:
    agent = await platform.agent(skill("one"))
    seen = await client.schedules.preview("@daily", ZONE, jitter_s=60)

    assert len(seen.next_times) == 5
    with pytest.raises(CronInvalid):
        await client.schedules.add(agent, "0 8 ? * 1")
    with pytest.raises(TimeZoneUnknown):
        await client.schedules.preview("@daily", "Mars/Base")


async def test_the_same_key_is_the_same_schedule(
    client: OmniForgeClient, platform: Platform
) -> None:
    agent = await platform.agent(skill("one"))

    first = await client.schedules.add(agent, "@daily", idempotency_key=f"key-{agent}")
    again = await client.schedules.add(agent, "@daily", idempotency_key=f"key-{agent}")

    assert first.id == again.id
