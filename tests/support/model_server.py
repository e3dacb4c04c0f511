"""A model provider to test against: a real HTTP server that speaks its wire protocol, Anthropic's
Messages API or (`ChatApi`) OpenAI's Chat Completions.

It runs in its own thread, so a worker in another process can use it (`ANTHROPIC_BASE_URL`) while
the test is busy. A test says what the model answers; the server keeps what it was asked.

    async with ModelServer() as server:
        server.calls("table_query", {"table": "tasks"})
        server.answers("3 tasks are late.")
        ...
        assert server.requests[1].answers[0]["content"] == "..."
"""

import asyncio
import itertools
import json
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from types import TracebackType
from typing import Any, Self

from tests.support.messages_api import (
    MessagesApi,
    Received,
    Reply,
    WireApi,
    calls_reply,
    text_reply,
)

__all__ = ["ModelServer", "Received", "Reply", "calls_reply", "text_reply"]

Matching = Callable[[Received], bool]


@dataclass(slots=True)
class _Line:
    reply: Reply
    when: Matching | None
    times: int | None

    def fits(self, request: Received) -> bool:
        return self.times != 0 and (self.when is None or self.when(request))

    def use(self) -> Reply:
        if self.times is not None:
            self.times -= 1
        return self.reply


class ModelServer:
    """Scripted by the test. Each line of the script answers one request, in the order written.

    `when` makes a line answer only requests it is true of; `times` says how often a line answers
    (None: always). `decides` hands a request to a function first. A request that nothing in the
    script answers gets a 400 that says so.
    """

    def __init__(self, api: WireApi | None = None) -> None:
        self.requests: list[Received] = []
        self._api: WireApi = api or MessagesApi()
        self._script: list[_Line] = []
        self._deciding: list[Callable[[Received], Reply | None]] = []
        self._numbers = itertools.count(1)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._serve, name="model-server", daemon=True)
        self._is_up = threading.Event()
        self._stopping = asyncio.Event()
        self._port = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    # ---- the script --------------------------------------------------------------------------

    def replies(self, reply: Reply, when: Matching | None = None, times: int | None = 1) -> None:
        self._script.append(_Line(reply, when, times))

    def answers(
        self, text: str, *, when: Matching | None = None, times: int | None = 1, **usage: int
    ) -> None:
        self.replies(text_reply(text, **usage), when, times)

    def calls(
        self,
        tool: str,
        arguments: Mapping[str, Any],
        *,
        text: str = "",
        when: Matching | None = None,
        times: int | None = 1,
    ) -> None:
        self.replies(calls_reply((tool, arguments), text=text), when, times)

    def several(self, *calls: tuple[str, Mapping[str, Any]], text: str = "") -> None:
        """Several calls in one turn."""
        self.replies(calls_reply(*calls, text=text))

    def refuses(self, explanation: str = "") -> None:
        details = {"type": "refusal", "category": None, "explanation": explanation or None}
        self.replies(Reply(stop_reason="refusal", stop_details=details))

    def fails(
        self,
        status: int,
        name: str = "api_error",
        message: str = "Something went wrong.",
        *,
        headers: Mapping[str, str] | None = None,
        times: int | None = 1,
    ) -> None:
        self.replies(
            Reply(status=status, error=(name, message), headers=headers or {}), times=times
        )

    def fails_midway(self, name: str, message: str = "", text: str = "Half an ans") -> None:
        """The stream begins well and ends in an error event."""
        self.replies(replace(text_reply(text), error=(name, message)))

    def cuts_stream_after(
        self, events: int, text: str = "Half an answer", *, cleanly: bool = False
    ) -> None:
        """The line drops after so many events; `cleanly`: the stream ends as if that were all."""
        ending = "closed" if cleanly else "cut"
        self.replies(replace(text_reply(text), events=events, ending=ending))

    def hangs(self, after: int | None = None, *, times: int | None = 1) -> None:
        """Never answers; with `after`, it sends so many events of an answer first."""
        reply = replace(text_reply("Half an answer"), events=after, ending="hangs")
        self.replies(reply, times=times)

    def decides(self, function: Callable[[Received], Reply | None]) -> None:
        """Ask this function first. It is called in the server's thread."""
        self._deciding.append(function)

    # ---- running it --------------------------------------------------------------------------

    async def __aenter__(self) -> Self:
        await asyncio.to_thread(self.start)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await asyncio.to_thread(self.stop)

    def start(self) -> None:
        self._thread.start()
        if not self._is_up.wait(10):
            raise TimeoutError("the model server did not start")

    def stop(self) -> None:
        self._loop.call_soon_threadsafe(self._stopping.set)
        self._thread.join(10)

    def _serve(self) -> None:
        with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
            runner.run(self._run())

    async def _run(self) -> None:
        open_lines: set[asyncio.Task[None]] = set()

        def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            task = self._loop.create_task(self._talk(reader, writer))
            open_lines.add(task)
            task.add_done_callback(open_lines.discard)

        server = await asyncio.start_server(accept, "127.0.0.1", 0)
        self._port = server.sockets[0].getsockname()[1]
        self._is_up.set()
        await self._stopping.wait()
        server.close()
        for task in tuple(open_lines):
            task.cancel()
        await asyncio.gather(*open_lines, return_exceptions=True)
        await server.wait_closed()

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while request := self._api.received(*await _received(reader)):
                self.requests.append(request)
                sender = _Sender(self._api, writer, request, self._numbers)
                await sender.send(self._reply_to(request))
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.transport.abort()

    def _reply_to(self, request: Received) -> Reply:
        for decide in self._deciding:
            if reply := decide(request):
                return reply
        for line in tuple(self._script):
            if line.fits(request):
                return line.use()
        message = f"The test's script has no answer for request {len(self.requests)}."
        return Reply(status=400, error=("invalid_request_error", message))


async def _received(reader: asyncio.StreamReader) -> tuple[str, dict[str, str], Any]:
    first, *lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    headers = {
        name.strip().lower(): value.strip()
        for name, _, value in (line.partition(":") for line in lines if line)
    }
    body = await reader.readexactly(int(headers.get("content-length", 0)))
    return first.split()[1], headers, json.loads(body or b"{}")


class _Sender:
    """Puts one reply on the wire."""

    def __init__(
        self,
        api: WireApi,
        writer: asyncio.StreamWriter,
        request: Received,
        numbers: Iterator[int],
    ) -> None:
        self._api = api
        self._writer = writer
        self._request = request
        self._numbers = numbers

    async def send(self, reply: Reply) -> None:
        if reply.ending == "hangs" and reply.events is None:
            await asyncio.Event().wait()
        if reply.raw is not None:
            await self._whole(200, reply.raw, {"content-type": "text/html", **reply.headers})
        elif reply.error and reply.status != 200:
            await self._json(reply.status, self._api.error(reply.error), reply.headers)
        elif self._request.body.get("stream"):
            await self._stream(reply)
        else:
            await self._json(200, self._message(reply), reply.headers)

    async def _json(self, status: int, body: object, headers: Mapping[str, str]) -> None:
        content = json.dumps(body).encode()
        await self._whole(status, content, {"content-type": "application/json", **headers})

    async def _whole(self, status: int, content: bytes, headers: Mapping[str, str]) -> None:
        self._head(status, {**headers, "content-length": str(len(content))})
        self._writer.write(content)
        await self._writer.drain()

    async def _stream(self, reply: Reply) -> None:
        self._head(
            200,
            {
                "content-type": "text/event-stream",
                "transfer-encoding": "chunked",
                **reply.headers,
            },
        )
        frames = self._api.frames(reply, self._message(reply))
        for number, frame in enumerate(itertools.islice(frames, reply.events)):
            if number:
                await asyncio.sleep(reply.pace)
            self._chunk(frame)
            await self._writer.drain()
        if reply.ending == "hangs":
            await asyncio.Event().wait()
        if reply.ending == "cut":
            self._chunk(self._api.half_frame)
            await self._writer.drain()
            raise ConnectionError
        self._writer.write(b"0\r\n\r\n")
        await self._writer.drain()

    def _head(self, status: int, headers: Mapping[str, str]) -> None:
        lines = [f"HTTP/1.1 {status} Scripted", "request-id: req_scripted"]
        lines.extend(f"{name}: {value}" for name, value in headers.items())
        self._writer.write(("\r\n".join(lines) + "\r\n\r\n").encode("latin-1"))

    def _chunk(self, data: bytes) -> None:
        self._writer.write(f"{len(data):x}\r\n".encode() + data + b"\r\n")

    def _message(self, reply: Reply) -> dict[str, Any]:
        return self._api.whole(reply, self._request.body.get("model", ""), self._numbers)
