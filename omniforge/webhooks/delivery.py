"""What comes in, what can be made of it, and who can make it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Protocol

from omniforge.webhooks.secrets import Secret


@dataclass(frozen=True, slots=True)
class Incoming:
    """A request as it came: the very bytes of its body, and its headers in any spelling."""

    body: bytes = field(repr=False)
    headers: Mapping[str, str] = field(repr=False)

    def __post_init__(self) -> None:
        lower = {name.lower(): value for name, value in self.headers.items()}
        object.__setattr__(self, "headers", lower)

    def header(self, name: str) -> str:
        """A header's value, empty when it is not there."""
        return self.headers.get(name.lower(), "")


@dataclass(frozen=True, slots=True)
class Verified:
    """An event that its sender vouches for.

    `delivery_id` is the sender's, and the same when the sender tries again. `sent_at` is a time that
    the sender signed, where it signs one.
    """

    delivery_id: str
    type: str
    payload: dict[str, Any]
    """JSON of the sender's making. A NUL in a text has become U+FFFD, and so has half a character."""
    sent_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Handshake:
    """A request that is answered at once and leads to no run.

    A `token` is the trigger's secret from now on. A person has to read it, to give it back to the service.
    """

    body: str = ""
    token: str | None = field(default=None, repr=False)
    status: int = 200
    content_type: str = "text/plain; charset=utf-8"


class SecretFrom(StrEnum):
    """Who makes the secret of a trigger."""

    ANYONE = "anyone"
    """We do, unless a person has one from the sender."""
    SERVICE = "service"
    """The service shows it to a person, who gives it to us."""
    HANDSHAKE = "handshake"
    """The service sends it with its first request."""


class Provider(Protocol):
    """A service that sends events: how it signs, names and numbers them."""

    name: str
    secret_from: SecretFrom

    def read(
        self, request: Incoming, secrets: Sequence[Secret], now: datetime
    ) -> Verified | Handshake:
        """Nothing of a request is believed, nor told apart in the answer, before its signature fits.

        Raises:
            SignatureInvalid: Nobody who knows one of the secrets sent it.
            DeliveryStale: It was sent too long ago, or by a clock that is ahead of ours.
            DeliveryInvalid: It is signed, but not something that the service sends.
        """
        ...
