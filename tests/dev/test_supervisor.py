"""Parts that die are started again; all of them end together."""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import pytest

from dev.errors import StartFailed
from dev.processes import Part
from dev.supervisor import Pace, Record, Supervisor
from tests.dev.programs import DEAF, SLEEP, alive, eventually, part, text_of
from tests.support.requirements import requirement

QUICK = Pace(first_pause=0.02, longest_pause=0.1, grace=5.0)


@asynccontextmanager
async def supervising(pace: Pace = QUICK) -> AsyncIterator[tuple[Supervisor, list[str]]]:
    said: list[str] = []
    supervisor = Supervisor(said.append, pace)
    try:
        yield supervisor, said
    finally:
        await supervisor.stop()


def printed(program: Part) -> bool:
    return text_of(program.log).endswith("\n")


@requirement("DUR-1")
async def test_a_killed_part_is_started_again_and_said_so_in_one_line(tmp_path: Path) -> None:
    async with supervising() as (supervisor, said):
        await supervisor.start(part(tmp_path, SLEEP, "worker"))
        first = supervisor.pid("worker")

        supervisor.kill("worker")

        await eventually(lambda: supervisor.pid("worker") != first)
        assert alive(supervisor.pid("worker"))
        assert said == ["worker: killed by SIGKILL; starting it again in 0.02 s"]


async def test_a_part_that_never_stays_up_is_given_up_on_with_the_end_of_its_log(
    tmp_path: Path,
) -> None:
    async with supervising() as (supervisor, said):
        await supervisor.start(
            part(tmp_path, "print('no such table: agents'); raise SystemExit(3)")
        )

        with pytest.raises(StartFailed) as failed:
            async with asyncio.timeout(10):
                await supervisor.while_up(asyncio.Event().wait())

    assert "ended with status 3" in failed.value.message
    assert "| no such table: agents" in failed.value.message
    assert len(said) == QUICK.tries - 1


async def test_work_that_needs_the_parts_gives_its_result(tmp_path: Path) -> None:
    async with supervising() as (supervisor, _):
        await supervisor.start(part(tmp_path, SLEEP))

        assert await supervisor.while_up(asyncio.sleep(0, "done")) == "done"


async def test_parts_are_asked_to_end_the_newest_first(tmp_path: Path) -> None:
    ends = tmp_path / "ends"
    code = """
import signal, time
def end(*_):
    open({file!r}, "a").write({name!r} + " ")
    raise SystemExit
signal.signal(signal.SIGTERM, end)
print("up", flush=True)
time.sleep(60)
"""
    async with supervising() as (supervisor, _):
        for name in ("temporal", "worker", "api"):
            program = part(tmp_path, code.format(file=str(ends), name=name), name)
            await supervisor.start(program)
            await eventually(partial(printed, program))

    assert ends.read_text() == "api worker temporal "


async def test_a_part_that_does_not_listen_is_killed_after_the_grace(tmp_path: Path) -> None:
    async with supervising(Pace(grace=0.1)) as (supervisor, _):
        deaf = part(tmp_path, DEAF)
        await supervisor.start(deaf)
        await eventually(partial(printed, deaf))
        pid = supervisor.pid("tiny")

    assert not alive(pid)


async def test_a_second_request_to_stop_kills_at_once(tmp_path: Path) -> None:
    supervisor = Supervisor(print)
    deaf = part(tmp_path, DEAF)
    await supervisor.start(deaf)
    await eventually(partial(printed, deaf))
    stopping = asyncio.create_task(supervisor.stop())
    await asyncio.wait((stopping,), timeout=0.05)

    stopping.cancel()

    await eventually(lambda: not alive(supervisor.pid("tiny")))
    await supervisor.stop()


async def test_what_a_part_started_ends_with_it(tmp_path: Path) -> None:
    code = f"""
import subprocess, sys, time
grandchild = subprocess.Popen([sys.executable, "-I", "-S", "-c", {SLEEP!r}])
print(grandchild.pid, flush=True)
time.sleep(60)
"""
    async with supervising() as (supervisor, _):
        program = part(tmp_path, code)
        await supervisor.start(program)
        await eventually(partial(printed, program))
        grandchild = int(text_of(program.log))

        os.kill(supervisor.pid("tiny"), 9)

        await eventually(lambda: not alive(grandchild))


def test_pauses_grow_and_start_over_after_a_long_life() -> None:
    record = Record(Pace())

    pauses = [record.pause_after(age) for age in (8, 8, 8, 8, 8, 8, 8, 61, 8)]

    assert pauses == [0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 10.0, 0.2, 0.4]


def test_five_early_deaths_in_a_row_are_enough() -> None:
    record = Record(Pace())

    pauses = [record.pause_after(age) for age in (1, 1, 1, 1, 20, 1, 1, 1, 1, 1)]

    assert pauses.index(None) == len(pauses) - 1
