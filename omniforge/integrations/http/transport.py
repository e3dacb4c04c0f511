"""The wire to one service: where it may lead, how long, and how much it may bring."""

import asyncio
import json
from ipaddress import ip_address

import httpx2

from omniforge.errors import (
    ServiceAddressInvalid,
    ServiceAnswerInvalid,
    ServiceUnavailable,
    TryAgain,
)
from omniforge.integrations.http.calls import Answer, Call
from omniforge.integrations.http.service import Service
from omniforge.tools.egress import Destination, Egress, PinnedTransport

MAX_ANSWER_BYTES = 5_000_000
# Of an error only the words matter.
MAX_ERROR_BYTES = 64_000
MAX_REDIRECTS = 3
CONNECT_SECONDS = 10.0
# Services move to other addresses without telling; a checked one is kept for a minute.
ADDRESS_LIFETIME = 60.0
# Of what is left of the time, so that a connection that does not come about is told from a lost answer.
_SHARE_OF_CONNECTING = 0.9

_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_AGENT = "OmniForge"


class NotSent(Exception):
    """No connection came about, so nothing was sent."""


class Lost(Exception):
    """The request may have arrived, and no usable answer came. `error` is what that is for a read."""

    def __init__(self, reason: str, error: type[ServiceUnavailable | ServiceAnswerInvalid]) -> None:
        super().__init__(reason)
        self.reason, self.error = reason, error


class Transport:
    """One client for all calls of this process to a service, at its public address or another one.

    An operator's own address may be a private one; only on loopback it may do without TLS.
    """

    def __init__(self, service: Service, base_url: str | None = None) -> None:
        """Raises:
        ServiceAddressInvalid: The address is not https, or not an address.
        """
        self.service = service
        self.base_url = _checked(service.title, base_url or service.base_url)
        url = httpx2.URL(self.base_url)
        egress = Egress([url.host] if base_url else [])
        self._client = httpx2.AsyncClient(
            transport=_CheckedTransport(self.base_url, egress),
            headers={"user-agent": _AGENT, "accept-encoding": "identity"},
            trust_env=False,
        )

    async def exchange(self, call: Call, headers: dict[str, str], deadline: float) -> Answer:
        """Send a call once and read its answer. A GET follows redirects that stay with the host.

        Raises:
            NotSent: Nothing left this machine.
            Lost: It may have arrived; the answer is late, broken off, too large or not JSON.
        """
        request = self._client.build_request(
            call.method,
            call.url(self.base_url),
            headers={**headers, **call.headers},
            json=call.json,
        )
        follows = call.method == "GET"
        for _ in range(MAX_REDIRECTS):
            answer = await self._once(request, deadline)
            target = _same_host(request.url, answer) if follows else None
            if target is None:
                return answer
            request = self._client.build_request("GET", target, headers={**headers, **call.headers})
        raise Lost("it redirects in a circle", ServiceAnswerInvalid)

    async def aclose(self) -> None:
        await self._client.aclose()

    async def _once(self, request: httpx2.Request, deadline: float) -> Answer:
        left = deadline - asyncio.get_running_loop().time()
        if left <= 0:
            raise NotSent("there was no time left for it")
        connecting = left * _SHARE_OF_CONNECTING
        timeout = httpx2.Timeout(left, connect=min(CONNECT_SECONDS, connecting), pool=connecting)
        request.extensions = {**request.extensions, "timeout": timeout.as_dict()}
        try:
            async with asyncio.timeout_at(deadline):
                return await self._received(request)
        except (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.PoolTimeout) as error:
            raise NotSent(f"no connection came about: {_reason(error)}") from error
        except (httpx2.LocalProtocolError, httpx2.UnsupportedProtocol, TryAgain) as error:
            raise NotSent(_reason(error)) from error
        except (TimeoutError, httpx2.TimeoutException) as error:
            raise Lost("it gave no answer in time", ServiceUnavailable) from error
        except httpx2.HTTPError as error:
            raise Lost(f"the connection broke off: {_reason(error)}", ServiceUnavailable) from error

    async def _received(self, request: httpx2.Request) -> Answer:
        response = await self._client.send(request, stream=True, follow_redirects=False)
        try:
            body = await (_error(response) if response.status_code >= 300 else _body(response))
        finally:
            await response.aclose()
        return Answer(response.status_code, response.headers, body)


class _CheckedTransport(PinnedTransport):
    """Connects to addresses that were checked a moment ago, whatever DNS said when the process began."""

    def __init__(self, base_url: str, egress: Egress) -> None:
        super().__init__(Destination(httpx2.URL(base_url), ()))
        self._base_url, self._egress, self._until = base_url, egress, 0.0

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        now = asyncio.get_running_loop().time()
        if now >= self._until:
            self._destination = await self._egress.check(self._base_url)
            self._until = now + ADDRESS_LIFETIME
        return await super().handle_async_request(request)


async def _body(response: httpx2.Response) -> object:
    """The JSON of an answer; None when there is none.

    Raises:
        Lost: It is too long, or not JSON.
    """
    content = await _content(response, MAX_ANSWER_BYTES)
    try:
        return json.loads(content) if content else None
    except (ValueError, RecursionError):
        kind = response.headers.get("content-type", "").partition(";")[0].strip()
        said = f"its answer is not JSON ({kind or 'no content type'})"
        raise Lost(said, ServiceAnswerInvalid) from None


async def _error(response: httpx2.Response) -> object:
    """What is said with an error. It may be told in another form, or not to the end: its status counts."""
    try:
        return json.loads(await _content(response, MAX_ERROR_BYTES))
    except (Lost, httpx2.HTTPError, ValueError, RecursionError):
        return None


async def _content(response: httpx2.Response, limit: int) -> bytes:
    if response.headers.get("content-encoding", "identity").casefold() != "identity":
        raise Lost("its answer is packed in a way that was not asked for", ServiceAnswerInvalid)
    content = bytearray()
    async for chunk in response.aiter_raw():
        content += chunk
        if len(content) > limit:
            raise Lost(f"its answer has more than {limit:,} bytes", ServiceAnswerInvalid)
    return bytes(content)


def _same_host(url: httpx2.URL, answer: Answer) -> httpx2.URL | None:
    """Where a redirect leads, if that is the same service."""
    location = answer.headers.get("location")
    if answer.status not in _REDIRECTS or not location:
        return None
    try:
        target = url.join(location)
    except (httpx2.InvalidURL, ValueError):
        return None
    is_same = (target.scheme, target.host, target.port) == (url.scheme, url.host, url.port)
    return target if is_same and not target.userinfo else None


def _checked(title: str, base_url: str) -> str:
    try:
        url = httpx2.URL(base_url)
    except (httpx2.InvalidURL, ValueError) as error:
        raise ServiceAddressInvalid(f"{base_url!r} is no address for {title}: {error}") from error
    if not url.host or url.userinfo or url.query or url.fragment:
        raise ServiceAddressInvalid(
            f"{title} needs an address such as 'https://host/path', without credentials or a query."
        )
    if url.scheme != "https" and not (url.scheme == "http" and _is_loopback(url.host)):
        raise ServiceAddressInvalid(
            f"{base_url!r} cannot be used for {title}: tokens travel over https only, except to this"
            " very machine."
        )
    return base_url.rstrip("/")


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _reason(error: Exception) -> str:
    return str(error).rstrip(".") or type(error).__name__
