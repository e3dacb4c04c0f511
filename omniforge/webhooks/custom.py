"""Senders of one's own: Standard Webhooks, or a bearer token.

https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
"""

import base64
import hashlib
import hmac
from collections.abc import Sequence
from datetime import datetime, timedelta

from omniforge.webhooks.delivery import Handshake, Incoming, Provider, SecretFrom, Verified
from omniforge.webhooks.payloads import parse_payload
from omniforge.webhooks.secrets import Secret, key_of, taken
from omniforge.webhooks.signatures import (
    name_of,
    refuse_unless_fresh,
    refuse_unless_known,
    unix_time,
)

_WINDOW = timedelta(minutes=5)


class Custom(Provider):
    """Signs id, time and body; or shows the secret itself, which then vouches for anything sent with it."""

    name = "custom"
    secret_from = SecretFrom.ANYONE

    def read(
        self, request: Incoming, secrets: Sequence[Secret], now: datetime
    ) -> Verified | Handshake:
        known = taken(secrets, now)
        signatures = request.header("webhook-signature")
        sent = _signed_at(request, signatures, known) if signatures else None
        if sent is None:
            refuse_unless_known([_bearer(request)], known)
        else:
            refuse_unless_fresh(sent, now, _WINDOW)
        delivery_id = name_of("`webhook-id`", request.header("webhook-id"))
        payload = parse_payload(request.body, request.header("Content-Type"))
        kind = payload.get("type") or request.header("webhook-event") or "event"
        return Verified(delivery_id, name_of("event type", kind), payload, sent)


def _signed_at(request: Incoming, signatures: str, known: Sequence[str]) -> datetime:
    stamp = request.header("webhook-timestamp")
    sent = unix_time(stamp)
    # An id takes no blank and no brace and a body begins with one, so this can be split in one way only.
    start = f"{request.header('webhook-id')}.{stamp}."
    message = start.encode("utf-8", "surrogatepass") + request.body
    signed = [_signature(key, message) for secret in known if (key := key_of(secret))]
    refuse_unless_known(signatures.split(), signed)
    return sent


def _signature(key: bytes, message: bytes) -> str:
    digest = hmac.new(key, message, hashlib.sha256).digest()
    return f"v1,{base64.b64encode(digest).decode()}"


def _bearer(request: Incoming) -> str:
    scheme, _, token = request.header("Authorization").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""
