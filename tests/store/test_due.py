"""The queue of deliveries whose runs are to be started."""

import asyncio
from collections import Counter

import pytest

from omniforge.store.due import ASK_AGAIN, LEASE, asked_for, take_due
from tests.store.making import Tenant
from tests.store.sending import Clock, Sender


@pytest.fixture
def time(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(monkeypatch)


async def _taken(tenant: Tenant) -> list[str]:
    """What a process takes to start, as far as it is this tenant's."""
    due = await tenant.store.database.write(lambda c: take_due(c, 1_000))
    return [one.run.id for one in due if one.run.tenant_id == tenant.id]


async def test_what_a_process_took_and_did_not_start_is_left_to_others(
    tenant: Tenant, time: Clock
) -> None:
    sender = await Sender.new(tenant)
    sent = await sender.sent()

    first, meanwhile = await _taken(tenant), await _taken(tenant)
    time.goes(LEASE.total_seconds() + 1)
    after = await _taken(tenant)

    assert (first, meanwhile, after) == ([sent.execution_id], [], [sent.execution_id])


async def test_temporal_is_asked_again_for_a_run_that_never_begins(
    tenant: Tenant, time: Clock
) -> None:
    sender = await Sender.new(tenant)
    lost, begun = await sender.sent(), await sender.sent()
    ids = await _taken(tenant)
    await tenant.store.database.write(lambda c: asked_for(c, ids))
    await sender.enters(begun.execution_id)

    time.goes(ASK_AGAIN.total_seconds() - 1)
    before = await _taken(tenant)
    time.goes(2)

    assert (before, await _taken(tenant)) == ([], [lost.execution_id])


async def test_a_burst_is_started_once_and_dead_letters_are_not(tenant: Tenant) -> None:
    sender = await Sender.new(tenant, debounce_s=5)
    burst = [await sender.sent() for _ in range(3)]
    await sender.dies()

    assert await _taken(tenant) == [burst[0].execution_id]


async def test_processes_that_look_at_once_take_each_delivery_once(tenant: Tenant) -> None:
    sender = await Sender.new(tenant)
    sent = [await sender.sent() for _ in range(40)]

    taken = await asyncio.gather(*(_taken(tenant) for _ in range(8)))

    assert Counter(one for each in taken for one in each) == Counter(
        one.execution_id for one in sent
    )


async def test_what_was_taken_up_again_stands_behind_what_waited(
    tenant: Tenant, time: Clock
) -> None:
    sender = await Sender.new(tenant)
    dead, waiting = await sender.dies(), await sender.sent()
    time.goes(1)
    again = await tenant.mine.write(lambda db: db.deliveries.redeliver(dead.id))

    assert await _taken(tenant) == [waiting.execution_id, again.execution_id]


async def test_word_of_an_earlier_run_does_not_hold_up_the_next_one(tenant: Tenant) -> None:
    sender = await Sender.new(tenant, filter="false")
    sent = await sender.sent()
    started = await _taken(tenant)
    await sender.enters(sent.execution_id)
    again = await tenant.mine.write(lambda db: db.deliveries.redeliver(sent.id))

    await tenant.store.database.write(lambda c: asked_for(c, started))

    assert await _taken(tenant) == [again.execution_id]
