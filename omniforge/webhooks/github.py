"""GitHub's webhooks.

https://docs.github.com/en/webhooks/using-webhooks/validating-webhook-deliveries and
https://docs.github.com/en/webhooks/webhook-events-and-payloads#delivery-headers
"""

from collections.abc import Sequence
from datetime import datetime

from omniforge.errors import DeliveryInvalid
from omniforge.webhooks.delivery import Handshake, Incoming, Provider, SecretFrom, Verified
from omniforge.webhooks.payloads import is_form, parse_form, parse_json, parse_payload
from omniforge.webhooks.secrets import Secret, taken
from omniforge.webhooks.signatures import hmac_hex, name_of, refuse_unless_known


class GitHub(Provider):
    """Signs the body and nothing else: no time, and neither event nor delivery id."""

    name = "github"
    secret_from = SecretFrom.ANYONE

    def read(
        self, request: Incoming, secrets: Sequence[Secret], now: datetime
    ) -> Verified | Handshake:
        signed = (f"sha256={hmac_hex(key, request.body)}" for key in taken(secrets, now))
        refuse_unless_known([request.header("X-Hub-Signature-256")], signed)
        event = name_of("event type", request.header("X-GitHub-Event"))
        if event == "ping":
            return Handshake("pong")
        payload = _payload(request)
        action = payload.get("action")
        return Verified(
            name_of("id", request.header("X-GitHub-Delivery")),
            event if action is None else name_of("event type", f"{event}.{action}"),
            payload,
        )


def _payload(request: Incoming) -> dict[str, object]:
    content_type = request.header("Content-Type")
    if not is_form(content_type):
        return parse_payload(request.body, content_type)
    payload = parse_form(request.body).get("payload")
    if payload is None:
        raise DeliveryInvalid("The delivery is a form without a field `payload`.")
    return parse_json(payload.encode())
