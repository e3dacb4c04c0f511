"""The keys that the platform encrypts with: the newest encrypts, every one of them decrypts."""

import base64
import hashlib
import os
import re
import secrets
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple, Self

from omniforge.errors import CiphertextInvalid, KeyInvalid, KeyMissing

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

KEY_BYTES = 32
# What AES-GCM is specified for. At random they are safe for four billion texts under one key.
NONCE_BYTES = 12

_VARIABLE = "OMNIFORGE_CREDENTIAL_KEYS"
# 32 bytes take 43 characters, and one that only fills up.
_BASE64 = re.compile(r"[A-Za-z0-9_-]{43}=?")


def new_key() -> str:
    """A fresh key: 32 random bytes in URL-safe base64."""
    return secrets.token_urlsafe(KEY_BYTES)


class Sealed(NamedTuple):
    """An encrypted text, and the id of its key. The nonce is the beginning of `data`."""

    key_id: str
    data: bytes


@dataclass(frozen=True, slots=True)
class Key:
    """One key. Its id is made from it, tells nothing of it, and may be shown."""

    id: str
    _secret: bytes = field(repr=False)

    @classmethod
    def of(cls, text: str) -> Self:
        """A key from its base64, in either alphabet.

        Raises:
            KeyInvalid: It is not 32 bytes in base64.
        """
        urlsafe = text.strip().replace("+", "-").replace("/", "_")
        if not _BASE64.fullmatch(urlsafe):
            raise KeyInvalid(
                f"It is not {KEY_BYTES} bytes in base64. `python -m api new-key` makes one."
            )
        secret = base64.urlsafe_b64decode(urlsafe[:43] + "=")
        return cls(hashlib.sha256(b"id of an OmniForge key:" + secret).hexdigest()[:12], secret)

    def cipher(self, purpose: str) -> "AESGCM":
        """AES-256-GCM under a key of its own for each purpose."""
        # Loading it takes 40 ms, which commands without secrets need not spend.
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM
        from cryptography.hazmat.primitives.hashes import SHA256
        from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand

        derived = HKDFExpand(SHA256(), KEY_BYTES, f"omniforge {purpose}".encode())
        return AESGCM(derived.derive(self._secret))


class KeyRing:
    """All keys of a process, the newest first. An empty one cannot encrypt."""

    def __init__(self, keys: Iterable[Key] = ()) -> None:
        self._keys = {key.id: key for key in keys}
        self._ciphers: dict[tuple[str, str], AESGCM] = {}

    @classmethod
    def of(cls, texts: Iterable[str]) -> Self:
        """The ring of these keys, the newest first.

        Raises:
            KeyInvalid: One of them is no key, or is there twice. The message says which.
        """
        keys: list[Key] = []
        for number, text in enumerate(texts, start=1):
            try:
                key = Key.of(text)
            except KeyInvalid as error:
                raise KeyInvalid(
                    f"{_VARIABLE}: key {number} cannot be used. {error.message}"
                ) from None
            if key in keys:
                raise KeyInvalid(
                    f"{_VARIABLE}: key {number} is the same as key {keys.index(key) + 1}. Remove"
                    " one of them."
                )
            keys.append(key)
        return cls(keys)

    def __bool__(self) -> bool:
        return bool(self._keys)

    def __repr__(self) -> str:
        return f"KeyRing({', '.join(self._keys)})"

    @property
    def ids(self) -> tuple[str, ...]:
        """The ids of all keys, the newest first."""
        return tuple(self._keys)

    @property
    def newest(self) -> str:
        """The id of the key that encrypts."""
        return next(iter(self._keys))

    def refuse_unless_known(self, key_id: str) -> None:
        """
        Raises:
            KeyMissing: This ring has no such key.
        """
        if key_id not in self._keys:
            known = f"only {', '.join(map(repr, self._keys))}" if self._keys else "no key at all"
            raise KeyMissing(
                key_id,
                f"The key {key_id!r} is needed to read what was encrypted with it, and this process"
                f" has {known}. Add it to {_VARIABLE}, behind the newest, and start again.",
            )

    def seal(self, purpose: str, text: bytes, bound: bytes) -> Sealed:
        """Encrypt under the newest key. Only who gives the same `purpose` and `bound` can open it."""
        key_id, nonce = self.newest, os.urandom(NONCE_BYTES)
        cipher = self._cipher(key_id, purpose)
        return Sealed(key_id, nonce + cipher.encrypt(nonce, text, _bound(key_id, bound)))

    def open(self, purpose: str, sealed: Sealed, bound: bytes) -> bytes:
        """What was sealed.

        Raises:
            KeyMissing: Its key is not in this ring.
            CiphertextInvalid: It was changed, or sealed for something else.
        """
        from cryptography.exceptions import InvalidTag

        self.refuse_unless_known(sealed.key_id)
        nonce, text = sealed.data[:NONCE_BYTES], sealed.data[NONCE_BYTES:]
        cipher = self._cipher(sealed.key_id, purpose)
        try:
            return cipher.decrypt(nonce, text, _bound(sealed.key_id, bound))
        except (InvalidTag, ValueError) as error:  # ValueError: too short to hold a nonce
            raise CiphertextInvalid(
                f"It does not open with its key {sealed.key_id!r}: it was changed after it was"
                " encrypted, or is something else."
            ) from error

    def _cipher(self, key_id: str, purpose: str) -> "AESGCM":
        if (key_id, purpose) not in self._ciphers:
            self._ciphers[key_id, purpose] = self._keys[key_id].cipher(purpose)
        return self._ciphers[key_id, purpose]


NO_KEYS = KeyRing()


def _bound(key_id: str, bound: bytes) -> bytes:
    return key_id.encode() + b"\0" + bound
