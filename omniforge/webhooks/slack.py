"""Slack's events, slash commands and interactions.

https://docs.slack.dev/authentication/verifying-requests-from-slack and
https://docs.slack.dev/apis/events-api
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from omniforge.errors import DeliveryInvalid
from omniforge.webhooks.delivery import Handshake, Incoming, Provider, SecretFrom, Verified
from omniforge.webhooks.payloads import is_form, parse_form, parse_json, parse_payload
from omniforge.webhooks.secrets import Secret, taken
from omniforge.webhooks.signatures import (
    hmac_hex,
    name_of,
    refuse_unless_fresh,
    refuse_unless_known,
    unix_time,
)

# Slack's advice. Each of its retries is signed anew.
_WINDOW = timedelta(minutes=5)


class Slack(Provider):
    """Signs the body with the time of sending. A retry has the `event_id` of the first attempt."""

    name = "slack"
    secret_from = SecretFrom.SERVICE

    def read(
        self, request: Incoming, secrets: Sequence[Secret], now: datetime
    ) -> Verified | Handshake:
        stamp = request.header("X-Slack-Request-Timestamp")
        sent = unix_time(stamp)
        message = f"v0:{stamp}:".encode() + request.body
        signed = (f"v0={hmac_hex(key, message)}" for key in taken(secrets, now))
        refuse_unless_known([request.header("X-Slack-Signature")], signed)
        refuse_unless_fresh(sent, now, _WINDOW)
        content_type = request.header("Content-Type")
        if is_form(content_type):
            return _of_form(parse_form(request.body), sent)
        return _of_event(parse_payload(request.body, content_type), sent)


def _of_event(payload: dict[str, Any], sent: datetime) -> Verified | Handshake:
    match payload:
        case {"type": "url_verification", "challenge": str(challenge)}:
            return Handshake(challenge)
        # Slack holds events back for a minute, and does not say which.
        case {"type": "app_rate_limited"}:
            return Handshake()
        case {"type": "event_callback", "event": {"type": kind}}:
            event_id = name_of("id", payload.get("event_id"))
            return Verified(event_id, name_of("event type", kind), payload, sent)
        case _:
            raise DeliveryInvalid("The delivery is none of the events that Slack sends.")


def _of_form(fields: dict[str, str], sent: datetime) -> Verified:
    """Slack repeats neither commands nor interactions; `trigger_id` is new for each."""
    if "payload" not in fields:
        return Verified(name_of("id", fields.get("trigger_id")), "command", dict(fields), sent)
    payload = parse_json(fields["payload"].encode())
    kind = name_of("event type", payload.get("type"))
    return Verified(name_of("id", payload.get("trigger_id")), kind, payload, sent)
