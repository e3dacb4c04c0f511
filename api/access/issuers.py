"""The public keys of an issuer: one that is configured, or those it publishes."""

import asyncio
import contextlib
import json
import time
from collections.abc import Callable
from typing import Protocol

import httpx2
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, KeySet, OctKey, OKPKey, RSAKey

from omniforge.errors import IssuerUnavailable, Rejected, TryAgain
from omniforge.tools.builtin.exchange import Outgoing, exchange
from omniforge.tools.egress import Egress

Key = RSAKey | ECKey | OKPKey

# A key that the issuer withdrew is good for so long; one it added is looked for at once.
KEPT_S = 600.0
# How often, at most, an unknown `kid` makes us ask: anybody can invent one.
PAUSE_S = 30.0
# How long keys are good that can no longer be asked for.
STALE_S = 3_600.0
TIMEOUT_S = 5.0


class Keys(Protocol):
    """Where public keys come from."""

    async def get(self, kid: str | None) -> Key | None:
        """The key of that id; without an id, the only one there is."""
        ...


class PinnedKey:
    """The one key of an issuer, whatever a token calls it."""

    def __init__(self, pem: str) -> None:
        # In a variable, the ends of lines are often written out.
        self._key = _public_key(pem.replace("\\n", "\n"))

    async def get(self, kid: str | None) -> Key | None:
        return self._key


class PublishedKeys:
    """The keys behind a URL, kept for a while and asked for again when one is missing."""

    def __init__(self, url: str, egress: Egress, now: Callable[[], float] = time.monotonic) -> None:
        self._url, self._egress, self._now = url, egress, now
        self._keys: KeySet | None = None
        self._fetched = self._asked = -STALE_S
        self._asking = asyncio.Lock()

    async def get(self, kid: str | None) -> Key | None:
        """
        Raises:
            IssuerUnavailable: They cannot be fetched, and those of before are too old.
        """
        if self._lacks(kid):
            async with self._asking:
                if self._lacks(kid) and self._now() - self._asked >= PAUSE_S:
                    await self._ask()
        if self._keys is None or self._now() - self._fetched > STALE_S:
            raise IssuerUnavailable("The issuer's keys cannot be fetched. Try again later.")
        return _found(self._keys, kid)

    def _lacks(self, kid: str | None) -> bool:
        is_old = self._now() - self._fetched > KEPT_S
        return is_old or self._keys is None or _found(self._keys, kid) is None

    async def _ask(self) -> None:
        self._asked = self._now()
        try:
            destination = await self._egress.check(self._url)
            answer = await exchange(destination, Outgoing("GET", {}), TIMEOUT_S)
            if answer.status == httpx2.codes.OK and not (answer.is_cut or answer.is_broken):
                self._keys = KeySet.import_key_set(json.loads(answer.content))
                self._fetched = self._now()
        except (TryAgain, TimeoutError, httpx2.HTTPError, JoseError, ValueError, LookupError):
            return  # what is known stays good for a while


def _public_key(pem: str) -> Key:
    """
    Raises:
        Rejected: It is none, or a private one.
    """
    for kind in (RSAKey, ECKey, OKPKey):
        with contextlib.suppress(JoseError, ValueError):
            key = kind.import_key(pem)
            if not key.is_private:
                return key
    raise Rejected("OMNIFORGE_JWT_PUBLIC_KEY has to be a public key (RSA, EC or Ed25519), as PEM.")


def _found(keys: KeySet, kid: str | None) -> Key | None:
    usable = [key for key in keys if not isinstance(key, OctKey)]
    if kid is None:
        return usable[0] if len(usable) == 1 else None
    return next((key for key in usable if key.kid == kid), None)
