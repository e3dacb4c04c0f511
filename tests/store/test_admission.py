"""The queue of a tenant: who has a place, who is next, and who has to be told."""

from pathlib import Path

from omniforge.agents.runs import RunPriority, RunStatus
from omniforge.journal.events import RunQueued
from omniforge.store.admission import TO_BE_TOLD
from omniforge.store.retries import Retry
from omniforge.store.store import open_store
from tests.store.making import Tenant
from tests.store.queueing import begin, finish, set_cap
from tests.support.requirements import requirement


async def test_beginning_again_neither_takes_a_second_place_nor_leaves_the_queue(
    tenant: Tenant,
) -> None:
    await set_cap(tenant, 1)
    agent = await tenant.agent()
    first, second = [await tenant.run(agent) for _ in range(2)]

    seen = [(await begin(tenant, run))[0] for run in (first, second, first, second)]
    events = await tenant.mine.read(lambda db: db.runs.events(second.id, 0, 10))

    assert seen == [RunStatus.RUNNING, RunStatus.QUEUED] * 2
    assert [event.body.type for event in events] == ["run_queued"]


async def test_a_queued_run_is_told_how_many_are_before_it(tenant: Tenant) -> None:
    await set_cap(tenant, 1)
    agent = await tenant.agent()
    normal, bulk, interactive = RunPriority.NORMAL, RunPriority.BULK, RunPriority.INTERACTIVE
    order = (normal, bulk, normal, interactive, bulk, normal)
    runs = [await tenant.run(agent, priority=priority) for priority in order]
    for run in runs:
        await begin(tenant, run)

    events = await tenant.mine.read(
        lambda db: [db.runs.events(run.id, 0, 1)[0].body for run in runs[1:]]
    )
    now = await tenant.mine.read(lambda db: db.admission.positions([run.id for run in runs]))

    assert events == [RunQueued(position=position) for position in (1, 1, 1, 4, 3)]
    assert [now.get(run.id) for run in runs] == [None, 4, 2, 1, 5, 3]


@requirement("DUR-1")
async def test_a_run_whose_worker_died_before_it_heard_of_its_place_still_has_it(
    tenant: Tenant,
) -> None:
    await set_cap(tenant, 1)
    agent = await tenant.agent()
    first, second, third = [await tenant.run(agent) for _ in range(3)]
    for run in (first, second, third):
        await begin(tenant, run)

    admitted = await finish(tenant, first)
    late = (await begin(tenant, third))[0]
    begun = (await begin(tenant, second))[0]

    assert admitted == [second.id]
    assert (late, begun) == (RunStatus.QUEUED, RunStatus.RUNNING)


async def test_without_a_number_of_its_own_a_workspace_has_the_platforms(
    prepared_url: str, tmp_path: Path
) -> None:
    store = open_store(prepared_url, tmp_path, platform_cap=1)
    tenant = await Tenant.new(store)
    agent = await tenant.agent()
    runs = [await tenant.run(agent) for _ in range(2)]
    for run in runs:
        await begin(tenant, run)
    before = await tenant.mine.read(lambda db: db.admission.limits())

    assert await set_cap(tenant, 0) == [runs[1].id]
    assert (before.max_concurrent_runs, before.cap) == (None, 1)
    assert (before.running, before.queued) == (1, 1)
    await store.close()


@requirement("DUR-1")
async def test_a_run_that_is_taken_up_again_queues_again_and_is_known_until_it_has_heard(
    tenant: Tenant,
) -> None:
    await set_cap(tenant, 1)
    agent = await tenant.agent()
    first, second = [await tenant.run(agent) for _ in range(2)]
    await begin(tenant, first)
    await begin(tenant, second)
    await finish(tenant, first, RunStatus.FAILED)
    await begin(tenant, second)
    await tenant.mine.write(lambda db: db.retries.retry(first.id, Retry(by="us_anna")))

    queued = (await begin(tenant, first))[0]
    admitted = await finish(tenant, second)
    untold = await tenant.mine.read(lambda db: db.runs.get(first.id))
    begun = (await begin(tenant, first))[0]
    told = await tenant.mine.read(lambda db: db.runs.get(first.id))

    assert (queued, admitted, begun) == (RunStatus.QUEUED, [first.id], RunStatus.RUNNING)
    assert (untold.status, untold.waiting_for) == (RunStatus.RUNNING, TO_BE_TOLD)
    assert (told.status, told.waiting_for) == (RunStatus.RUNNING, None)


async def test_another_tenants_runs_take_no_places(tenant: Tenant) -> None:
    other = await Tenant.new(tenant.store)
    for each in (tenant, other):
        await set_cap(each, 1)
        status, _ = await begin(each, await each.run(await each.agent()))
        assert status is RunStatus.RUNNING


async def test_a_run_keeps_the_version_it_was_queued_with(tenant: Tenant) -> None:
    await set_cap(tenant, 1)
    agent_id = await tenant.agent()
    first, second = [await tenant.run(agent_id) for _ in range(2)]
    for run in (first, second):
        await begin(tenant, run)
    agent = await tenant.mine.read(lambda db: db.agents.get(agent_id))
    version = await tenant.mine.read(lambda db: db.agents.version(agent_id, 1))
    newer = agent.model_copy(update={"version": 2})
    edited = version.model_copy(update={"version": 2})
    await tenant.mine.write(lambda db: db.agents.change(newer, 1, edited))

    await finish(tenant, first)
    begun = await tenant.mine.write(lambda db: db.runs.begin(second))

    assert begun.version == version
