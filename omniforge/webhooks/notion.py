"""Notion's webhooks.

https://developers.notion.com/reference/webhooks and
https://developers.notion.com/reference/webhooks-events-delivery
"""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from omniforge.errors import DeliveryInvalid, WebhookSecretInvalid
from omniforge.webhooks.delivery import Handshake, Incoming, Provider, SecretFrom, Verified
from omniforge.webhooks.payloads import parse_payload
from omniforge.webhooks.secrets import Secret, refuse_unusable, taken
from omniforge.webhooks.signatures import (
    hmac_hex,
    name_of,
    refuse_unless_fresh,
    refuse_unless_known,
)

# The time is that of the event, and Notion tries up to eight times within a day.
_WINDOW = timedelta(days=2)


class Notion(Provider):
    """Signs the body, in which its id and its time are, with a token that its first request brought.

    That request is not signed. It is taken only while no secret without an end is there: before the
    first one, and after one was given an end to be replaced.
    """

    name = "notion"
    secret_from = SecretFrom.HANDSHAKE

    def read(
        self, request: Incoming, secrets: Sequence[Secret], now: datetime
    ) -> Verified | Handshake:
        if all(secret.until is not None for secret in secrets) and (token := _token_in(request)):
            return Handshake(token=token)
        signed = (f"sha256={hmac_hex(key, request.body)}" for key in taken(secrets, now))
        refuse_unless_known([request.header("X-Notion-Signature")], signed)
        payload = parse_payload(request.body, request.header("Content-Type"))
        sent = _time_of(payload.get("timestamp"))
        refuse_unless_fresh(sent, now, _WINDOW)
        return Verified(
            name_of("id", payload.get("id")),
            name_of("event type", payload.get("type")),
            payload,
            sent,
        )


def _token_in(request: Incoming) -> str:
    """The token that a request hands over; empty when it is some other request."""
    try:
        payload = parse_payload(request.body, request.header("Content-Type"))
        token = payload.get("verification_token")
        if not isinstance(token, str):
            return ""
        refuse_unusable(token)
    except (DeliveryInvalid, WebhookSecretInvalid):
        return ""
    return token


def _time_of(value: object) -> datetime:
    try:
        if isinstance(value, str) and (found := datetime.fromisoformat(value)).tzinfo:
            return found.astimezone(UTC)
    except (ValueError, OverflowError):
        pass
    raise DeliveryInvalid("The delivery has no time, or one that cannot be read.")
