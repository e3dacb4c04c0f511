"""What becomes of deliveries on the platform: a run, or a reason, and another try."""

import asyncio
from typing import Any

from omniforge.agents.triggers.events import Delivery, DeliveryStatus, Trigger
from tests.support.platform import PATIENCE
from tests.support.requirements import requirement
from tests.triggers.hooked import Hooked
from tests.triggers.test_hooks import sent
from tests.webhooks.senders import json_of


async def settled(hooked: Hooked, trigger: Trigger) -> list[Delivery]:
    """What is on record for a trigger, once nothing of it waits for its run."""
    async with asyncio.timeout(PATIENCE):
        while True:
            kept = await hooked.kept(trigger)
            if all(one.status is not DeliveryStatus.ACCEPTED for one in kept):
                return kept
            await asyncio.sleep(0.03)


async def send(hooked: Hooked, trigger: Trigger, number: int) -> dict[str, Any]:
    body = json_of({"type": "order.paid", "data": {"n": number}})
    answer = await hooked.send(trigger, sent("custom", body=body, delivery_id=f"d-{number}"))
    assert answer.status_code == 202, answer.text
    told: dict[str, Any] = answer.json()
    return told


@requirement("FR-10")
async def test_only_what_passes_the_filter_becomes_a_run_with_the_mapped_input(
    hooked: Hooked,
) -> None:
    trigger = await hooked.trigger(
        filter='event.type == "order.paid" && event.payload.data.n > 1',
        mapping={"event": "{'id': string(event.payload.data.n * 10)}"},
    )

    await send(hooked, trigger, 1)
    told = await send(hooked, trigger, 2)
    run = await hooked.ended(told["execution_id"])
    kept = await settled(hooked, trigger)

    assert [one.status for one in kept] == [DeliveryStatus.FILTERED, DeliveryStatus.RUN]
    assert run["result"] == {"got": "20"}
    assert await hooked.runs(trigger) == [run["id"]]


@requirement("FR-10")
async def test_a_burst_of_events_becomes_one_run_on_the_last_of_them(hooked: Hooked) -> None:
    trigger = await hooked.trigger(debounce_s=3)

    told = [await send(hooked, trigger, number) for number in range(5)]
    (execution_id,) = {each["execution_id"] for each in told}
    run = await hooked.ended(execution_id)
    kept = await settled(hooked, trigger)

    assert run["result"] == {"got": "d-4"}
    assert [one.status for one in kept] == [DeliveryStatus.MERGED] * 4 + [DeliveryStatus.RUN]
    assert await hooked.runs(trigger) == [execution_id]


@requirement("FR-10")
async def test_a_dead_letter_says_why_and_is_delivered_again_when_that_is_mended(
    hooked: Hooked,
) -> None:
    trigger = await hooked.trigger(filter="event.payload.nowhere == 1")
    await send(hooked, trigger, 1)
    (dead,) = await settled(hooked, trigger)
    api, mine = hooked.platform.api, hooked.platform.mine
    again = f"/api/v1/deliveries/{dead.id}/redeliver"

    mended = trigger.model_copy(update={"filter": None})
    await mine.write(lambda db: db.triggers.change(mended))
    taken = await api.post(again)
    run = await hooked.ended(taken.json()["execution_id"])
    refused = await api.post(again)

    assert (dead.status, dead.reason) == (DeliveryStatus.DEAD, "filter_failed")
    assert "nowhere" in dead.message
    assert run["status"] == "completed"
    assert (refused.status_code, refused.json()["execution_id"]) == (409, run["id"])


async def test_what_came_while_a_trigger_was_paused_is_taken_up_all_at_once(hooked: Hooked) -> None:
    trigger = await hooked.trigger(enabled=False)
    told = [await send(hooked, trigger, number) for number in range(3)]
    api, mine = hooked.platform.api, hooked.platform.mine
    before = await hooked.runs(trigger)

    going = trigger.model_copy(update={"enabled": True})
    await mine.write(lambda db: db.triggers.change(going))
    taken = await api.post(
        f"/api/v1/triggers/{trigger.id}/redeliver", json={"reason": "trigger_paused"}
    )
    kept = await settled(hooked, trigger)

    assert {each["status"] for each in told} == {"dead"}
    assert before == []
    assert taken.json() == {"redelivered": 3}
    assert {(one.status, one.attempt) for one in kept} == {(DeliveryStatus.RUN, 1)}
    assert sorted(await hooked.runs(trigger)) == sorted(one.execution_id or "" for one in kept)
