"""Keeps the parts of the platform running."""

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any, TypeVar

from dev.errors import StartFailed
from dev.logs import tail
from dev.processes import Part, Process

T = TypeVar("T")
Say = Callable[[str], None]


@dataclass(frozen=True)
class Pace:
    """How patient a supervisor is; all in seconds but `tries`."""

    first_pause: float = 0.2
    longest_pause: float = 10.0
    settled: float = 60.0
    """Alive this long, a part has a clean record again."""
    early: float = 5.0
    """A death before this age means that the part does not start."""
    tries: int = 5
    """So many early deaths in a row, and we give up."""
    grace: float = 15.0
    """From the request to end until the kill."""


class Record:
    """The deaths of one part, and what follows from them."""

    def __init__(self, pace: Pace) -> None:
        self._pace = pace
        self._pause = pace.first_pause
        self._early_deaths = 0

    def pause_after(self, age: float) -> float | None:
        """Seconds to wait before the next life; None when there should be none."""
        if age >= self._pace.settled:
            self._pause = self._pace.first_pause
        self._early_deaths = self._early_deaths + 1 if age < self._pace.early else 0
        if self._early_deaths >= self._pace.tries:
            return None
        pause, self._pause = self._pause, min(self._pause * 2, self._pace.longest_pause)
        return pause


class Supervisor:
    """Starts parts, restarts those that die, and ends all of them, the newest first."""

    def __init__(self, say: Say, pace: Pace | None = None) -> None:
        self._say = say
        self._pace = pace or Pace()
        self._processes: dict[str, Process] = {}
        self._keepers: dict[str, asyncio.Task[None]] = {}

    async def start(self, part: Part) -> None:
        """Start a part and keep it running. Its being ready is for the caller to find out."""
        process = await Process.start(part)
        self._processes[part.name] = process
        self._keepers[part.name] = asyncio.create_task(self._keep(part, process))

    async def _keep(self, part: Part, process: Process) -> None:
        record = Record(self._pace)
        while True:
            await process.wait()
            pause = record.pause_after(process.age)
            if pause is None:
                raise StartFailed(
                    f"{part.name} does not stay up: {self._pace.tries} times in a row it ended soon"
                    f" after its start (last: {process.ending}). {tail(part.log)}",
                    part=part.name,
                )
            self._say(f"{part.name}: {process.ending}; starting it again in {pause:g} s")
            await asyncio.sleep(pause)
            process = self._processes[part.name] = await Process.start(part)

    def pid(self, name: str) -> int:
        """The process id of a part's newest life, which may have just ended."""
        return self._processes[name].pid

    def kill(self, name: str) -> None:
        """SIGKILL, as a crash would be. The part is started again."""
        self._processes[name].kill()

    async def while_up(self, work: Coroutine[Any, Any, T]) -> T:
        """Do something that needs the parts.

        Raises:
            StartFailed: A part was given up on before the work was done.
        """
        task = asyncio.create_task(work)
        try:
            await asyncio.wait((task, *self._keepers.values()), return_when=asyncio.FIRST_COMPLETED)
            for keeper in self._keepers.values():
                if keeper.done():
                    keeper.result()
            return await task
        finally:
            task.cancel()

    async def remove(self, name: str) -> None:
        """End one part and forget it."""
        keeper = self._keepers[name]
        keeper.cancel()
        await asyncio.wait((keeper,))
        if not keeper.cancelled():
            keeper.exception()  # seen, so that asyncio does not report it as lost
        await self._processes[name].stop(self._pace.grace)
        del self._keepers[name], self._processes[name]

    async def stop(self) -> None:
        """End all parts in order. Cancelled while it waits, it kills what is left."""
        try:
            for name in reversed(tuple(self._keepers)):
                await self.remove(name)
        finally:
            self._kill_rest()

    def _kill_rest(self) -> None:
        for keeper in self._keepers.values():
            keeper.cancel()
        for process in self._processes.values():
            process.kill()
