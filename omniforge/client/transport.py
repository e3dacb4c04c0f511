"""Requests that survive a moment without a platform."""

import asyncio
import base64
import time
from collections.abc import Iterator, Mapping
from ipaddress import ip_address
from typing import Any, TypeVar

import httpx2
from pydantic import BaseModel, ValidationError

from omniforge.client.errors import PlatformUnreachable, error_of, unreadable
from omniforge.client.models import Page
from omniforge.errors import Rejected, Unauthenticated

M = TypeVar("M", bound=BaseModel)

Files = Mapping[str, bytes]
"""Path in a run's workspace -> content."""

_FIRST_PAUSE = 0.1
_LONGEST_PAUSE = 2.0

# The request cannot have reached anybody.
_NEVER_SENT = (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.PoolTimeout)


class Transport:
    """One platform over HTTP. `patience` is how many seconds a request may be tried again for."""

    def __init__(self, api_key: str, base_url: str, timeout: float, patience: float) -> None:
        self.base_url = base_url.rstrip("/")
        self._patience = patience
        self.http = httpx2.AsyncClient(
            base_url=_checked(self.base_url),
            headers={"Authorization": f"Bearer {_usable(api_key)}"},
            timeout=httpx2.Timeout(timeout, connect=min(timeout, 10.0)),
            # A proxy of the environment cannot reach what listens on this machine only.
            trust_env=not is_this_machine(self.base_url),
        )

    async def get(self, path: str, kind: type[M], **params: Any) -> M:
        return _read(await self.fetch(path, **params), kind)

    async def page(self, path: str, plural: str, kind: type[M], /, **params: Any) -> Page[M]:
        response = await self.fetch(path, **params)
        try:
            body = response.json()
            items = tuple(kind.model_validate(item) for item in body[plural])
            return Page(items, body.get("next_cursor"))
        except (ValueError, LookupError, TypeError) as error:
            raise unreadable(response, _first_line(error)) from error

    async def fetch(self, path: str, **params: Any) -> httpx2.Response:
        given = {name: value for name, value in params.items() if value is not None}
        return await self.send("GET", path, repeatable=True, params=given)

    async def post(self, path: str, kind: type[M], *, repeatable: bool = False, **parts: Any) -> M:
        return _read(await self.send("POST", path, repeatable=repeatable, **parts), kind)

    async def put(self, path: str, kind: type[M], **parts: Any) -> M:
        return _read(await self.send("PUT", path, repeatable=True, **parts), kind)

    async def patch(self, path: str, kind: type[M], **parts: Any) -> M:
        return _read(await self.send("PATCH", path, repeatable=True, **parts), kind)

    async def send(
        self, method: str, path: str, *, repeatable: bool, **parts: Any
    ) -> httpx2.Response:
        """Send a request until it is answered; one that is not `repeatable` only until it is sent.

        Raises:
            PlatformUnreachable: There was no answer.
            OmniForgeError: The answer is an error, as the class it had on the platform.
        """
        end = time.monotonic() + self._patience
        for pause in pauses():
            try:
                response = await self.http.request(method, path, **parts)
                break
            except httpx2.TransportError as error:
                may_repeat = repeatable or isinstance(error, _NEVER_SENT)
                if not may_repeat or time.monotonic() + pause > end:
                    raise self.unreachable(error) from error
            await asyncio.sleep(pause)
        if not response.is_success:
            raise error_of(response)
        return response

    def unreachable(self, error: Exception) -> PlatformUnreachable:
        return PlatformUnreachable(self.base_url, _first_line(error))


def packed(files: Files) -> dict[str, dict[str, str]]:
    """Files as they stand in a request's JSON."""
    return {path: {"base64": base64.b64encode(content).decode()} for path, content in files.items()}


def pauses() -> Iterator[float]:
    """Seconds to wait before one more try: short at first, without end."""
    pause = _FIRST_PAUSE
    while True:
        yield pause
        pause = min(pause * 2, _LONGEST_PAUSE)


def _read(response: httpx2.Response, kind: type[M]) -> M:
    try:
        return kind.model_validate_json(response.content)
    except ValidationError as error:
        raise unreadable(response, _first_line(error)) from error


def _first_line(error: Exception) -> str:
    if isinstance(error, ValidationError):
        first = error.errors(include_url=False)[0]
        return ": ".join(filter(None, (".".join(map(str, first["loc"])), first["msg"])))
    return next(iter(str(error).splitlines()), "") or _in_words(type(error).__name__)


def _in_words(name: str) -> str:
    spaced = "".join(f" {each.lower()}" if each.isupper() else each for each in name)
    return spaced.strip().replace("read timeout", "it did not answer in time")


def _checked(base_url: str) -> str:
    try:
        url = httpx2.URL(base_url)
    except httpx2.InvalidURL as error:
        raise Rejected(f"{base_url!r} is not an address: {error}.") from error
    if url.scheme not in {"http", "https"} or not url.host:
        raise Rejected(f"{base_url!r} is not an address like http://localhost:8000.")
    return base_url


def _usable(api_key: str) -> str:
    if not api_key.isascii() or not api_key.isprintable() or " " in api_key or not api_key:
        raise Unauthenticated("The API key is not one: keys look like `of_sk_...`.")
    return api_key


def is_this_machine(url: str) -> bool:
    """Whether an address is of the loopback, which no proxy can reach for us."""
    host = httpx2.URL(url).host
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")
