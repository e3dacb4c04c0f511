"""A real HTTP server that does to a client what networks do."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from omniforge.client import OmniForgeClient


@dataclass(frozen=True, slots=True)
class Reply:
    """What happens to one connection. `body` is sent as it is, and then the line is closed.

    With `promised` the head announces more bytes than come; `hangs` keeps the line open instead.
    """

    body: bytes = b""
    status: int = 200
    kind: str = "application/json"
    promised: int = 0
    hangs: bool = False
    silent: bool = False

    @property
    def head(self) -> bytes:
        length = "" if self.kind == "text/event-stream" else len(self.body) + self.promised
        lines = [
            f"HTTP/1.1 {self.status} Said",
            f"content-type: {self.kind}",
            "connection: close",
            *([f"content-length: {length}"] if length != "" else ()),
        ]
        return "\r\n".join([*lines, "", ""]).encode()


@dataclass(frozen=True, slots=True)
class Received:
    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes


@dataclass
class Wire:
    """Gives each request the next of its replies, and the last one again when they run out."""

    url: str = ""
    replies: list[Reply] = field(default_factory=list)
    received: list[Received] = field(default_factory=list)

    def says(self, *replies: Reply) -> None:
        self.replies, self.received = list(replies), []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            self.received.append(await _request(reader))
            reply = self.replies.pop(0) if len(self.replies) > 1 else self.replies[0]
            if not reply.silent:
                writer.write(reply.head + reply.body)
                await writer.drain()
            if reply.hangs or reply.silent:
                await reader.read()
        except (ConnectionError, asyncio.IncompleteReadError):
            return
        finally:
            writer.close()


async def _request(reader: asyncio.StreamReader) -> Received:
    head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
    method, path, _ = head[0].split(" ")
    headers = dict(line.split(": ", 1) for line in head[1:] if line)
    named = {name.lower(): value for name, value in headers.items()}
    body = await reader.readexactly(int(named.get("content-length", "0")))
    return Received(method, path, named, body)


@asynccontextmanager
async def wire_server() -> AsyncIterator[Wire]:
    wire = Wire()
    server = await asyncio.start_server(wire.serve, "127.0.0.1", 0)
    wire.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    async with server:
        yield wire


def client_of(wire: Wire, **options: float) -> OmniForgeClient:
    return OmniForgeClient("of_sk_test", wire.url, **{"patience": 2.0, "timeout": 2.0, **options})


def answers(body: object, status: int = 200) -> Reply:
    return Reply(json.dumps(body).encode(), status)


def problem(code: str, detail: str, status: int, **more: object) -> Reply:
    body = {"type": f"urn:omniforge:problem:{code}", "title": "No", "status": status}
    text = json.dumps({**body, "detail": detail, "code": code, **more})
    return Reply(text.encode(), status, "application/problem+json")


CUT = Reply(b"{", promised=100)
"""The line drops in the middle of the answer."""

HTML = Reply(b"<html>Welcome</html>", kind="text/html")

STARTED = answers({"execution_id": "ex_1", "status": "pending"}, 202)

NO_AGENTS = answers({"agents": [], "next_cursor": None})


def event(seq: int, **body: Any) -> bytes:
    """One event as the API sends it."""
    kind = body.setdefault("type", "skill_started")
    if kind == "skill_started":
        body.setdefault("skill_name", f"skill-{seq}")
    whole = {"stream_id": "ex_1", "seq": seq, "at": "2026-11-20T09:00:00Z", "body": body}
    return f"event: {kind}\ndata: {json.dumps(whole)}\nid: {seq}\n\n".encode()


def finish(seq: int) -> bytes:
    return event(seq, type="run_finished", status="completed")


def stream(parts: Sequence[bytes], *, hangs: bool = False) -> Reply:
    """These bytes as an event stream; then the line is cut, or stays open and silent."""
    return Reply(b"".join(parts), kind="text/event-stream", hangs=hangs)
