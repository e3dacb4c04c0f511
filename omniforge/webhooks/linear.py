"""Linear's webhooks: https://linear.app/developers/webhooks."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from omniforge.errors import DeliveryInvalid
from omniforge.webhooks.delivery import Handshake, Incoming, Provider, SecretFrom, Verified
from omniforge.webhooks.payloads import parse_payload
from omniforge.webhooks.secrets import Secret, taken
from omniforge.webhooks.signatures import (
    hmac_hex,
    name_of,
    refuse_unless_fresh,
    refuse_unless_known,
)

# What Linear's own SDK takes. Linear tries again for hours, so the time has to be that of the attempt.
_WINDOW = timedelta(minutes=1)
_YEAR_9999 = 253_402_300_800_000


class Linear(Provider):
    """Signs the body, in which the time of sending is. The id is in a header that is not signed."""

    name = "linear"
    secret_from = SecretFrom.SERVICE

    def read(
        self, request: Incoming, secrets: Sequence[Secret], now: datetime
    ) -> Verified | Handshake:
        signed = (hmac_hex(key, request.body) for key in taken(secrets, now))
        refuse_unless_known([request.header("Linear-Signature")], signed)
        payload = parse_payload(request.body, request.header("Content-Type"))
        sent = _time_of(payload.get("webhookTimestamp"))
        refuse_unless_fresh(sent, now, _WINDOW)
        kind = name_of("event type", payload.get("type"))
        action = name_of("action", payload.get("action"))
        delivery_id = name_of("id", request.header("Linear-Delivery"))
        return Verified(delivery_id, f"{kind}.{action}", payload, sent)


def _time_of(value: object) -> datetime:
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < _YEAR_9999:
        return datetime.fromtimestamp(value / 1_000, UTC)
    raise DeliveryInvalid("The delivery has no `webhookTimestamp` in milliseconds.")
