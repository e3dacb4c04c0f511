"""Deliveries, from accepted to the run they led to or the reason why they led to none."""

import asyncio
from collections import Counter
from typing import Any

import pytest

from omniforge import clock
from omniforge.agents.config import AgentStatus
from omniforge.agents.triggers.events import DeadReason, DeliveryStatus
from omniforge.errors import (
    DeliveryNotFound,
    DeliveryNotRepeated,
    TriggerNotFound,
)
from omniforge.store.addressed import addressed
from omniforge.store.deliveries import AT_ONCE
from omniforge.webhooks.delivery import Verified
from tests.store.making import Tenant
from tests.store.sending import Clock, Sender

BROKEN = "event.payload.nowhere == 1"


@pytest.fixture
def time(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(monkeypatch)


# ---- accepted -------------------------------------------------------------------------------


async def test_a_delivery_is_kept_once_and_a_repeat_gets_the_answer_of_the_first(
    tenant: Tenant,
) -> None:
    sender = await Sender.new(tenant)

    first, is_new = await sender.sends({"n": 1}, "same")
    again, is_new_again = await sender.sends({"n": 2}, "same")

    assert (is_new, is_new_again) == (True, False)
    assert (again.id, again.execution_id) == (first.id, first.execution_id)
    assert (await sender.found(first)).payload == {"n": 1}


async def test_of_a_crowd_of_the_same_delivery_one_is_new(tenant: Tenant) -> None:
    sender = await Sender.new(tenant, debounce_s=5)

    answers = await asyncio.gather(*(sender.sends(delivery_id="same") for _ in range(30)))

    assert Counter(is_new for _, is_new in answers) == {True: 1, False: 29}
    assert len({delivery.execution_id for delivery, _ in answers}) == 1


async def test_two_triggers_may_be_sent_the_same_id(tenant: Tenant) -> None:
    one, other = await Sender.new(tenant), await Sender.new(tenant)

    assert (await one.sends(delivery_id="same"))[1]
    assert (await other.sends(delivery_id="same"))[1]


async def test_a_delivery_for_a_trigger_that_has_changed_is_not_kept(tenant: Tenant) -> None:
    sender = await Sender.new(tenant)
    before, event = sender.trigger, Verified("d-1", "x", {})

    await sender.becomes(name="other")
    changed = await tenant.mine.write(lambda db: db.deliveries.accept(before, event))
    await _remove(sender)
    removed = await tenant.mine.write(lambda db: db.deliveries.accept(sender.trigger, event))

    assert (changed, removed) == (None, None)
    assert await sender.all() == []


async def test_what_came_in_the_last_minute_is_counted(tenant: Tenant, time: Clock) -> None:
    sender = await Sender.new(tenant)
    await sender.sent()
    time.goes(30)
    await sender.sent()
    for _ in range(3):
        await sender.dies()

    async def counted() -> tuple[int, int]:
        found = await tenant.store.database.read(lambda c: addressed(c, sender.trigger.id))
        return found.came, found.refused

    now = await counted()
    time.goes(31)

    assert (now, await counted()) == ((5, 3), (4, 3))


# ---- led to a run, or not -------------------------------------------------------------------


async def test_a_run_is_given_the_whole_event_and_beginning_it_again_changes_nothing(
    tenant: Tenant,
) -> None:
    sender = await Sender.new(tenant)
    sent = await sender.sent({"title": "Broken"})

    first, again = [await sender.enters(sent.execution_id) for _ in range(2)]
    run = await tenant.mine.read(lambda db: db.runs.get(sent.execution_id or ""))

    assert first.run is not None
    assert again.run is not None
    assert run.input_data["event"]["payload"] == {"title": "Broken"}
    assert run.input_data["event"]["id"] == sent.delivery_id
    assert run.trigger_id == sender.trigger.id
    assert (await sender.found(sent)).status is DeliveryStatus.RUN


async def test_a_mapping_makes_the_input(tenant: Tenant) -> None:
    sender = await Sender.new(tenant, mapping={"title": "event.payload.title", "n": "1 + 1"})

    entry = await sender.enters((await sender.sent({"title": "Broken"})).execution_id)

    assert entry.run is not None
    assert entry.run.input_data == {"title": "Broken", "n": 2}


@pytest.mark.parametrize(
    ("wishes", "status", "reason"),
    [
        ({"filter": "event.payload.n > 1"}, DeliveryStatus.FILTERED, None),
        ({"filter": BROKEN}, DeliveryStatus.DEAD, DeadReason.FILTER_FAILED),
        ({"mapping": {"x": BROKEN}}, DeliveryStatus.DEAD, DeadReason.MAPPING_FAILED),
        ({"filter": "event.payload.n == 1", "mapping": {"x": "1"}}, DeliveryStatus.RUN, None),
    ],
)
async def test_filter_and_mapping_decide_what_becomes_of_a_delivery(
    tenant: Tenant, wishes: dict[str, Any], status: DeliveryStatus, reason: DeadReason | None
) -> None:
    sender = await Sender.new(tenant, **wishes)
    sent = await sender.sent({"n": 1})

    first, again = [await sender.enters(sent.execution_id) for _ in range(2)]
    found = await sender.found(sent)

    assert (found.status, found.reason) == (status, reason)
    assert first == again or status is DeliveryStatus.RUN
    assert (first.refusal is None) == (status is DeliveryStatus.RUN)
    if reason:
        assert "nowhere" in found.message
        assert first.refusal is not None
        assert (first.refusal.code, first.refusal.message) == (reason, found.message)


async def _pause(sender: Sender) -> None:
    await sender.becomes(enabled=False)


async def _remove(sender: Sender) -> None:
    await sender.tenant.mine.write(lambda db: db.triggers.remove(sender.trigger.id))


async def _pause_agent(sender: Sender) -> None:
    agent_id = sender.trigger.agent_id
    await sender.tenant.mine.write(lambda db: db.agents.set_status(agent_id, AgentStatus.PAUSED))


@pytest.mark.parametrize(
    ("happens", "reason"),
    [
        (_pause, DeadReason.TRIGGER_PAUSED),
        (_remove, DeadReason.TRIGGER_REMOVED),
        (_pause_agent, DeadReason.AGENT_NOT_ACTIVE),
    ],
)
async def test_what_was_accepted_leads_to_no_run_once_nobody_wants_it(
    tenant: Tenant, happens: Any, reason: DeadReason
) -> None:
    sender = await Sender.new(tenant)
    sent = await sender.sent()

    await happens(sender)
    entry = await sender.enters(sent.execution_id)

    assert entry.refusal is not None
    assert entry.refusal.code == reason
    assert (await sender.found(sent)).reason is reason


# ---- batches --------------------------------------------------------------------------------


async def test_deliveries_of_a_burst_share_a_run_that_is_given_the_last_of_them(
    tenant: Tenant, time: Clock
) -> None:
    sender = await Sender.new(tenant, debounce_s=30)
    burst = [await sender.sent({"n": n}) for n in range(3)]
    execution_id = burst[0].execution_id

    early = await sender.enters(execution_id)
    time.goes(20)
    late = await sender.sent({"n": 3})
    still = await sender.enters(execution_id)
    time.goes(31)
    entry = await sender.enters(execution_id)
    after = await sender.sent()

    assert {one.execution_id for one in [*burst, late]} == {execution_id}
    assert 29 < early.later_s <= 30
    assert 29 < still.later_s <= 30
    assert entry.run is not None
    assert entry.run.input_data["event"]["payload"] == {"n": 3}
    merged, run = [DeliveryStatus.MERGED] * 3, DeliveryStatus.RUN
    assert [one.status for one in await sender.all()] == [*merged, run, DeliveryStatus.ACCEPTED]
    assert after.execution_id != execution_id


async def test_a_burst_without_an_end_begins_its_run_all_the_same(
    tenant: Tenant, time: Clock
) -> None:
    sender = await Sender.new(tenant, debounce_s=10)
    first = await sender.sent()
    for _ in range(19):
        time.goes(5)
        await sender.sent()

    before = await sender.enters(first.execution_id)
    time.goes(5.1)
    await sender.sent()

    assert 4 < before.later_s < 5
    assert (await sender.enters(first.execution_id)).run is not None


async def test_of_a_burst_the_last_that_passes_becomes_the_run(tenant: Tenant, time: Clock) -> None:
    sender = await Sender.new(
        tenant, debounce_s=1, filter="event.payload.n < 2", mapping={"n": "event.payload.n"}
    )
    first = await sender.sent({"n": 0})
    await sender.sent({"n": 1})
    await sender.sent({"n": 2})
    await sender.sent({})
    time.goes(2)

    entry = await sender.enters(first.execution_id)

    assert entry.run is not None
    assert entry.run.input_data == {"n": 1}
    assert [one.status for one in await sender.all()] == ["merged", "run", "filtered", "dead"]


async def test_a_long_burst_of_which_nothing_passes_is_looked_through_in_turns(
    tenant: Tenant, time: Clock
) -> None:
    sender = await Sender.new(tenant, debounce_s=1, filter="false")
    first = await sender.sent()
    for _ in range(AT_ONCE):
        await sender.sent()
    time.goes(2)

    turns = [await sender.enters(first.execution_id) for _ in range(2)]

    assert 0 < turns[0].later_s < 0.1
    assert turns[1].refusal is not None
    assert {one.status for one in await sender.all()} == {DeliveryStatus.FILTERED}
    assert (await sender.sent()).execution_id != first.execution_id


@pytest.mark.parametrize("debounce_s", [0, 0.02])
async def test_in_a_crowd_each_delivery_is_in_exactly_one_run(
    tenant: Tenant, debounce_s: float
) -> None:
    """On PostgreSQL hundreds of beginnings and arrivals meet at the row of one trigger."""
    sender = await Sender.new(tenant, debounce_s=debounce_s, max_per_minute=1_000)

    async def arrives(number: int) -> None:
        sent = await sender.sent({"n": number})
        while (entry := await sender.enters(sent.execution_id)).later_s:
            await asyncio.sleep(entry.later_s)
        assert entry.run is not None

    async with asyncio.timeout(60):
        await asyncio.gather(*map(arrives, range(300)))

    came = await sender.all()
    runs = {one.execution_id for one in came}
    chosen = [one.execution_id for one in came if one.status is DeliveryStatus.RUN]
    assert len(came) == 300
    assert {one.status for one in came} <= {DeliveryStatus.RUN, DeliveryStatus.MERGED}
    assert Counter(chosen) == Counter(runs)
    assert len(runs) == 300 or debounce_s


# ---- delivered again ------------------------------------------------------------------------


async def test_a_dead_letter_is_delivered_again_with_a_run_of_its_own(tenant: Tenant) -> None:
    sender = await Sender.new(tenant, filter=BROKEN)
    sent = await sender.sent()
    await sender.enters(sent.execution_id)
    await sender.becomes(filter=None)

    again = await tenant.mine.write(lambda db: db.deliveries.redeliver(sent.id))
    entry = await sender.enters(again.execution_id)
    stale = await sender.enters(sent.execution_id)

    assert (again.status, again.attempt, again.reason) == (DeliveryStatus.ACCEPTED, 1, None)
    assert again.execution_id != sent.execution_id
    assert entry.run is not None
    assert stale.run is None
    assert (await sender.sends(delivery_id=sent.delivery_id))[1] is False


async def test_what_led_to_a_run_is_not_delivered_again(tenant: Tenant) -> None:
    sender = await Sender.new(tenant)
    sent = await sender.sent()

    with pytest.raises(DeliveryNotRepeated):
        await tenant.mine.write(lambda db: db.deliveries.redeliver(sent.id))
    await sender.enters(sent.execution_id)
    with pytest.raises(DeliveryNotRepeated) as refusal:
        await tenant.mine.write(lambda db: db.deliveries.redeliver(sent.id))

    assert refusal.value.details["execution_id"] == sent.execution_id


async def test_dead_letters_are_taken_up_by_reason_and_time_page_by_page(
    tenant: Tenant, time: Clock
) -> None:
    sender = await Sender.new(tenant, filter=BROKEN)
    failed = await sender.sent()
    await sender.enters(failed.execution_id)
    capped = sorted([(await sender.dies()).id for _ in range(3)])  # as they are taken up
    time.goes(10)
    since = clock.now()
    last = await sender.dies()

    def taken(*how: Any) -> Any:
        return tenant.mine.write(lambda db: db.deliveries.redeliver_dead(sender.trigger.id, *how))

    assert await taken("", DeadReason.RATE_CAPPED, since) == [last.id]
    first = await taken("", DeadReason.RATE_CAPPED, None, 2)
    assert first == capped[:2]
    assert await taken(first[-1], DeadReason.RATE_CAPPED, None, 2) == [capped[2]]
    assert await taken() == [failed.id]
    assert await taken() == []


async def test_what_a_removed_trigger_took_stays_and_is_not_delivered_again(tenant: Tenant) -> None:
    sender = await Sender.new(tenant)
    sent = await sender.dies()
    await _remove(sender)

    with pytest.raises(TriggerNotFound):
        await tenant.mine.write(lambda db: db.deliveries.redeliver(sent.id))
    with pytest.raises(TriggerNotFound):
        await tenant.mine.write(lambda db: db.deliveries.redeliver_dead(sender.trigger.id))

    assert [one.id for one in await sender.all()] == [sent.id]


async def test_deliveries_of_others_are_not_there(tenant: Tenant) -> None:
    sender = await Sender.new(tenant)
    sent = await sender.sent()
    stranger = await Tenant.new(tenant.store, "Other")

    with pytest.raises(DeliveryNotFound):
        await stranger.mine.read(lambda db: db.deliveries.get(sent.id))
    with pytest.raises(DeliveryNotFound):
        await stranger.mine.write(lambda db: db.deliveries.redeliver(sent.id))
    page = await stranger.mine.read(lambda db: db.deliveries.page(sender.trigger.id, 10, None))
    assert page.items == []


async def test_a_list_tells_statuses_and_no_payloads(tenant: Tenant) -> None:
    sender = await Sender.new(tenant)
    await sender.sent({"secret": 1})
    dead = await sender.sent({"secret": 2}, refusal=DeadReason.TRIGGER_PAUSED)

    page = await tenant.mine.read(
        lambda db: db.deliveries.page(sender.trigger.id, 10, None, DeliveryStatus.DEAD)
    )

    assert [(one.id, one.payload) for one in page.items] == [(dead.id, None)]
