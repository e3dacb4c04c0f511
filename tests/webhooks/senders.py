"""What services send, signed as they sign it."""

import base64
import hashlib
import hmac
import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from omniforge.webhooks.delivery import Incoming

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
SECRET, OTHER_SECRET = (
    f"whsec_{base64.b64encode(letter * 32).decode()}" for letter in (b"a", b"b")
)

Send = Callable[..., Incoming]


def hexed(secret: str, message: bytes) -> str:
    return hmac.new(secret.encode(), message, hashlib.sha256).hexdigest()


def json_of(payload: Any) -> bytes:
    return json.dumps(payload).encode()


JSON = {"Content-Type": "application/json"}


def github(
    body: bytes | None = None,
    secret: str = SECRET,
    at: datetime = NOW,
    event: str = "issues",
    **headers: str,
) -> Incoming:
    del at  # GitHub signs no time
    body = json_of({"action": "opened", "issue": {"number": 7}}) if body is None else body
    return Incoming(
        body,
        {
            **JSON,
            "X-GitHub-Event": event,
            "X-GitHub-Delivery": "72d3162e-cc78-11e3-81ab-4c9367dc0958",
            "X-Hub-Signature-256": f"sha256={hexed(secret, body)}",
            **headers,
        },
    )


SLACK_EVENT = {
    "type": "event_callback",
    "event_id": "Ev0PV52K25",
    "event": {"type": "message", "text": "Hello"},
}


def slack(
    body: bytes | None = None, secret: str = SECRET, at: datetime = NOW, **headers: str
) -> Incoming:
    body = json_of(SLACK_EVENT) if body is None else body
    stamp = str(int(at.timestamp()))
    signature = hexed(secret, f"v0:{stamp}:".encode() + body)
    return Incoming(
        body,
        {
            **JSON,
            "X-Slack-Request-Timestamp": stamp,
            "X-Slack-Signature": f"v0={signature}",
            **headers,
        },
    )


def notion(
    body: bytes | None = None, secret: str = SECRET, at: datetime = NOW, **headers: str
) -> Incoming:
    stamp = at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    event = {"id": "367cba44-b6f3-4c92", "type": "page.created", "timestamp": stamp}
    body = json_of(event) if body is None else body
    return Incoming(
        body, {**JSON, "X-Notion-Signature": f"sha256={hexed(secret, body)}", **headers}
    )


def linear(
    body: bytes | None = None, secret: str = SECRET, at: datetime = NOW, **headers: str
) -> Incoming:
    event = {"type": "Issue", "action": "create", "webhookTimestamp": int(at.timestamp() * 1_000)}
    body = json_of(event) if body is None else body
    return Incoming(
        body,
        {
            **JSON,
            "Linear-Delivery": "234d1a4e-b617-4388-90fe-adc3633d6b72",
            "Linear-Signature": hexed(secret, body),
            **headers,
        },
    )


def custom(
    body: bytes | None = None,
    secret: str = SECRET,
    at: datetime = NOW,
    delivery_id: str = "msg_1",
    **headers: str,
) -> Incoming:
    body = json_of({"type": "order.paid", "data": {"total": 12}}) if body is None else body
    stamp = str(int(at.timestamp()))
    key = base64.b64decode(secret.removeprefix("whsec_"))
    digest = hmac.new(key, f"{delivery_id}.{stamp}.".encode() + body, hashlib.sha256).digest()
    return Incoming(
        body,
        {
            **JSON,
            "webhook-id": delivery_id,
            "webhook-timestamp": stamp,
            "webhook-signature": f"v1,{base64.b64encode(digest).decode()}",
            **headers,
        },
    )


def bearer(
    body: bytes | None = None, secret: str = SECRET, at: datetime = NOW, **headers: str
) -> Incoming:
    del at  # nothing is signed
    body = json_of({"type": "order.paid", "data": {"total": 12}}) if body is None else body
    return Incoming(
        body, {**JSON, "webhook-id": "msg_1", "Authorization": f"Bearer {secret}", **headers}
    )


SENDERS: Mapping[str, tuple[str, Send]] = {
    "github": ("github", github),
    "slack": ("slack", slack),
    "notion": ("notion", notion),
    "linear": ("linear", linear),
    "custom": ("custom", custom),
    "bearer": ("custom", bearer),
}
"""How each is sent, behind the name of its provider."""

PROOFS = {
    "github": "X-Hub-Signature-256",
    "slack": "X-Slack-Signature",
    "notion": "X-Notion-Signature",
    "linear": "Linear-Signature",
    "custom": "webhook-signature",
    "bearer": "Authorization",
}
"""The header that shows who sent it."""


def without(request: Incoming, header: str) -> Incoming:
    kept = {name: value for name, value in request.headers.items() if name != header.lower()}
    return Incoming(request.body, kept)


def changed(request: Incoming, body: bytes | None = None, /, **headers: str) -> Incoming:
    """The same with another body or other headers, and the old signature."""
    lower = {name.replace("_", "-").lower(): value for name, value in headers.items()}
    return Incoming(request.body if body is None else body, {**request.headers, **lower})
