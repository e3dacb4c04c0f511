"""Running one program in a sandbox, seen from the worker: its streams, its limits, its end."""

import asyncio
import contextlib
import marshal
import os
import socket
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

from omniforge.tools import trees
from omniforge.tools.sandbox.backends import Backend, Handles
from omniforge.tools.sandbox.place import NOBODY, Place, laid_out
from omniforge.tools.sandbox.protocol import Ending, Limits, Program, SandboxFailed, Stop

_CHUNK = 65_536
# The guard ends a program in time. Only when it does not is it killed itself, from outside.
_GRACE_S = 10.0
_LAST_WAIT_S = 5.0
_DISK_GLANCE_S = 0.5


class BackendSandbox:
    """A sandbox of one kind, with its limits."""

    def __init__(self, backend: Backend, limits: Limits) -> None:
        self.backend, self.limits = backend, limits

    async def run(self, program: Program) -> Ending:
        """See `Sandbox.run`."""
        try:
            with laid_out(program, network=self.limits.network) as place:
                if program.workspace is not None and os.geteuid() == 0:
                    trees.hand_over(program.workspace, NOBODY)
                async with _started(self.backend, place, program, self.limits) as call:
                    return await call.ending(program)
        except OSError as error:
            raise SandboxFailed(f"The sandbox could not be started: {error}.") from error


@contextlib.asynccontextmanager
async def _started(
    backend: Backend, place: Place, program: Program, limits: Limits
) -> AsyncIterator["_Call"]:
    ours, theirs = socket.socketpair()
    with ours, theirs, _config_file() as config:
        handles = Handles(config, theirs.fileno())
        start = backend.start(place, program, limits, handles)
        os.pwrite(config, marshal.dumps(start.config), 0)
        process = await asyncio.create_subprocess_exec(
            *start.command,
            stdin=PIPE if program.stdin else DEVNULL,
            stdout=PIPE,
            stderr=PIPE,
            pass_fds=(handles.config, handles.control),
            start_new_session=True,
            env={},
            cwd="/",
        )
        theirs.close()
        call = _Call(process, ours, limits)
        try:
            yield call
        finally:
            await asyncio.shield(asyncio.create_task(call.end()))


@contextlib.contextmanager
def _config_file() -> Iterator[int]:
    handle = os.memfd_create("sandbox")
    try:
        yield handle
    finally:
        os.close(handle)


class _Call:
    """One program on its way. Whoever stops it lets go of the control line, and the guard obeys."""

    def __init__(self, process: Process, control: socket.socket, limits: Limits) -> None:
        self._process, self._control, self._limits = process, control, limits
        self._control.setblocking(False)
        self._stop: Stop | None = None
        self._written = 0

    async def ending(self, program: Program) -> Ending:
        watch = asyncio.create_task(self._watch_disk(program.workspace))
        try:
            async with asyncio.timeout(self._limits.wall_s + _GRACE_S):
                stdout, stderr, report, _ = await asyncio.gather(
                    self._read(self._process.stdout),
                    self._read(self._process.stderr),
                    self._report(),
                    self._feed(program.stdin),
                )
                await self._process.wait()
        except TimeoutError:
            raise SandboxFailed("The sandbox did not end in time, and was killed.") from None
        finally:
            watch.cancel()
        if self._stop is None and _is_too_full(program.workspace, self._limits):
            self._stop = Stop.DISK
        return _ending(report, stdout, stderr, self._stop)

    async def end(self) -> None:
        """Kill what is left. When this returns, nothing of the program runs any more."""
        self._let_go()
        try:
            async with asyncio.timeout(_LAST_WAIT_S):
                await self._process.wait()
        except TimeoutError:
            self._process.kill()
            await self._process.wait()

    def _let_go(self) -> None:
        with contextlib.suppress(OSError):  # it has ended already
            self._control.shutdown(socket.SHUT_RDWR)

    def _stop_for(self, reason: Stop) -> None:
        self._stop = self._stop or reason
        self._let_go()

    async def _read(self, stream: asyncio.StreamReader | None) -> bytes:
        kept = bytearray()
        while stream and (chunk := await stream.read(_CHUNK)):
            kept += chunk[: max(0, self._limits.output_bytes - self._written)]
            self._written += len(chunk)
            if self._written > self._limits.output_bytes:
                self._stop_for(Stop.OUTPUT)
        return bytes(kept)

    async def _feed(self, content: bytes) -> None:
        stream = self._process.stdin
        if stream is None:
            return
        with contextlib.suppress(ConnectionError):  # it did not want all of it
            stream.write(content)
            await stream.drain()
        stream.close()

    async def _report(self) -> str:
        loop, report = asyncio.get_running_loop(), b""
        with contextlib.suppress(ConnectionError):
            while chunk := await loop.sock_recv(self._control, _CHUNK):
                report += chunk
        return report.decode(errors="replace").partition("\n")[0]

    async def _watch_disk(self, workspace: Path | None) -> None:
        while True:
            await asyncio.sleep(_DISK_GLANCE_S)
            if await asyncio.to_thread(_is_too_full, workspace, self._limits):
                self._stop_for(Stop.DISK)
                return


def _is_too_full(workspace: Path | None, limits: Limits) -> bool:
    if workspace is None:
        return False
    count = size = 0
    for entry in trees.walk(workspace):
        count, size = count + 1, size + entry.size
        if count > limits.workspace_files or size > limits.workspace_bytes:
            return True
        if entry.is_folder and entry.depth >= trees.MAX_DEPTH:
            return True  # what is in there is not counted
    return False


def _ending(report: str, stdout: bytes, stderr: bytes, stop: Stop | None) -> Ending:
    kind, _, detail = report.partition(" ")
    if stop is not None:
        return Ending(stdout, stderr, stop=stop)
    match kind:
        case "exited":
            return Ending(stdout, stderr, exit_code=int(detail))
        case "killed":
            return Ending(stdout, stderr, signal=int(detail))
        case "stopped":
            return Ending(stdout, stderr, stop=Stop(detail))
        case "failed":
            raise SandboxFailed(f"The sandbox could not be started: {detail}.")
    said = stderr.decode(errors="replace").strip()[-300:]
    raise SandboxFailed(f"The sandbox broke: {said or 'it was killed from outside'}.")
