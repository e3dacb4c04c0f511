"""What happens to a script when nobody waits for it any more."""

import asyncio
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable
from pathlib import Path

import pytest

from omniforge.errors import TryAgain
from omniforge.journal.memory import MemoryBlobs
from omniforge.tools.sandbox.protocol import Limits
from omniforge.tools.workspace import Workspace
from tests.sandbox.arenas import MINE, ROOT, Arena, backend_of
from tests.sandbox.test_abuse import left_of
from tests.support.requirements import requirement

pytestmark = requirement("SKL-6")

MINUTE = Limits(wall_s=60, cpu_s=60)
SLEEP = (
    "import os, signal, time\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
    "if os.fork() == 0: os.setsid()\nopen('begun', 'w').close(); time.sleep(60)"
)

WORKER = """
import asyncio, sys
from pathlib import Path
from omniforge.tools.sandbox.protocol import Limits
from tests.sandbox.arenas import Arena
backend, workspace, token, code = sys.argv[1:]
asyncio.run(Arena(backend, False, Path(workspace)).run(code, token, limits=Limits(wall_s=60)))
"""


async def until(met: Callable[[], bool], seconds: float = 10) -> None:
    async with asyncio.timeout(seconds):
        while not met():
            await asyncio.sleep(0.02)


async def test_cancelling_kills_it_at_once(own_place: Arena) -> None:
    token = uuid.uuid4().hex
    call = asyncio.create_task(own_place.run(SLEEP, token, limits=MINUTE))
    await until((own_place.workspace / "begun").exists)

    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        async with asyncio.timeout(5):
            await call

    assert left_of(token) == []


@pytest.mark.parametrize("backend", MINE)
async def test_a_worker_killed_with_sigkill_takes_it_along(backend: str, tmp_path: Path) -> None:
    backend_of(backend)
    token = uuid.uuid4().hex
    worker = subprocess.Popen(  # noqa: ASYNC220 - returns at once
        [sys.executable, "-c", WORKER, backend, str(tmp_path), token, SLEEP], cwd=ROOT
    )
    try:
        await until((tmp_path / "begun").exists, 20)
    finally:
        worker.kill()
        worker.wait()

    await until(lambda: left_of(token) == [])
    assert worker.returncode == -signal.SIGKILL, "it was not killed, so this shows nothing"


async def test_a_link_that_comes_and_goes_never_shows_what_it_points_to(
    own_place: Arena, tmp_path: Path
) -> None:
    """Tools of the same turn read while a script is at work."""
    (tmp_path / "secret").write_bytes(b"secret")
    workspace = Workspace(own_place.workspace, MemoryBlobs())
    flipping = (
        "import os\nos.mkdir('d'); open('d/f', 'w').write('own'); open('begun', 'w').close()\n"
        f"os.symlink({str(tmp_path)!r}, 'link'); os.symlink({str(tmp_path / 'secret')!r}, 'away')\n"
        "open('f', 'w').write('own')\n"
        "while True:\n"
        "    os.rename('f', 'x'); os.rename('away', 'f'); os.rename('f', 'away'); os.rename('x', 'f')\n"
        "    os.rename('d', 'y'); os.rename('link', 'd'); os.rename('d', 'link'); os.rename('y', 'd')\n"
    )
    call = asyncio.create_task(own_place.run(flipping, limits=Limits(wall_s=60)))
    await until((own_place.workspace / "begun").exists)

    seen = await asyncio.to_thread(_read_often, workspace)
    call.cancel()
    await asyncio.wait([call])

    assert seen <= {b"own", b"refused"}


def _read_often(workspace: Workspace) -> set[bytes]:
    seen = set()
    deadline = time.monotonic() + 0.5
    while time.monotonic() < deadline:
        for name in ("f", "d/f", "d/secret"):
            try:
                seen.add(workspace.read(name))
            except TryAgain:
                seen.add(b"refused")
        assert not any("secret" in path for path in workspace.files())
    return seen


async def test_what_is_left_of_a_script_would_be_found() -> None:
    token = uuid.uuid4().hex
    command = [sys.executable, "-c", "import time; time.sleep(60)", token]
    process = subprocess.Popen(command)  # noqa: ASYNC220 - returns at once
    try:
        await until(lambda: left_of(token) == [str(process.pid)])
    finally:
        process.kill()
        process.wait()
    assert left_of(token) == []
