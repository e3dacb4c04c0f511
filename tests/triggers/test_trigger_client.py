"""`client.triggers` against the platform."""

import pytest

from omniforge import clock
from omniforge.agents.triggers.events import DeadReason, DeliveryStatus
from omniforge.client import ApiError, OmniForgeClient
from omniforge.errors import (
    DeliveryNotFound,
    DeliveryNotRepeated,
    TokenNotThere,
    TriggerNotFound,
    WebhookSecretInvalid,
)
from tests.support.requirements import requirement
from tests.triggers.hooked import ANSWERS, Hooked
from tests.webhooks import senders


def client_of(hooked: Hooked) -> OmniForgeClient:
    api = hooked.platform.api
    key = api.headers["Authorization"].removeprefix("Bearer ")
    return OmniForgeClient(key, str(api.base_url))


@requirement("SDK-2", "FR-10")
async def test_a_trigger_is_made_changed_and_its_deliveries_read(hooked: Hooked) -> None:
    agent = await hooked.platform.agent(ANSWERS)
    async with client_of(hooked) as client:
        made = await client.triggers.add(agent, "custom", name="shop", filter="true")
        paused = await client.triggers.change(made.id, enabled=False, filter=None)
        for delivery_id in ("one", "two"):
            secret = made.secret or ""
            await hooked.send(
                made.id, senders.custom(secret=secret, at=clock.now(), delivery_id=delivery_id)
            )
        dead = await client.triggers.deliveries(made.id, status=DeliveryStatus.DEAD)
        whole = await client.triggers.delivery(dead[0].id)
        await client.triggers.change(made.id, enabled=True)
        again = await client.triggers.redeliver(dead[0].id)
        count = await client.triggers.redeliver_dead(made.id, reason=DeadReason.TRIGGER_PAUSED)
        run = await hooked.ended(again.execution_id or "")
        rotated = await client.triggers.rotate_secret(made.id, overlap_s=60)
        found = await client.triggers.get(made.id)
        listed = await client.triggers.list(agent_id=agent)
        with pytest.raises(DeliveryNotRepeated):
            await client.triggers.redeliver(dead[0].id)
        await client.triggers.remove(made.id)
        with pytest.raises(TriggerNotFound):
            await client.triggers.get(made.id)

    assert (paused.enabled, paused.filter) == (False, None)
    assert [one.reason for one in dead] == [DeadReason.TRIGGER_PAUSED] * 2
    assert whole.payload["type"] == "order.paid"
    assert (again.attempt, count) == (1, 1)
    assert rotated.secret not in (None, made.secret)
    assert [one.id for one in listed] == [found.id] == [made.id]
    assert run["status"] == "completed"


@requirement("SDK-2", "FR-10")
async def test_what_cannot_be_a_trigger_has_its_own_error(hooked: Hooked) -> None:
    agent = await hooked.platform.agent(ANSWERS)
    async with client_of(hooked) as client:
        with pytest.raises(ApiError) as unsound:
            await client.triggers.add(agent, "custom", filter="event.x")
        with pytest.raises(WebhookSecretInvalid):
            await client.triggers.add(agent, "slack", secret="short")
        notion = await client.triggers.add(agent, "notion")
        with pytest.raises(TokenNotThere):
            await client.triggers.verification_token(notion.id)
        with pytest.raises(DeliveryNotFound):
            await client.triggers.delivery("dl_none")

    assert "'place': 'body.filter'" in str(unsound.value.details["problems"])
