"""Scripts that take all they can get, or will not go. Each is stopped, and the next one runs as ever."""

import asyncio
import contextlib
import uuid
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from omniforge.tools import trees
from omniforge.tools.sandbox.protocol import MEGABYTE, Ending, Limits, Stop
from tests.sandbox.arenas import Arena
from tests.support.requirements import requirement

pytestmark = requirement("SKL-6")

SHORT = Limits(wall_s=0.5, cpu_s=5, processes=24, memory_bytes=256 * MEGABYTE, output_bytes=100_000)
PATIENT = replace(SHORT, wall_s=20)


@pytest.fixture(autouse=True)
async def _alive_and_well_afterwards(place: Arena) -> AsyncIterator[None]:
    yield
    ending = await place.run("print('still here')", limits=PATIENT)
    assert ending.stdout == b"still here\n", ending


def left_of(token: str) -> list[str]:
    """Processes of this machine that have this word among their arguments."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if token.encode() in (process / "cmdline").read_bytes():
                found.append(process.name)
    return found


async def stopped(place: Arena, code: str, limits: Limits = SHORT) -> Ending:
    """Run a script that has to be stopped; not one of its processes may be left."""
    token = uuid.uuid4().hex
    ending = await place.run(code, token, limits=limits)
    assert left_of(token) == []
    return ending


# ---- time and processes ------------------------------------------------------------------------


async def test_one_that_sleeps_past_its_time_is_stopped(place: Arena) -> None:
    ending = await stopped(place, "print('begun', flush=True)\nimport time; time.sleep(60)")

    assert (ending.stop, ending.stdout) == (Stop.TIME, b"begun\n")


async def test_one_that_ignores_every_signal_is_stopped(place: Arena) -> None:
    ending = await stopped(
        place,
        "import signal, time\n"
        "for number in {*range(1, 32)} - {9, 19}: signal.signal(number, signal.SIG_IGN)\n"
        "while True: time.sleep(1)",
    )

    assert ending.stop is Stop.TIME


async def test_one_that_burns_the_processor_is_stopped(place: Arena) -> None:
    ending = await stopped(place, "while True: pass", replace(PATIENT, cpu_s=1))

    assert ending.signal == 24


async def test_a_fork_bomb_is_stopped(place: Arena) -> None:
    ending = await stopped(
        place,
        "import os\nwhile True:\n    try: os.fork()\n    except OSError: pass",
    )

    assert ending.stop in {Stop.TIME, Stop.MEMORY}


async def test_a_bomb_of_threads_is_refused(place: Arena) -> None:
    ending = await stopped(
        place,
        "import threading, time\n"
        "threading.stack_size(65536)\n"
        "try:\n"
        "    for n in range(1000): threading.Thread(target=time.sleep, args=(9,), daemon=True).start()\n"
        "except RuntimeError: print('refused at', n)",
        PATIENT,
    )

    assert ending.stdout.startswith(b"refused at "), ending


async def test_a_daemon_does_not_outlive_its_script(place: Arena) -> None:
    ending = await stopped(
        place,
        "import os, time\n"
        "if os.fork() == 0:\n"
        "    os.setsid()\n"
        "    if os.fork() == 0:\n"
        "        os.closerange(0, 256)\n"
        "        time.sleep(60)\n"
        "    os._exit(0)\n"
        "os.wait(); print('gone')",
        PATIENT,
    )

    assert (ending.exit_code, ending.stdout) == (0, b"gone\n")


async def test_a_child_that_keeps_the_output_open_is_not_waited_for(place: Arena) -> None:
    ending = await stopped(
        place, "import os, time\nif os.fork() == 0: time.sleep(60)\nelse: print('done')", PATIENT
    )

    assert (ending.exit_code, ending.stdout) == (0, b"done\n")


async def test_closing_every_file_and_leaving_the_session_helps_nothing(place: Arena) -> None:
    ending = await stopped(
        place,
        "import os, time\nos.fork() and os._exit(3)\nos.setsid(); os.closerange(0, 256); time.sleep(60)",
        PATIENT,
    )

    assert ending.exit_code == 3


# ---- memory ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "hog",
    [
        "x = bytearray(4 << 30)",
        "x = []\nwhile True: x.append(bytearray(1 << 20))",
        "import mmap; x = mmap.mmap(-1, 4 << 30)",
        "x = 'x' * (1 << 40)",
    ],
)
async def test_one_process_gets_no_more_memory_than_it_may(place: Arena, hog: str) -> None:
    code = f"try:\n    exec({hog!r})\nexcept (MemoryError, OSError): print('refused')"

    ending = await stopped(place, code, PATIENT)

    assert ending.stdout == b"refused\n", ending


@pytest.mark.parametrize("kind", ["bytearray(size)", "mmap.mmap(-1, size)"])
async def test_many_processes_together_get_no_more_memory(place: Arena, kind: str) -> None:
    ending = await stopped(
        place,
        "import mmap, os, time\n"
        "size = 64 << 20\n"
        "for _ in range(9):\n"
        "    if os.fork() == 0:\n"
        f"        x = {kind}\n"
        "        for at in range(0, size, 4096): x[at] = 1\n"
        "        time.sleep(60)\n"
        "time.sleep(60)",
        PATIENT,
    )

    assert ending.stop is Stop.MEMORY


@pytest.mark.parametrize("folder", ["/tmp", "/dev/shm"])  # noqa: S108 - the sandbox's own
async def test_folders_in_memory_are_small(place: Arena, folder: str) -> None:
    limits = replace(PATIENT, tmp_bytes=MEGABYTE)

    ending = await stopped(
        place,
        f"try: open('{folder}/big', 'wb').write(bytes(8 << 20))\n"
        "except OSError as error: print(error.errno)",
        limits,
    )

    assert ending.stdout == b"28\n"


# ---- output and input --------------------------------------------------------------------------


@pytest.mark.parametrize("stream", [1, 2])
async def test_one_that_prints_without_end_is_stopped(place: Arena, stream: int) -> None:
    ending = await stopped(
        place, f"import os\nwhile True: os.write({stream}, b'x' * 65536)", PATIENT
    )

    assert ending.stop is Stop.OUTPUT
    assert len(ending.stdout + ending.stderr) == SHORT.output_bytes


async def test_output_that_is_no_text_comes_as_it_is(place: Arena) -> None:
    ending = await place.run(r"import os; os.write(1, b'\xff\x00\xfe'); os.write(2, b'\x80')")

    assert (ending.stdout, ending.stderr) == (b"\xff\x00\xfe", b"\x80")


async def test_input_arrives_whole(place: Arena) -> None:
    ending = await place.run(
        "import sys; print(len(sys.stdin.buffer.read()))", stdin=b"x" * 3_000_000
    )

    assert ending.stdout == b"3000000\n"


async def test_input_that_is_not_wanted_holds_nobody_up(place: Arena) -> None:
    ending = await place.run("print('no, thanks')", stdin=b"x" * 3_000_000, limits=PATIENT)

    assert ending.stdout == b"no, thanks\n"


# ---- files -------------------------------------------------------------------------------------


async def test_a_file_gets_no_larger_than_it_may(place: Arena) -> None:
    ending = await stopped(
        place,
        "try:\n    with open('big', 'wb') as file:\n        while True: file.write(bytes(1 << 20))\n"
        "except OSError as error: print(error.errno)",
        replace(PATIENT, file_bytes=4 * MEGABYTE),
    )

    assert ending.stdout == b"27\n"
    assert (place.workspace / "big").stat().st_size <= 4 * MEGABYTE


async def test_the_disk_is_not_filled_by_many_files(place: Arena) -> None:
    ending = await stopped(
        place,
        "n = 0\nwhile True:\n    n += 1; open(str(n), 'wb').write(bytes(1 << 20))",
        replace(PATIENT, workspace_bytes=8 * MEGABYTE),
    )

    assert ending.stop is Stop.DISK


async def test_nor_is_it_filled_in_a_folder_that_was_locked(place: Arena) -> None:
    ending = await stopped(
        place,
        "import os\nos.mkdir('in'); folder = os.open('in', os.O_RDONLY); os.chmod('in', 0o300)\n"
        "n = 0\nwhile True:\n"
        "    n += 1; open(str(n), 'wb', opener=lambda p, f: os.open(p, f, dir_fd=folder))"
        ".write(bytes(1 << 20))",
        replace(PATIENT, workspace_bytes=8 * MEGABYTE),
    )

    assert ending.stop is Stop.DISK


async def test_files_that_are_nothing_but_holes_count_as_what_they_would_take(place: Arena) -> None:
    ending = await stopped(
        place,
        "for n in range(9): open(str(n), 'wb').truncate(4 << 20)",
        replace(PATIENT, workspace_bytes=8 * MEGABYTE),
    )

    assert ending.stop is Stop.DISK


async def test_files_without_number_are_stopped(place: Arena) -> None:
    ending = await stopped(
        place,
        "n = 0\nwhile True:\n    n += 1; open(str(n), 'w').close()",
        replace(PATIENT, workspace_files=100),
    )

    assert ending.stop is Stop.DISK


async def test_folders_without_bottom_can_be_removed(place: Arena) -> None:
    ending = await stopped(
        place,
        "import os\nfor _ in range(3000): os.mkdir('d'); os.chdir('d')\nos.chmod('.', 0)",
        PATIENT,
    )

    assert ending.stop is Stop.DISK
    trees.remove(place.workspace)
    assert not place.workspace.exists()
    place.workspace.mkdir(mode=0o777)
    place.workspace.chmod(0o777)


async def test_open_files_run_out_for_the_script_alone(place: Arena) -> None:
    ending = await place.run(
        "x = []\ntry:\n    while True: x.append(open('/dev/null'))\n"
        "except OSError as error: print(error.errno, len(x) < 256)"
    )

    assert ending.stdout == b"24 True\n"


async def test_several_at_once_do_not_disturb_each_other(place: Arena) -> None:
    code = (
        "import os, time\nfor _ in range(15):\n    if os.fork() == 0: time.sleep(60)\nprint('all')"
    )

    endings = await asyncio.gather(*(place.run(code, limits=PATIENT) for _ in range(4)))

    assert [ending.stdout for ending in endings] == [b"all\n"] * 4
