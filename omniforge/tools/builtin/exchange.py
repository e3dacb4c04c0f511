"""One HTTP request to a checked destination, and as much of the answer as a tool may hold."""

import asyncio
import json
import zlib
from collections.abc import Mapping
from dataclasses import dataclass

import httpx2

from omniforge.errors import TryAgain
from omniforge.journal.steps import Json
from omniforge.tools.content import binary_kind
from omniforge.tools.egress import Destination, PinnedTransport

MAX_BODY_BYTES = 1_000_000
# A host that does not answer the door in this time is down; what is left is for its work.
CONNECT_SECONDS = 10.0

_TOKEN = frozenset("!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyz")
_TRANSPORT_HEADERS_TEXT = """
    host content-length transfer-encoding connection cookie set-cookie te trailer upgrade expect
    keep-alive accept-encoding
"""
_TRANSPORT_HEADERS = frozenset(_TRANSPORT_HEADERS_TEXT.split())
_INFLATING = {"gzip": 31, "x-gzip": 31, "deflate": 15}


@dataclass(frozen=True, slots=True)
class Outgoing:
    """What to send."""

    method: str
    headers: Mapping[str, str]
    content: bytes = b""


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back. `is_cut`: the body was longer than a tool may hold. `is_broken`: it broke off."""

    status: int
    headers: httpx2.Headers
    content: bytes
    is_cut: bool = False
    is_broken: bool = False

    @property
    def content_type(self) -> str:
        return self.headers.get("content-type", "").partition(";")[0].strip().casefold()

    @property
    def binary_kind(self) -> str | None:
        """What the body is when it is not text."""
        if self.headers.get("content-encoding", "identity").casefold() not in {
            "identity",
            *_INFLATING,
        }:
            return "packed in a way that was not asked for"
        return binary_kind(self.content) if self.content else None

    def body(self) -> Json:
        """JSON when the content type says so and it parses; text otherwise."""
        text = self.content.decode(_charset(self.headers), "replace")
        if self.content_type == "application/json" or self.content_type.endswith("+json"):
            try:
                return json.loads(text, parse_constant=_no_constant)
            except (ValueError, RecursionError):
                return text
        return text


async def exchange(destination: Destination, outgoing: Outgoing, seconds: float) -> Answer:
    """Send a request once, following no redirect, and read the answer within the given time.

    When the status came but the rest did not, the answer is marked as broken.

    Raises:
        TimeoutError: No status came in time.
        httpx2.HTTPError: As httpx2 has it; connection errors mean that nothing was sent.
    """
    deadline = asyncio.get_running_loop().time() + seconds
    timeout = httpx2.Timeout(seconds, connect=min(CONNECT_SECONDS, seconds))
    async with httpx2.AsyncClient(
        transport=PinnedTransport(destination), trust_env=False, timeout=timeout
    ) as client:
        request = client.build_request(
            outgoing.method,
            destination.url,
            headers={**outgoing.headers, "accept-encoding": "identity"},
            content=outgoing.content or None,
        )
        async with asyncio.timeout_at(deadline):
            response = await client.send(request, stream=True, follow_redirects=False)
        try:
            return await _read(response, deadline)
        finally:
            await response.aclose()


async def _read(response: httpx2.Response, deadline: float) -> Answer:
    content, is_broken = bytearray(), False
    try:
        async with asyncio.timeout_at(deadline):
            async for chunk in response.aiter_raw():
                content += chunk
                if len(content) > MAX_BODY_BYTES:
                    break
    except (TimeoutError, httpx2.HTTPError):
        is_broken = True
    encoding = response.headers.get("content-encoding", "").casefold()
    plain = _inflated(bytes(content), encoding)
    return Answer(
        status=response.status_code,
        headers=response.headers,
        content=plain[:MAX_BODY_BYTES],
        is_cut=max(len(plain), len(content)) > MAX_BODY_BYTES,
        is_broken=is_broken,
    )


def _inflated(content: bytes, encoding: str) -> bytes:
    """Some servers pack what was asked for plain; unpacked it is held to the same limit."""
    if encoding not in _INFLATING:
        return content
    try:
        unpacker = zlib.decompressobj(_INFLATING[encoding])
        return unpacker.decompress(content, MAX_BODY_BYTES + 1)
    except zlib.error:
        return content


def _charset(headers: httpx2.Headers) -> str:
    _, _, after = headers.get("content-type", "").casefold().partition("charset=")
    name = after.split(";")[0].strip(" \"'")
    try:
        "".encode(name or "utf-8")
    except (LookupError, ValueError):
        return "utf-8"
    return name or "utf-8"


def _no_constant(name: str) -> None:
    """NaN and Infinity are not JSON; they are read as null."""


def checked_headers(headers: Mapping[str, str]) -> dict[str, str]:
    """Headers that may be sent, in lower case.

    Raises:
        TryAgain: One is malformed, would split the request, or belongs to the transport.
    """
    checked = {}
    for name, value in headers.items():
        lower = name.strip().casefold()
        if (
            not lower
            or not _TOKEN.issuperset(lower)
            or not value.isascii()
            or not value.isprintable()
        ):
            raise TryAgain(f"The header {name!r} has characters that headers cannot hold.")
        if lower in _TRANSPORT_HEADERS or lower.startswith("proxy-"):
            raise TryAgain(f"The header {name!r} cannot be set; leave it out.")
        checked[lower] = value.strip()
    return checked
