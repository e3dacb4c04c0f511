"""What every provider's check is made of: keyed hashes, equality without a clock, windows of time."""

import hashlib
import hmac
import re
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

from omniforge.errors import DeliveryInvalid, DeliveryStale, SignatureInvalid

# ASCII without blanks and braces: see `custom`, where an id and a body are signed as one text.
_NAME = re.compile(r"[!-z|~]{1,200}")
_UNIX = re.compile(r"[0-9]{1,11}")


def hmac_hex(key: str, message: bytes) -> str:
    return hmac.new(key.encode(), message, hashlib.sha256).hexdigest()


def refuse_unless_known(claimed: Iterable[str], expected: Iterable[str]) -> None:
    """Each is compared with each in constant time, so that the time of an answer tells nothing.

    Raises:
        SignatureInvalid: None of what is claimed was expected.
    """
    given = [one.encode("utf-8", "surrogatepass") for one in claimed]
    right = [one.encode() for one in expected]
    matches = [hmac.compare_digest(one, other) for one in given for other in right]
    if not any(matches):
        raise SignatureInvalid


def refuse_unless_fresh(sent: datetime, now: datetime, window: timedelta) -> None:
    """
    Raises:
        DeliveryStale: It was sent before the window, or so far in the future.
    """
    if abs(now - sent) > window:
        raise DeliveryStale


def unix_time(text: str) -> datetime:
    """A header's time in seconds.

    Raises:
        SignatureInvalid: It is none, so what was signed with it cannot be told.
    """
    if not _UNIX.fullmatch(text):
        raise SignatureInvalid
    return datetime.fromtimestamp(int(text), UTC)


def name_of(what: str, value: object) -> str:
    """An id or a type of an event, if it can be one.

    Raises:
        DeliveryInvalid: It is missing, too long, or has signs in it that no service uses.
    """
    if isinstance(value, str) and _NAME.fullmatch(value):
        return value
    raise DeliveryInvalid(f"The delivery has no {what} that could be one.")
