"""Secrets at rest: each is encrypted with a key of its own, and that key with one of the platform's.

So a new platform key means that the small keys are wrapped anew; no secret is opened for it.
"""

import os
import struct
from dataclasses import astuple, dataclass
from typing import Protocol

from omniforge.errors import CiphertextInvalid, KeyMissing
from omniforge.keys import KEY_BYTES, NONCE_BYTES, KeyRing, Sealed

_PURPOSE = "vault"
_VERSION = b"\x01"
# Lengths of the key's id and of the wrapped key.
_LENGTHS = struct.Struct(">BH")


@dataclass(frozen=True, slots=True)
class Place:
    """Where a secret lies. Moved to any other place, it does not open."""

    tenant_id: str
    table: str
    row_id: str
    column: str

    @property
    def bound(self) -> bytes:
        # No id holds a NUL, so no two places look alike.
        return "\0".join(astuple(self)).encode()


class KeyProvider(Protocol):
    """Who holds the platform's keys: this process, or a key service that it asks."""

    @property
    def newest(self) -> str: ...

    async def wrap(self, key: bytes, bound: bytes) -> Sealed: ...

    async def unwrap(self, wrapped: Sealed, bound: bytes) -> bytes:
        """
        Raises:
            KeyMissing: It does not have the key that this was wrapped with.
            CiphertextInvalid: It was changed, or wrapped for another place.
        """
        ...


class LocalKeys:
    """The keys of `OMNIFORGE_CREDENTIAL_KEYS`."""

    def __init__(self, ring: KeyRing) -> None:
        self._ring = ring

    @property
    def newest(self) -> str:
        return self._ring.newest

    async def wrap(self, key: bytes, bound: bytes) -> Sealed:
        if not self._ring:
            raise KeyMissing(
                "",
                "Secrets are kept encrypted, and this platform has no key. Set"
                " OMNIFORGE_CREDENTIAL_KEYS; `python -m api new-key` makes one.",
            )
        return self._ring.seal(_PURPOSE, key, bound)

    async def unwrap(self, wrapped: Sealed, bound: bytes) -> bytes:
        return self._ring.open(_PURPOSE, wrapped, bound)


class Vault:
    """Encrypts and decrypts secrets of the database. What it gives away is never logged or stored."""

    def __init__(self, keys: KeyProvider) -> None:
        self._keys = keys

    async def seal(self, text: str, place: Place) -> bytes:
        key = os.urandom(KEY_BYTES)
        wrapped = await self._keys.wrap(key, place.bound)
        return _join(wrapped, _encrypted(key, text.encode(), place.bound))

    async def open(self, secret: bytes, place: Place) -> str:
        """
        Raises:
            KeyMissing: The platform's key that it needs is not in this process.
            CiphertextInvalid: It was changed, or belongs to another place.
        """
        wrapped, data = _parts(secret)
        return _decrypted(await self._keys.unwrap(wrapped, place.bound), data, place.bound).decode()

    async def rewrap(self, secret: bytes, place: Place) -> bytes | None:
        """The same secret under the newest of the platform's keys; None when it is under it already.

        Raises:
            KeyMissing, CiphertextInvalid: As `open` does.
        """
        wrapped, data = _parts(secret)
        if wrapped.key_id == self._keys.newest:
            return None
        key = await self._keys.unwrap(wrapped, place.bound)
        return _join(await self._keys.wrap(key, place.bound), data)


def key_of(secret: bytes) -> str:
    """The id of the platform's key that a secret needs."""
    return _parts(secret)[0].key_id


def _join(wrapped: Sealed, data: bytes) -> bytes:
    key_id = wrapped.key_id.encode()
    lengths = _LENGTHS.pack(len(key_id), len(wrapped.data))
    return _VERSION + lengths + key_id + wrapped.data + data


def _parts(secret: bytes) -> tuple[Sealed, bytes]:
    try:
        id_length, key_length = _LENGTHS.unpack_from(secret, 1)
        id_end = 1 + _LENGTHS.size + id_length
        key_id = secret[1 + _LENGTHS.size : id_end].decode("ascii")
    except (struct.error, UnicodeDecodeError) as error:
        raise _broken() from error
    key_end = id_end + key_length
    if secret[:1] != _VERSION or len(secret) < key_end:
        raise _broken()
    return Sealed(key_id, secret[id_end:key_end]), secret[key_end:]


def _encrypted(key: bytes, text: bytes, bound: bytes) -> bytes:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    nonce = os.urandom(NONCE_BYTES)
    return nonce + AESGCM(key).encrypt(nonce, text, bound)


def _decrypted(key: bytes, data: bytes, bound: bytes) -> bytes:
    from cryptography.exceptions import InvalidTag
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    try:
        return AESGCM(key).decrypt(data[:NONCE_BYTES], data[NONCE_BYTES:], bound)
    except (InvalidTag, ValueError) as error:  # ValueError: too short to hold a nonce
        raise _broken() from error


def _broken() -> CiphertextInvalid:
    return CiphertextInvalid(
        "A stored secret does not open: it was changed, or moved from where it was stored."
    )
