"""The command line at a terminal: a process of its own, with a person who reads and types."""

import asyncio
import os
import pty
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

PATIENCE = 40.0


class Terminal:
    """What has been shown so far, and a keyboard."""

    def __init__(self, descriptor: int, process: asyncio.subprocess.Process) -> None:
        self._descriptor, self._process = descriptor, process
        self._news = asyncio.Event()
        self.shown = ""
        asyncio.get_running_loop().add_reader(descriptor, self._read)

    async def asked(self, text: str) -> None:
        """Wait until the text has been shown, and forget what stood before its end."""
        try:
            async with asyncio.timeout(PATIENCE):
                while text not in self.shown:
                    self._news.clear()
                    await self._news.wait()
        except TimeoutError:
            raise AssertionError(f"{text!r} was never shown, but {self.shown!r}") from None
        self.shown = self.shown.partition(text)[2]

    def types(self, text: str) -> None:
        os.write(self._descriptor, f"{text}\n".encode())

    async def left(self) -> int:
        """The exit status, once the command has ended."""
        async with asyncio.timeout(PATIENCE):
            return await self._process.wait()

    def _read(self) -> None:
        try:
            self.shown += os.read(self._descriptor, 65_536).decode(errors="replace")
        except OSError:  # the other side is closed
            asyncio.get_running_loop().remove_reader(self._descriptor)
        self._news.set()


@asynccontextmanager
async def at_terminal(variables: Mapping[str, str], *words: str) -> AsyncIterator[Terminal]:
    ours, theirs = pty.openpty()
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "omniforge.cli", *words),
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        env={**os.environ, **variables, "COLUMNS": "200", "TERM": "dumb"},
    )
    os.close(theirs)
    try:
        yield Terminal(ours, process)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
        asyncio.get_running_loop().remove_reader(ours)
        os.close(ours)
