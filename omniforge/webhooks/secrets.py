"""Secrets that senders and triggers share: made, looked over, and replaced with an overlap."""

import base64
import binascii
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from omniforge.errors import WebhookSecretInvalid

PREFIX = "whsec_"
# What Standard Webhooks asks for: 192 to 512 bits.
_BYTES = range(24, 65)
_LENGTH = range(16, 501)


@dataclass(frozen=True, slots=True)
class Secret:
    """A secret of a trigger. One that was replaced is taken `until` its senders have heard."""

    value: str = field(repr=False)
    until: datetime | None = None


def new_secret() -> str:
    """A fresh secret in the form of Standard Webhooks: 256 random bits in base64 behind `whsec_`."""
    return PREFIX + base64.b64encode(secrets.token_bytes(32)).decode()


def refuse_unusable(secret: str) -> None:
    """
    Raises:
        WebhookSecretInvalid: It is too short to be one, or says that it is base64 and is not.
    """
    if len(secret) not in _LENGTH or not (secret.isascii() and secret.isprintable()):
        raise WebhookSecretInvalid(
            f"A webhook secret has {_LENGTH[0]} to {_LENGTH[-1]} characters, all of them ASCII. Copy"
            " it whole from the service, or leave it out and have one made."
        )
    if secret.startswith(PREFIX) and len(key_of(secret) or b"") not in _BYTES:
        raise WebhookSecretInvalid(
            f"Behind {PREFIX} there have to be {_BYTES[0]} to {_BYTES[-1]} bytes in base64. Copy the"
            " secret whole from the service, or leave it out and have one made."
        )


def key_of(secret: str) -> bytes | None:
    """The key that a `whsec_` secret stands for; None when it is no such secret."""
    if not secret.startswith(PREFIX):
        return None
    try:
        return base64.b64decode(secret.removeprefix(PREFIX), validate=True)
    except (binascii.Error, ValueError):
        return None


def taken(known: Sequence[Secret], now: datetime) -> list[str]:
    """The secrets that are taken at a moment. An empty one never is: everybody knows it."""
    return [one.value for one in known if one.value and (one.until is None or now < one.until)]
