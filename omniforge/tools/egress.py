"""Where tools may connect to: public addresses, and private ones by name only."""

import asyncio
import ipaddress
import socket
import ssl
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cache

import httpx2

from omniforge.errors import TryAgain
from omniforge.tools.wording import shortened

Resolve = Callable[[str, int], Awaitable[Sequence[str]]]

# Long enough for a slow name server; nothing has been sent by then.
RESOLVE_SECONDS = 5.0

_DEFAULT_PORTS = {"http": 80, "https": 443}
_REFUSED_NETWORKS = tuple(
    ipaddress.ip_network(network)
    for network in (
        "100.64.0.0/10",  # carrier-grade NAT, and a cloud's metadata service
        "168.63.129.16/32",  # Azure's internal services: public range, private meaning
        "192.0.0.0/24",  # protocol assignments, and a cloud's metadata service
        "192.88.99.0/24",  # 6to4 relays
        "::/96",  # IPv4-compatible: holds an IPv4 address
        "64:ff9b::/96",  # NAT64: holds an IPv4 address
        "64:ff9b:1::/48",  # NAT64 inside a network
        "2001::/32",  # Teredo: holds an IPv4 address
        "2002::/16",  # 6to4: holds an IPv4 address
        "fec0::/10",  # the site-local range of old
    )
)


def is_public(address: str) -> bool:
    """Whether an address belongs to the open internet, also behind a mapped or embedded spelling."""
    ip = ipaddress.ip_address(address)
    if isinstance(ip, ipaddress.IPv6Address) and ip.ipv4_mapped is not None:
        ip = ip.ipv4_mapped
    in_refused = any(
        ip in network for network in _REFUSED_NETWORKS if network.version == ip.version
    )
    return ip.is_global and not (ip.is_multicast or ip.is_reserved or in_refused)


@dataclass(frozen=True, slots=True)
class Destination:
    """A checked URL and the only addresses a connection for it may go to."""

    url: httpx2.URL
    addresses: tuple[str, ...]


class Egress:
    """The rules for outgoing requests. `allow_private` lists `host` or `host:port` that are exempt."""

    def __init__(self, allow_private: Iterable[str] = (), resolve: Resolve | None = None) -> None:
        self._allowed = frozenset(name.strip().casefold() for name in allow_private)
        self._resolve = resolve or _resolve

    async def check(self, url: str) -> Destination:
        """Resolve a URL's host once and judge every address behind it.

        Raises:
            TryAgain: The URL is malformed, carries credentials, is not http(s), does not resolve, or
                leads to an address that is not public.
        """
        parsed = _parsed(url)
        host, port = _ascii_host(parsed), parsed.port or _DEFAULT_PORTS[parsed.scheme]
        addresses = tuple(dict.fromkeys(await self._addresses(host, port)))
        if not self._is_allowed(host, port) and not all(map(is_public, addresses)):
            raise TryAgain(
                f"{host} leads to a private or reserved address, and tools may reach public ones only."
                " An operator can allow this host by name."
            )
        return Destination(parsed, addresses)

    def _is_allowed(self, host: str, port: int) -> bool:
        name = host.casefold()
        return bool({name, f"{name}:{port}", f"[{name}]:{port}"} & self._allowed)

    async def _addresses(self, host: str, port: int) -> Sequence[str]:
        try:
            async with asyncio.timeout(RESOLVE_SECONDS):
                found = await self._resolve(host, port)
        except (OSError, TimeoutError, UnicodeError) as error:
            raise TryAgain(f"The host {shortened(host)!r} could not be resolved.") from error
        if not found:
            raise TryAgain(f"The host {shortened(host)!r} has no address.")
        return found


class PinnedTransport(httpx2.AsyncHTTPTransport):
    """Connects to a destination's checked addresses and nowhere else, whatever DNS says by now.

    The Host header and the name that TLS verifies stay the URL's. The next address is tried only
    when no connection came about, so nothing is ever sent twice.
    """

    def __init__(self, destination: Destination) -> None:
        super().__init__(verify=_tls(), trust_env=False)
        self._destination = destination

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        host = request.url.host
        if host != self._destination.url.host:
            raise httpx2.UnsupportedProtocol(f"{host} was not checked.", request=request)
        request.extensions = {**request.extensions, "sni_hostname": _ascii_host(request.url)}
        *first, last = self._destination.addresses
        for address in first:
            try:
                return await self._send(request, address)
            except (httpx2.ConnectError, httpx2.ConnectTimeout):
                continue
        return await self._send(request, last)

    async def _send(self, request: httpx2.Request, address: str) -> httpx2.Response:
        pinned = httpx2.Request(
            method=request.method,
            url=request.url.copy_with(host=address),
            headers=request.headers,
            stream=request.stream,
            extensions=request.extensions,
        )
        return await super().handle_async_request(pinned)


@cache
def _tls() -> ssl.SSLContext:
    return httpx2.create_ssl_context(trust_env=False)


def _ascii_host(url: httpx2.URL) -> str:
    """The host as DNS and TLS know it: in punycode, without the dot at the end."""
    return url.raw_host.decode("ascii").rstrip(".")


def _parsed(url: str) -> httpx2.URL:
    try:
        parsed = httpx2.URL(url)
    except (httpx2.InvalidURL, ValueError) as error:
        raise TryAgain(f"{shortened(url)!r} is not a URL: {error}") from error
    if parsed.scheme not in _DEFAULT_PORTS:
        raise TryAgain(f"{shortened(url)!r} must start with http:// or https://.")
    if parsed.userinfo:
        raise TryAgain("A URL must not carry a user name or password.")
    if not parsed.host or not 0 < (parsed.port or 80) < 65_536:
        raise TryAgain(f"{shortened(url)!r} names no host, or a port that cannot be.")
    return parsed


async def _resolve(host: str, port: int) -> Sequence[str]:
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    # IPv4 first: many servers have an IPv6 address and no route to it.
    found.sort(key=lambda entry: entry[0] != socket.AF_INET)
    return [str(entry[4][0]) for entry in found]
