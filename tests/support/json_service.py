"""An outside service to test against: real HTTP on loopback, its state in memory, faults on demand.

async with SlackApi() as slack:
    slack.fails_next(500)
    ...
    assert slack.writes == []
"""

import json
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Self
from urllib.parse import parse_qsl

from tests.support.ports import free_port
from tests.support.servers import serving

Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]


@dataclass(frozen=True)
class Asked:
    method: str
    path: str
    query: Mapping[str, str]
    json: Any
    headers: Mapping[str, str]


@dataclass(frozen=True)
class Told:
    body: Any = None
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    ending: Literal["whole", "cut"] = "whole"

    @property
    def content(self) -> bytes:
        return self.body if isinstance(self.body, bytes) else json.dumps(self.body).encode()


@dataclass(frozen=True)
class _Fault:
    told: Told
    has_acted: bool
    path: str


class JsonService:
    """`requests` holds all that was asked, `writes` what was asked with anything but GET."""

    def __init__(self) -> None:
        self.requests: list[Asked] = []
        self._faults: deque[_Fault] = deque()
        self._port = free_port()
        self.url = f"http://127.0.0.1:{self._port}"

    @property
    def writes(self) -> list[Asked]:
        return [each for each in self.requests if each.method != "GET"]

    def answer(self, asked: Asked) -> Told:
        raise NotImplementedError

    # ---- faults ------------------------------------------------------------------------------

    def tells_next(self, told: Told, *, path: str = "", has_acted: bool = False) -> None:
        """This is the answer to the next request, or the next one to a path."""
        self._faults.append(_Fault(told, has_acted, path))

    def fails_next(self, status: int, body: Any = None, *, times: int = 1, **headers: str) -> None:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        for _ in range(times):
            self.tells_next(Told(body if body is not None else {}, status, named))

    def cuts_next(self, *, has_acted: bool = True, path: str = "") -> None:
        """The line drops in the middle of the answer."""
        self.tells_next(Told({}, ending="cut"), has_acted=has_acted, path=path)

    def sends_html_next(self, status: int = 200) -> None:
        page = b"<!DOCTYPE html><html><body>We are being upgraded.</body></html>"
        self.tells_next(Told(page, status, {"content-type": "text/html; charset=utf-8"}))

    def sends_too_much_next(self) -> None:
        self.tells_next(Told(b'{"filler": "' + b"x" * 6_000_000 + b'"}'))

    # ---- running it --------------------------------------------------------------------------

    async def __aenter__(self) -> Self:
        self._serving = serving(self._app, self._port)
        await self._serving.__aenter__()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._serving.__aexit__(None, None, None)

    async def _app(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        body, more = b"", True
        while more:
            message = await receive()
            body += message.get("body", b"")
            more = message.get("more_body", False)
        asked = Asked(
            scope["method"],
            scope["path"],
            dict(parse_qsl(scope["query_string"].decode(), keep_blank_values=True)),
            _parsed(body),
            {name.decode(): value.decode() for name, value in scope["headers"]},
        )
        self.requests.append(asked)
        await self._tell(self._told(asked), send)

    def _told(self, asked: Asked) -> Told:
        if self._faults and self._faults[0].path in asked.path:
            fault = self._faults.popleft()
            if fault.has_acted:
                self.answer(asked)
            return fault.told
        return self.answer(asked)

    async def _tell(self, told: Told, send: Send) -> None:
        headers = {"content-type": "application/json", **told.headers}
        pairs = [(name.encode(), value.encode()) for name, value in headers.items()]
        content = told.content
        # What is announced and never sent makes the server drop the line.
        length = len(content) + (100 if told.ending == "cut" else 0)
        pairs.append((b"content-length", str(length).encode()))
        await send({"type": "http.response.start", "status": told.status, "headers": pairs})
        await send({"type": "http.response.body", "body": content})


def _parsed(body: bytes) -> Any:
    """JSON, or the fields of a form."""
    if not body:
        return None
    return json.loads(body) if body[:1] in b"[{" else dict(parse_qsl(body.decode()))
