"""What people ask of a run, as it is written: once, in order, and never after its end."""

import asyncio

import pytest

from omniforge.agents.runs import ErrorInfo, Run, RunStatus
from omniforge.errors import NothingToSteer, RunNotFinished, RunNotRetried
from omniforge.journal.steps import NodeKey
from omniforge.store.retries import Retry
from tests.store.making import Tenant
from tests.support.requirements import requirement

pytestmark = requirement("DUR-3")

BY = "us_anna"
FAILURE = ErrorInfo(code="x", message="It failed.")


async def told(tenant: Tenant, run: Run) -> list[str]:
    events = await tenant.mine.read(lambda db: db.runs.events(run.id, 0, 100))
    return [event.body.type for event in events]


async def end(tenant: Tenant, run: Run, status: RunStatus = RunStatus.FAILED) -> None:
    await tenant.mine.write(lambda db: db.runs.finish(run.id, status, FAILURE))


async def test_a_wish_is_told_once_however_often_it_is_written(tenant: Tenant) -> None:
    run = await tenant.begun()

    for _ in range(2):
        await tenant.mine.write(lambda db: db.control.wish(run.id, "pause", BY, ""))

    found = await tenant.mine.read(lambda db: db.runs.get(run.id))
    assert found.wish == "pause"
    assert (await told(tenant, run)).count("run_controlled") == 1


async def test_a_wish_that_comes_after_the_end_changes_and_tells_nothing(tenant: Tenant) -> None:
    run = await tenant.begun()
    await end(tenant, run)

    await tenant.mine.write(lambda db: db.control.wish(run.id, "pause", BY, ""))

    assert (await told(tenant, run))[-1] == "run_finished"
    assert (await tenant.mine.read(lambda db: db.runs.get(run.id))).wish is None


async def test_a_message_is_in_the_inbox_of_each_node_once(tenant: Tenant) -> None:
    run = await tenant.begun()

    for _ in range(2):
        await tenant.mine.write(lambda db: db.control.say(run.id, ["a", "b"], "m1", "hello", BY))

    for node in ("a", "b"):
        (said,) = await tenant.mine.journal.messages(NodeKey(run.id, node))
        assert (said.note, said.decided_by) == ("hello", BY)


async def test_nobody_hears_a_message_to_a_run_that_has_ended(tenant: Tenant) -> None:
    run = await tenant.begun()
    await end(tenant, run)

    with pytest.raises(NothingToSteer):
        await tenant.mine.write(lambda db: db.control.say(run.id, ["a"], "m1", "hello", BY))


async def test_of_ten_retries_at_once_one_takes_the_run_up(tenant: Tenant) -> None:
    run = await tenant.begun()
    await end(tenant, run)

    answers = await asyncio.gather(
        *(tenant.mine.write(lambda db: db.retries.retry(run.id, Retry(BY))) for _ in range(10)),
        return_exceptions=True,
    )

    taken = [one for one in answers if isinstance(one, Run)]
    assert [(one.status, one.generation, one.error) for one in taken] == [
        (RunStatus.PENDING, 1, None)
    ]
    assert sum(isinstance(one, RunNotFinished) for one in answers) == 9
    assert (await told(tenant, run)).count("run_retried") == 1


async def test_the_workflow_of_an_earlier_generation_cannot_end_a_run(tenant: Tenant) -> None:
    run = await tenant.begun()
    await end(tenant, run)
    await tenant.mine.write(lambda db: db.retries.retry(run.id, Retry(BY)))

    late = await tenant.mine.write(
        lambda db: db.runs.finish(run.id, RunStatus.FAILED, FAILURE, generation=0)
    )

    assert (late.status, late.generation) == (RunStatus.PENDING, 1)


async def test_a_run_that_is_taken_up_again_begins_and_ends_once_more(tenant: Tenant) -> None:
    run = await tenant.begun()
    await tenant.mine.write(lambda db: db.control.wish(run.id, "stop", BY, ""))
    await end(tenant, run, RunStatus.CANCELLED)
    again = await tenant.mine.write(lambda db: db.retries.retry(run.id, Retry(BY)))

    begun = await tenant.mine.write(lambda db: db.runs.begin(again))
    found = await tenant.mine.read(lambda db: db.runs.get(run.id))
    await end(tenant, run)

    assert (begun.status, begun.wish) == (RunStatus.RUNNING, None)
    assert (found.status, found.started_at is None) == (RunStatus.RUNNING, False)
    assert (await told(tenant, run)).count("run_finished") == 2
    assert (await told(tenant, run)).count("run_started") == 1


async def test_a_run_that_never_began_is_not_taken_up_again(tenant: Tenant) -> None:
    run = await tenant.run(await tenant.agent())
    await end(tenant, run, RunStatus.CANCELLED)

    with pytest.raises(RunNotRetried):
        await tenant.mine.write(lambda db: db.retries.retry(run.id, Retry(BY)))
