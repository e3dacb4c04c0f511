"""The programs that the platform consists of, as processes of their own."""

import asyncio
import os
import signal
import sys
import time
from asyncio.subprocess import DEVNULL, STDOUT
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from dev.logs import rotate

_LAUNCHER = Path(__file__).with_name("child.py")


@dataclass(frozen=True)
class Part:
    """A program to keep running. The first word of `command` is an absolute path."""

    name: str
    command: tuple[str, ...]
    environment: Mapping[str, str]
    log: Path


class Process:
    """One life of a part, in a session of its own so that a terminal's Ctrl-C does not reach it.

    On Linux it is killed when the thread that started it ends: start it from the main thread.
    """

    def __init__(self, child: asyncio.subprocess.Process) -> None:
        self._child = child
        self._started = time.monotonic()

    @classmethod
    async def start(cls, part: Part) -> Self:
        part.log.parent.mkdir(parents=True, exist_ok=True)
        rotate(part.log)
        with part.log.open("ab") as log:
            child = await asyncio.create_subprocess_exec(
                *(sys.executable, "-I", "-S", str(_LAUNCHER), str(os.getpid()), *part.command),
                stdin=DEVNULL,
                stdout=log,
                stderr=STDOUT,
                env=part.environment,
                start_new_session=True,
            )
        return cls(child)

    @property
    def pid(self) -> int:
        return self._child.pid

    @property
    def age(self) -> float:
        """Seconds since the start."""
        return time.monotonic() - self._started

    @property
    def ending(self) -> str:
        """How it ended, for people."""
        code = self._child.returncode
        if code is None:
            return "running"
        if code < 0:
            return f"killed by {signal.Signals(-code).name}"
        return f"ended with status {code}"

    async def wait(self) -> None:
        """Wait for its end, and clear away what it started and left behind."""
        await self._child.wait()
        self._signal_group(signal.SIGKILL)

    async def stop(self, grace: float) -> None:
        """End it: a request first, and force after `grace` seconds."""
        if self._child.returncode is None:
            with suppress(ProcessLookupError):
                self._child.send_signal(signal.SIGTERM)
        try:
            await asyncio.wait_for(self.wait(), grace)
        except TimeoutError:
            self.kill()
            await self.wait()

    def kill(self) -> None:
        """SIGKILL for it and its descendants, without waiting for their end."""
        if self._child.returncode is None:
            self._signal_group(signal.SIGKILL)

    def _signal_group(self, number: signal.Signals) -> None:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, number)
