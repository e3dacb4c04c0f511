"""`client.triggers`."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from urllib.parse import quote

from omniforge.agents.triggers.events import DeadReason, DeliveryStatus, ProviderName
from omniforge.client.models import Page
from omniforge.client.transport import Transport
from omniforge.client.triggering import (
    CreatedTrigger,
    Delivery,
    NewSecret,
    Redelivered,
    Trigger,
    VerificationToken,
    WholeDelivery,
)

_TRIGGERS = "/api/v1/triggers"
_DELIVERIES = "/api/v1/deliveries"


class Triggers:
    """The outside events that agents of the workspace run on.

    `wishes` are the fields of a trigger as the API names them: `name`, `filter`, `debounce_s`, ...
    """

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    async def list(
        self, *, agent_id: str | None = None, limit: int = 50, cursor: str | None = None
    ) -> Page[Trigger]:
        """Newest first."""
        return await self._transport.page(
            _TRIGGERS, "triggers", Trigger, agent_id=agent_id, limit=limit, cursor=cursor
        )

    async def get(self, trigger_id: str) -> Trigger:
        return await self._transport.get(_path(trigger_id), Trigger)

    async def add(self, agent_id: str, provider: ProviderName, **wishes: object) -> CreatedTrigger:
        """Have an agent run on events. The answer has the address for the sender, and the secret once.

        Raises:
            ApiError: Its filter or mapping cannot work; `details["problems"]` says where.
            WebhookSecretInvalid: The given secret cannot be one.
        """
        body = {"agent_id": agent_id, "provider": provider, **wishes}
        return await self._transport.post(_TRIGGERS, CreatedTrigger, json=body)

    async def change(self, trigger_id: str, **wishes: object) -> Trigger:
        """Change what is given; None takes a filter or a mapping away."""
        response = await self._transport.send(
            "PATCH", _path(trigger_id), repeatable=True, json=wishes
        )
        return Trigger.model_validate_json(response.content)

    async def remove(self, trigger_id: str) -> None:
        """Take no more deliveries: senders get a 404 from then on. Those that came can still be read."""
        await self._transport.send("DELETE", _path(trigger_id), repeatable=False)

    async def rotate_secret(
        self, trigger_id: str, *, secret: str | None = None, overlap_s: int = 0
    ) -> NewSecret:
        """Replace the secret; the old one is taken for `overlap_s` more seconds."""
        body: dict[str, Any] = {"overlap_s": overlap_s}
        if secret is not None:
            body["secret"] = secret
        return await self._transport.post(
            f"{_path(trigger_id)}/rotate-secret", NewSecret, json=body
        )

    async def verification_token(self, trigger_id: str) -> str:
        """What Notion sent to prove the address, for pasting into its settings."""
        path = f"{_path(trigger_id)}/verification-token"
        found = await self._transport.get(path, VerificationToken)
        return found.verification_token

    async def deliveries(
        self,
        trigger_id: str,
        *,
        status: DeliveryStatus | None = None,
        limit: int = 50,
        cursor: str | None = None,
    ) -> Page[Delivery]:
        """What came, and what became of it, newest first."""
        path = f"{_path(trigger_id)}/deliveries"
        return await self._transport.page(
            path, "deliveries", Delivery, status=status, limit=limit, cursor=cursor
        )

    async def delivery(self, delivery_id: str) -> WholeDelivery:
        """One delivery, with what its sender sent."""
        return await self._transport.get(_of_delivery(delivery_id), WholeDelivery)

    async def redeliver(self, delivery_id: str) -> Delivery:
        """Take up again what led to no run and should have."""
        return await self._transport.post(f"{_of_delivery(delivery_id)}/redeliver", Delivery)

    async def redeliver_dead(
        self,
        trigger_id: str,
        *,
        reason: DeadReason | None = None,
        since: datetime | None = None,
    ) -> int:
        """Take up again all that a trigger let die, or those for one reason; how many."""
        wanted: Mapping[str, Any] = {
            "reason": reason,
            "since": None if since is None else since.isoformat(),
        }
        path = f"{_path(trigger_id)}/redeliver"
        return (await self._transport.post(path, Redelivered, json=wanted)).redelivered


def _path(trigger_id: str) -> str:
    return f"{_TRIGGERS}/{quote(trigger_id, safe='')}"


def _of_delivery(delivery_id: str) -> str:
    return f"{_DELIVERIES}/{quote(delivery_id, safe='')}"
