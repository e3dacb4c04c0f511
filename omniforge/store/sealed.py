"""Secrets of triggers as their rows hold them: encrypted, each for its trigger alone."""

import base64
from collections.abc import Iterable
from datetime import datetime

from pydantic import AwareDatetime, BaseModel, TypeAdapter

from omniforge import clock
from omniforge.errors import KeyMissing
from omniforge.keys import KeyRing, Sealed
from omniforge.webhooks.secrets import Secret

_PURPOSE = "trigger secrets"


class SealedSecret(BaseModel, frozen=True):
    """One secret. Replaced, it is taken `until` its senders have heard; unread, it is still to be shown."""

    key_id: str
    data: str
    created_at: AwareDatetime
    until: AwareDatetime | None = None
    is_unread: bool = False


SealedSecrets = TypeAdapter(tuple[SealedSecret, ...])


def seal_secret(
    keys: KeyRing, tenant_id: str, trigger_id: str, value: str, *, is_unread: bool = False
) -> SealedSecret:
    """
    Raises:
        KeyMissing: This platform has no key to encrypt with.
    """
    if not keys:
        raise KeyMissing(
            "",
            "A trigger's secret is kept encrypted, and this platform has no key. Set"
            " OMNIFORGE_CREDENTIAL_KEYS; `python -m api new-key` makes one.",
        )
    sealed = keys.seal(_PURPOSE, value.encode(), _bound(tenant_id, trigger_id))
    return SealedSecret(
        key_id=sealed.key_id,
        data=base64.b64encode(sealed.data).decode(),
        created_at=clock.now(),
        is_unread=is_unread,
    )


def open_secret(keys: KeyRing, tenant_id: str, trigger_id: str, secret: SealedSecret) -> Secret:
    """
    Raises:
        KeyMissing: Its key is not in this ring.
        CiphertextInvalid: It was changed, or is another trigger's.
    """
    sealed = Sealed(secret.key_id, base64.b64decode(secret.data))
    value = keys.open(_PURPOSE, sealed, _bound(tenant_id, trigger_id))
    return Secret(value.decode(), secret.until)


def with_new(
    secrets: Iterable[SealedSecret], new: Iterable[SealedSecret], until: datetime
) -> tuple[SealedSecret, ...]:
    """The newest first; those before it end then, if they do not end sooner, and the ended are left out."""
    ending = [_ending(one, until) for one in secrets]
    return (*new, *(one for one in ending if one.until is None or one.until > clock.now()))


def _ending(secret: SealedSecret, until: datetime) -> SealedSecret:
    ends = until if secret.until is None else min(secret.until, until)
    return secret.model_copy(update={"until": ends})


def _bound(tenant_id: str, trigger_id: str) -> bytes:
    # No id holds a NUL, so no two places look alike.
    return f"{tenant_id}\0{trigger_id}".encode()
