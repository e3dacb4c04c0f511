"""What the sandbox costs: a script that does nothing, in it and without it."""

import asyncio
import statistics
import time
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from subprocess import DEVNULL

from omniforge.tools.sandbox.place import python_inside
from omniforge.tools.sandbox.probe import Mode, find_sandbox
from omniforge.tools.sandbox.protocol import Limits, Program

CALLS = 100
COMMAND = (python_inside(), "-c", "print('done')")

Call = Callable[[], Awaitable[object]]


async def sandbox_ms(folder: Path) -> dict[str, float]:
    """Milliseconds of a call at the median: bare, and what each sandbox of this machine adds to it."""
    folder.mkdir()  # noqa: ASYNC240 - before anything is measured
    program = Program(COMMAND, {"SKILL.md": b"-"}, folder)
    calls: dict[str, Call] = {"bare": _bare}
    for mode in (Mode.BWRAP, Mode.NATIVE):
        if (sandbox := (await find_sandbox(mode, Limits())).sandbox) is not None:
            calls[mode] = partial(sandbox.run, program)
    medians = await _medians(calls)
    bare = medians.pop("bare")
    return {f"bare script of Python, ms (median of {CALLS})": bare} | {
        f"{name} sandbox adds, ms (target: under 60)": median - bare
        for name, median in medians.items()
    }


async def _medians(calls: dict[str, Call]) -> dict[str, float]:
    """In turns, so that what else the machine does falls on all of them."""
    times: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(CALLS):
        for name, call in calls.items():
            started = time.perf_counter()
            await call()
            times[name].append((time.perf_counter() - started) * 1000)
    return {name: statistics.median(measured) for name, measured in times.items()}


async def _bare() -> None:
    process = await asyncio.create_subprocess_exec(*COMMAND, stdout=DEVNULL)
    await process.wait()
