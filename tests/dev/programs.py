"""Programs to supervise: tiny ones, and a Temporal server."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from dev import environment, temporal_server
from dev.processes import Part, Process
from dev.temporal_server import TemporalPorts

SLEEP = "import time; time.sleep(60)"
DEAF = """
import signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print("deaf", flush=True)
time.sleep(60)
"""


def part(folder: Path, code: str, name: str = "tiny") -> Part:
    return Part(
        name, (sys.executable, "-I", "-S", "-c", code), {"PATH": os.defpath}, folder / f"{name}.log"
    )


async def eventually(holds: Callable[[], bool], within: float = 5.0) -> None:
    async with asyncio.timeout(within):
        while not holds():  # what other processes do sets no Event
            await asyncio.sleep(0.01)


def alive(pid: int) -> bool:
    """Whether the process runs; one that ended and was not yet waited for does not."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2]
    except FileNotFoundError:
        return False
    return not state.startswith("Z")


def text_of(file: Path) -> str:
    return file.read_text() if file.exists() else ""


@asynccontextmanager
async def serving(folder: Path, *, plain: bool = False) -> AsyncIterator[TemporalPorts]:
    """A server on the folder's database, killed at the end; `plain` without any of our settings."""
    held = TemporalPorts.reserve()
    command = temporal_server.server_command(
        temporal_server.find_binary(), folder / "temporal.db", held, "http://localhost/codec"
    )
    if plain:
        command = command[: command.index("--sqlite-pragma")]
    part = Part("temporal", command, environment.of_temporal(), folder / "temporal.log")
    process = await Process.start(part)
    try:
        await temporal_server.until_serving(held.address, part.log)
        yield held
    finally:
        process.kill()
        await process.wait()
        for port in held:
            port.release()
