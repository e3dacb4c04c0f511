"""A real HTTP service that keeps idempotency keys and counts what it was asked and what it did."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Self

from tests.support.ports import free_port
from tests.support.servers import serving

Receive = Callable[[], Awaitable[dict[str, object]]]
Send = Callable[[dict[str, object]], Awaitable[None]]


class CountingHttpService:
    """`commits` holds each idempotency key once, at the moment its request arrived."""

    def __init__(self) -> None:
        self.requests: list[str] = []
        self.commits: set[str] = set()
        self._held = False
        self._news = asyncio.Condition()
        self._port = free_port()
        self.url = f"http://127.0.0.1:{self._port}/orders"

    def hold_next(self) -> None:
        """The next request is committed and never answered."""
        self._held = True

    async def arrived(self, count: int) -> None:
        async with asyncio.timeout(30), self._news:
            await self._news.wait_for(lambda: len(self.requests) >= count)

    async def __aenter__(self) -> Self:
        self._serving = serving(self._app, self._port)
        await self._serving.__aenter__()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._serving.__aexit__(None, None, None)

    async def _app(self, scope: dict[str, object], receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        headers = dict(scope["headers"])  # type: ignore[call-overload]  # ASGI: pairs of bytes
        key = headers.get(b"idempotency-key", b"").decode()
        async with self._news:
            self.requests.append(key)
            self.commits.add(key)
            self._news.notify_all()
        if self._held:
            self._held = False
            await receive()
            while (await receive())["type"] != "http.disconnect":
                pass
            return
        start = {
            "type": "http.response.start",
            "status": 201,
            "headers": [(b"content-type", b"application/json")],
        }
        await send(start)
        await send({"type": "http.response.body", "body": b'{"ok": true}'})
