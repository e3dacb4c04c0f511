"""Children die with their parent."""

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from dev import child
from tests.dev.programs import SLEEP, alive, eventually
from tests.support.requirements import requirement

LAUNCHER = str(Path(child.__file__))

PARENT = f"""
import os, subprocess, sys
launched = subprocess.Popen(
    [sys.executable, "-I", "-S", {LAUNCHER!r}, str(os.getpid()), sys.executable, "-c", {SLEEP!r}],
    start_new_session=True,
)
print(launched.pid, flush=True)
launched.wait()
"""


@requirement("DUR-1")
@pytest.mark.skipif(
    sys.platform != "linux", reason="only Linux tells a child of its parent's death"
)
async def test_a_child_does_not_outlive_a_parent_that_is_killed() -> None:
    parent = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", PARENT), stdout=asyncio.subprocess.PIPE
    )
    assert parent.stdout is not None
    pid = int(await parent.stdout.readline())
    await eventually(lambda: Path(f"/proc/{pid}/cmdline").read_bytes().count(b"\0") == 3)

    parent.kill()

    await eventually(lambda: not alive(pid))
    await parent.communicate()


def launch(parent: int, *command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-I", "-S", LAUNCHER, str(parent), *command],
        capture_output=True,
        text=True,
        timeout=10,
        check=False,
    )


@pytest.mark.skipif(
    sys.platform != "linux", reason="only Linux tells a child of its parent's death"
)
def test_a_child_whose_parent_has_already_gone_does_not_start() -> None:
    ended = launch(os.getppid(), sys.executable, "-c", "print('started')")

    assert ended.returncode == 1
    assert ended.stdout == ""


def test_the_launcher_becomes_the_program() -> None:
    command = (sys.executable, "-c", "import os; print(os.getpid())")
    with subprocess.Popen(
        [sys.executable, "-I", "-S", LAUNCHER, str(os.getpid()), *command],
        stdout=subprocess.PIPE,
        text=True,
    ) as launched:
        printed, _ = launched.communicate(timeout=10)

    assert int(printed) == launched.pid


def test_a_program_that_is_not_there_is_named() -> None:
    ended = launch(os.getpid(), "/nowhere/temporal")

    assert ended.returncode == 1
    assert "/nowhere/temporal: No such file" in ended.stderr


@pytest.mark.skipif(sys.platform != "linux", reason="reads the signals of a process in /proc")
def test_broken_pipes_end_the_program_as_usual() -> None:
    status = launch(os.getpid(), "/bin/cat", "/proc/self/status").stdout

    ignored = next(line for line in status.splitlines() if line.startswith("SigIgn"))
    assert not int(ignored.split()[1], 16) & (1 << (signal.SIGPIPE - 1))
