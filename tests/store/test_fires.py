"""What a schedule's times lead to: a run, one that waits for the one before, or none."""

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import insert, update

from omniforge import clock
from omniforge.agents.runs import Run, RunStatus, RunTrigger
from omniforge.agents.triggers.schedules import (
    Fire,
    FireOutcome,
    Overlap,
    SkipReason,
    occurrence_id,
    occurrence_of,
)
from omniforge.identity import new_id
from omniforge.store.admission import EARLIER_RUN
from omniforge.store.store import Repositories
from omniforge.store.tables import schedules
from tests.store.making import Tenant, a_run
from tests.store.queueing import begin, finish, set_cap, wait
from tests.support.requirements import requirement

NOON = datetime(2027, 1, 31, 12, tzinfo=UTC)


def at(hours: int) -> datetime:
    return NOON + timedelta(hours=hours)


@dataclass
class Clockwork:
    """A schedule of one tenant, and its fires."""

    tenant: Tenant
    agent: str
    id: str

    @classmethod
    async def new(cls, tenant: Tenant, **more: Any) -> "Clockwork":
        agent, now = await tenant.agent(), clock.now()
        row = {
            "id": new_id("sc"),
            "tenant_id": tenant.id,
            "agent_id": agent,
            "name": "",
            "cron_expression": "0 * * * *",
            "timezone": "UTC",
            "enabled": True,
            "note": "",
            "overlap": Overlap.SKIP,
            "overlap_waiting": False,
            "catchup_window_s": 3_600,
            "jitter_s": 0,
            "input_data": {"hour": "full"},
            "revision": 1,
            "projected": 1,
            "created_by": tenant.owner.user_id,
            "created_at": now,
            "updated_at": now,
            **more,
        }
        await tenant.store.database.write(lambda c: c.execute(insert(schedules), [row]))
        return cls(tenant, agent, row["id"])

    def due(self, hours: int) -> Run:
        return a_run(
            self.tenant.id,
            self.agent,
            id=occurrence_id(self.id, at(hours)),
            trigger_type=RunTrigger.SCHEDULED,
            trigger_id=self.id,
            input_data={},
        )

    async def fires(self, hours: int) -> RunStatus | SkipReason:
        """What its workflow finds when it begins: a status, or why there is no run."""

        def work(db: Repositories) -> RunStatus | SkipReason:
            run = self.due(hours)
            entry = db.fires.enter(run, at(hours))
            if entry.run is None:
                assert entry.refusal is not None
                return SkipReason(entry.refusal.code)
            return db.runs.begin(entry.run).status

        return await self.tenant.mine.write(work)

    async def run(self, hours: int) -> Run:
        run_id = occurrence_id(self.id, at(hours))
        return await self.tenant.mine.read(lambda db: db.runs.get(run_id))

    async def history(self) -> list[Fire]:
        page = await self.tenant.mine.read(lambda db: db.fires.page(self.id, 50, None))
        return page.items[::-1]

    async def set(self, **values: Any) -> None:
        change = update(schedules).where(schedules.c.id == self.id).values(**values)
        await self.tenant.store.database.write(lambda c: c.execute(change))


def test_a_run_of_a_schedule_is_named_as_the_server_names_it() -> None:
    name = occurrence_id("sc_1-2", datetime(2027, 3, 1, 2, tzinfo=UTC))

    assert name == "sc_1-2-2027-03-01T02:00:00Z"
    assert occurrence_of(name) == datetime(2027, 3, 1, 2, tzinfo=UTC)


@requirement("FR-9")
async def test_a_fire_is_a_run_with_the_schedules_input_and_times(tenant: Tenant) -> None:
    hourly = await Clockwork.new(tenant)

    status = await hourly.fires(0)
    run = await hourly.run(0)

    assert status is RunStatus.RUNNING
    assert (run.input_data, run.scheduled_at) == ({"hour": "full"}, NOON)
    assert await hourly.history() == [
        Fire(
            schedule_id=hourly.id,
            scheduled_at=NOON,
            due_at=NOON,
            fired_at=NOON,
            outcome=FireOutcome.RUN,
            execution_id=run.id,
        )
    ]


@requirement("FR-9")
@pytest.mark.parametrize("waiting_for", [None, "approval", "pause"])
async def test_a_fire_that_would_overlap_is_skipped_and_names_the_run_in_its_way(
    tenant: Tenant, waiting_for: str | None
) -> None:
    hourly = await Clockwork.new(tenant)
    await hourly.fires(0)
    first = await hourly.run(0)
    await wait(tenant, first, waiting_for)

    skipped = [await hourly.fires(1) for _ in range(2)]
    events = await tenant.mine.read(lambda db: db.runs.events(first.id, 0, 10))
    await finish(tenant, first)
    later = await hourly.fires(2)

    history = [(fire.reason, fire.blocked_by) for fire in await hourly.history()]
    assert skipped == [SkipReason.OVERLAP] * 2
    assert [event.body.type for event in events] == ["run_started", "fire_skipped"]
    assert later is RunStatus.RUNNING
    assert history == [(None, None), (SkipReason.OVERLAP, first.id), (None, None)]


@requirement("FR-9")
async def test_a_run_that_waits_for_people_may_be_overlapped_where_that_is_wanted(
    tenant: Tenant,
) -> None:
    hourly = await Clockwork.new(tenant, overlap_waiting=True)
    await hourly.fires(0)
    while_at_work = await hourly.fires(1)
    await wait(tenant, await hourly.run(0), "child")
    while_its_child_works = await hourly.fires(2)
    await wait(tenant, await hourly.run(0), "approval")

    assert (while_at_work, while_its_child_works) == (SkipReason.OVERLAP,) * 2
    assert await hourly.fires(3) is RunStatus.RUNNING


@requirement("FR-9")
async def test_of_a_buffer_one_run_waits_for_the_earlier_one(tenant: Tenant) -> None:
    hourly = await Clockwork.new(tenant, overlap=Overlap.BUFFER_ONE)
    seen = [await hourly.fires(hour) for hour in range(3)]
    held = await hourly.run(1)
    still = (await begin(tenant, held))[0]
    admitted = await finish(tenant, await hourly.run(0))
    begun = (await begin(tenant, held))[0]

    assert seen == [RunStatus.RUNNING, RunStatus.QUEUED, SkipReason.BUFFER_FULL]
    assert (held.waiting_for, still) == (EARLIER_RUN, RunStatus.QUEUED)
    assert (admitted, begun) == ([held.id], RunStatus.RUNNING)
    assert (await hourly.history())[2].blocked_by == (await hourly.run(0)).id


@requirement("FR-9")
async def test_a_held_run_is_let_in_once_the_earlier_one_only_waits(tenant: Tenant) -> None:
    hourly = await Clockwork.new(tenant, overlap=Overlap.BUFFER_ONE, overlap_waiting=True)
    await hourly.fires(0)
    await hourly.fires(1)

    admitted = await wait(tenant, await hourly.run(0), "approval")

    assert admitted == [(await hourly.run(1)).id]


async def test_a_held_run_takes_its_turn_in_the_workspaces_queue(tenant: Tenant) -> None:
    await set_cap(tenant, 1)
    hourly = await Clockwork.new(tenant, overlap=Overlap.BUFFER_ONE)
    await hourly.fires(0)
    other = await tenant.run(hourly.agent)
    await begin(tenant, other)
    await hourly.fires(1)
    held, first = await hourly.run(1), await hourly.run(0)

    before = await tenant.mine.read(lambda db: db.admission.positions([held.id, other.id]))
    after_first = await finish(tenant, first)
    after_other = await finish(tenant, other)

    assert before == {other.id: 1}
    assert (after_first, after_other) == ([other.id], [held.id])


async def test_a_held_run_nobody_let_in_is_found(tenant: Tenant) -> None:
    hourly = await Clockwork.new(tenant, overlap=Overlap.BUFFER_ONE)
    await hourly.fires(0)
    await hourly.fires(1)
    held = (await hourly.run(1)).id

    def heal(db: Repositories) -> list[str]:
        db.overlap.let_all_in()
        return db.admission.admit()

    too_early = await tenant.mine.write(heal)
    await hourly.set(overlap=Overlap.ALLOW)

    assert (too_early, await tenant.mine.write(heal)) == ([], [held])


@requirement("FR-9")
async def test_a_time_is_skipped_for_a_reason_that_its_history_tells(tenant: Tenant) -> None:
    hourly = await Clockwork.new(tenant, overlap=Overlap.ALLOW)
    seen: list[RunStatus | SkipReason] = []
    changes: list[dict[str, Any]] = [
        {"skip_at": at(0)},
        {"enabled": False},
        {"enabled": True},
        {"removed_at": NOON},
    ]
    for hour, change in enumerate(changes):
        await hourly.set(**change)
        seen.append(await hourly.fires(hour))

    assert seen == [
        SkipReason.ON_REQUEST,
        SkipReason.SCHEDULE_PAUSED,
        RunStatus.RUNNING,
        SkipReason.SCHEDULE_REMOVED,
    ]
    assert [fire.reason for fire in await hourly.history()] == [
        SkipReason.ON_REQUEST,
        SkipReason.SCHEDULE_PAUSED,
        None,
        SkipReason.SCHEDULE_REMOVED,
    ]


@requirement("FR-9")
@pytest.mark.parametrize("overlap", list(Overlap))
async def test_of_fires_that_begin_at_once_no_two_run_that_may_not(
    tenant: Tenant, overlap: Overlap
) -> None:
    hourly = await Clockwork.new(tenant, overlap=overlap)

    seen = await asyncio.gather(*(hourly.fires(hour) for hour in range(8)))

    running = {Overlap.SKIP: 1, Overlap.BUFFER_ONE: 1, Overlap.ALLOW: 8}[overlap]
    held = 1 if overlap is Overlap.BUFFER_ONE else 0
    assert (seen.count(RunStatus.RUNNING), seen.count(RunStatus.QUEUED)) == (running, held)


@requirement("FR-9")
async def test_ends_and_fires_that_cross_leave_no_run_held(tenant: Tenant) -> None:
    hourly = await Clockwork.new(tenant, overlap=Overlap.BUFFER_ONE)
    await hourly.fires(0)
    for hour in range(1, 16):
        under_way = await hourly.run(hour - 1)
        await asyncio.gather(hourly.fires(hour), finish(tenant, under_way))
        following = await hourly.run(hour)
        assert following.waiting_for != EARLIER_RUN
        await begin(tenant, following)
