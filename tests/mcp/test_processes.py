"""Servers that are programs: what they see of us, and that none of them outlives its worker."""

import asyncio
import os
import signal
import sys
from pathlib import Path

from omniforge.errors import OutcomeUnknown
from omniforge.tools.mcp.servers import ProcessServer
from omniforge.tools.protocol import ToolCallContext
from tests.architecture.source import ROOT
from tests.mcp.making import HERE, by_name, honest, observed, offered, tools_of
from tests.support.requirements import requirement

PATIENCE = 20.0

# `rogue` below a shell that waits for it: the form in which most servers are started.
BELOW_A_SHELL = f"echo $$ > $0; {sys.executable} -S {HERE / 'rogue.py'} deaf; true"


async def gone(pid: int) -> None:
    async with asyncio.timeout(PATIENCE):
        while is_alive(pid):
            await asyncio.sleep(0.02)


def is_alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


@requirement("TOOL-2")
async def test_a_program_sees_its_own_variables_and_a_path(
    tmp_path: Path, context: ToolCallContext
) -> None:
    variables = {"PATH": "/usr/bin:/bin", "DOCS_TOKEN": "t0k", "OMNIFORGE_SECRET": "ours"}
    server = honest(tmp_path, env={"TOKEN": "${DOCS_TOKEN}"})
    async with tools_of({"h": server}, environment=variables) as servers:
        (whoami,) = await offered(servers, "h", allowed="mcp__h__whoami")
        seen = await whoami.run({}, context)

    # Python sets LC_CTYPE by itself where no locale is given.
    assert seen["env"] | {"LC_CTYPE": ""} == {
        "PATH": "/usr/bin:/bin",
        "TOKEN": "t0k",
        "LC_CTYPE": "",
    }
    await gone(seen["pid"])


async def test_a_program_that_dies_in_a_call_leaves_it_in_doubt_and_is_started_again(
    tmp_path: Path, context: ToolCallContext
) -> None:
    async with tools_of({"h": honest(tmp_path)}) as servers:
        tools = by_name(await offered(servers, "h"))

        doubt = await observed(tools["mcp__h__die"], context, text="once")
        answer = await tools["mcp__h__note"].run({"text": "twice"}, context)

    assert isinstance(doubt, OutcomeUnknown)
    assert answer == {"result": "posted twice"}
    assert (tmp_path / "posts").read_text().split() == ["once", "twice"]


async def test_what_a_program_started_ends_with_it(tmp_path: Path) -> None:
    file = tmp_path / "pid"
    shell = ProcessServer(command="/bin/sh", args=("-c", BELOW_A_SHELL, str(file)))
    async with tools_of({"shell": shell}) as servers:
        assert await offered(servers, "shell")
        pid = int(file.read_text())
        assert is_alive(pid)

    await gone(pid)


async def test_a_killed_worker_takes_its_programs_along(tmp_path: Path) -> None:
    file = tmp_path / "pid"
    worker = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.mcp.worker", BELOW_A_SHELL, str(file), cwd=ROOT
    )
    try:
        async with asyncio.timeout(PATIENCE):
            while not (tmp_path / "ready").exists():
                await asyncio.sleep(0.02)
        pid = int(file.read_text())
        assert is_alive(pid)
    finally:
        os.kill(worker.pid, signal.SIGKILL)
        await worker.wait()

    await gone(pid)
