"""An MCP server as a child process: lines of JSON in and out, and nothing of ours in its environment."""

import asyncio
import logging
import os
import sys
from asyncio import StreamReader, StreamWriter
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, TypeVar

import anyio
from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream
from mcp.shared.message import SessionMessage
from mcp_types import jsonrpc_message_adapter

from omniforge.tools.mcp import keeper
from omniforge.tools.mcp.link import Line
from omniforge.tools.mcp.servers import ProcessServer

if TYPE_CHECKING:
    from mcp.client._transport import TransportStreams

log = logging.getLogger(__name__)

# Twice a text of 10 MB fits into it, since servers repeat what they have structured; no end does not.
MAX_MESSAGE_BYTES = 32 * 1024 * 1024
# What a chatty server may put into our log in its life.
_MAX_LOG_BYTES = 64_000
_LOG_BYTES_AT_ONCE = 2_000
_READ_AT_ONCE = 1024 * 1024
_LAST_WORDS = 500
# A server learns from the end of its input that it should end; it has this long to do so.
_GRACE_SECONDS = 1.0

S = TypeVar("S")

Incoming = MemoryObjectSendStream[SessionMessage | Exception]
Outgoing = MemoryObjectReceiveStream[SessionMessage]


@asynccontextmanager
async def process_transport(
    name: str, server: ProcessServer, search_path: str, line: Line
) -> AsyncIterator["TransportStreams"]:
    """Start the program and hand out its two streams; the line is lost when one of them ends.

    Afterwards nothing that it started is left running.

    Raises:
        OSError: There can be no further process.
    """
    process, lifeline = await _started(server, search_path)
    to_session, incoming = anyio.create_memory_object_stream[SessionMessage | Exception](0)
    outgoing, from_session = anyio.create_memory_object_stream[SessionMessage](0)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(_read, name, _piped(process.stdout), to_session, line)
        tasks.start_soon(_write, _piped(process.stdin), from_session, line)
        tasks.start_soon(_log, name, _piped(process.stderr), line)
        try:
            yield incoming, outgoing
        finally:
            with anyio.CancelScope(shield=True):
                await _end(process, lifeline)
            for stream in (to_session, incoming, outgoing, from_session):
                stream.close()
            tasks.cancel_scope.cancel()


async def _started(server: ProcessServer, search_path: str) -> tuple[Process, int]:
    """The program under its keeper, and the end of the pipe that keeps it alive while it is open."""
    theirs, ours = os.pipe()
    try:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-I", "-S", str(keeper.__file__), str(theirs)),
            *(server.command, *server.args),
            stdin=PIPE,
            stdout=PIPE,
            stderr=PIPE,
            env={"PATH": search_path, **server.env},
            pass_fds=(theirs,),
            start_new_session=True,
            limit=MAX_MESSAGE_BYTES,
        )
    except BaseException:
        os.close(ours)
        raise
    finally:
        os.close(theirs)
    return process, ours


def _piped(end: S | None) -> S:
    """An end that is there, because a pipe was asked for."""
    if end is None:
        raise RuntimeError("the program was started without pipes")
    return end


async def _end(process: Process, lifeline: int) -> None:
    _piped(process.stdin).close()
    with suppress(TimeoutError):
        async with asyncio.timeout(_GRACE_SECONDS):
            await process.wait()
    os.close(lifeline)
    with suppress(TimeoutError):
        # A process that left the group may hold the pipes open; it is not ours to wait for.
        async with asyncio.timeout(_GRACE_SECONDS):
            await process.wait()


async def _read(name: str, stdout: StreamReader, to_session: Incoming, line: Line) -> None:
    try:
        async with to_session:
            while text := await stdout.readline():
                await to_session.send(_parsed(name, text))
    except ValueError:
        log.warning("mcp_message_too_long", extra={"server": name, "limit": MAX_MESSAGE_BYTES})
    except (anyio.BrokenResourceError, anyio.ClosedResourceError, ConnectionError):
        pass  # the session has ended first
    finally:
        line.lost.set()
    # Whoever no longer listens still reads to the end, or the pipe could never be closed.
    while await stdout.read(_READ_AT_ONCE):
        pass


def _parsed(name: str, text: bytes) -> SessionMessage | Exception:
    try:
        return SessionMessage(jsonrpc_message_adapter.validate_json(text, by_name=False))
    except ValueError as error:
        # Programs print to stdout by mistake; the messages around it are still good.
        log.debug("mcp_line_unreadable", extra={"server": name, "line": text[:200]})
        return error


async def _write(stdin: StreamWriter, from_session: Outgoing, line: Line) -> None:
    try:
        async with from_session:
            async for item in from_session:
                text = item.message.model_dump_json(by_alias=True, exclude_unset=True)
                stdin.write(text.encode() + b"\n")
                await stdin.drain()
    except (anyio.ClosedResourceError, OSError, RuntimeError):
        pass  # the program no longer reads
    finally:
        line.lost.set()


async def _log(name: str, stderr: StreamReader, line: Line) -> None:
    """Read all that it says, or it would stop; log the beginning, and keep the end at hand."""
    room = _MAX_LOG_BYTES
    while said := await stderr.read(_LOG_BYTES_AT_ONCE):
        text = said.decode("utf-8", "replace")
        line.said = (line.said + text)[-_LAST_WORDS:]
        if room > 0:
            log.info("mcp_server_says", extra={"server": name, "said": text.strip()})
            room -= len(said)
