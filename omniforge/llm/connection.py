"""A provider's address, its key, and what is said when nothing answers there."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar
from urllib.parse import urlsplit

from omniforge.errors import ModelAuthFailed, ModelUnreachable
from omniforge.llm.failures import Provider


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Seconds. `read` is the longest silence: a working stream sends at least a ping more often."""

    connect: float = 10.0
    read: float = 120.0


@dataclass(frozen=True, slots=True)
class Endpoint:
    """`key` is empty where the server wants none. It is in no message that is made here."""

    provider: Provider
    url: str
    key: str
    timeouts: Timeouts

    @property
    def host(self) -> str:
        parts = urlsplit(self.url)
        return f"{parts.hostname}:{parts.port}" if parts.port else str(parts.hostname)

    def silent(self) -> ModelUnreachable:
        limits = f"connect {self.timeouts.connect:g} s, silence {self.timeouts.read:g} s"
        return ModelUnreachable(
            f"{self.provider.title} at {self.host} did not answer in time ({limits})."
        )

    def lost(self, error: Exception) -> ModelUnreachable:
        cause = error.__cause__ or error
        words = self.without_key(f"{type(cause).__name__}: {cause}".rstrip(": "))
        return ModelUnreachable(
            f"{self.provider.title} at {self.host}: the connection failed ({words})."
        )

    def without_key(self, text: str) -> str:
        return text.replace(self.key, "***") if self.key else text


def checked_key(api_key: str, provider: Provider) -> str:
    """The key without the blanks around it.

    Raises:
        ModelAuthFailed: It is empty, or cannot be a key.
    """
    key = api_key.strip()
    if key and key.isascii() and key.isprintable() and " " not in key:
        return key
    state = "is not a key" if key else "is empty"
    raise ModelAuthFailed(
        f"The API key for {provider.title} {state}. Set {provider.key_variable} and start the worker again."
    )


class Closable(Protocol):
    async def close(self) -> None: ...


Client = TypeVar("Client", bound=Closable)


class LazyClient(Generic[Client]):
    """An SDK's client, loaded and opened when it is first asked for, and again after a close."""

    def __init__(self, open_client: Callable[[], Client]) -> None:
        self._open = open_client
        self._client: Client | None = None
        self._opening = asyncio.Lock()

    async def get(self) -> Client:
        async with self._opening:
            if self._client is None:
                # In a thread: loading an SDK takes a second, and other runs beat meanwhile.
                self._client = await asyncio.to_thread(self._open)
            return self._client

    async def close(self) -> None:
        client, self._client = self._client, None
        if client is not None:
            await client.close()
