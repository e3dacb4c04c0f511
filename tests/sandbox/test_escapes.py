"""Attempts to get out of the sandbox, all of one kind of sandbox made in one start of it."""

import asyncio
import json
import os
import socket
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.sandbox.arenas import EVERYWHERE, arena
from tests.sandbox.attempts import ATTEMPTS
from tests.support.requirements import requirement

CODE = Path(__file__).with_name("attempts.py").read_text()

# What works where nothing holds it back. The others would harm the machine, or need what it may not have.
HARMLESS = [
    "reads_a_file_outside",
    "reads_a_file_outside_through_a_link",
    "reads_a_file_outside_by_climbing",
    "reads_a_file_outside_through_the_root_of_its_own_process",
    "reads_the_platforms_own_code",
    "connects_to_a_server_of_the_machine",
    "connects_to_a_socket_file_of_the_machine",
    "connects_to_an_abstract_socket_of_the_machine",
    "talks_to_the_kernel_by_netlink",
    "sees_other_processes",
    "finds_a_secret_in_its_environment",
]


@pytest.fixture(scope="module")
async def outside(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[dict[str, str]]:
    """A machine with something to steal: a secret file, and servers that take every connection."""
    folder = tmp_path_factory.mktemp("outside")
    (folder / "secret").write_text("the platform's secret")
    loopback = await asyncio.start_server(_welcome, "127.0.0.1", 0)
    beside = await asyncio.start_unix_server(_welcome, folder / "socket")
    hidden = socket.socket(socket.AF_UNIX)
    hidden.bind(f"\0omniforge-test-{os.getpid()}")
    hidden.listen()
    abstract = await asyncio.start_unix_server(_welcome, sock=hidden)
    yield {
        "secret": str(folder / "secret"),
        "socket": str(folder / "socket"),
        "abstract": f"omniforge-test-{os.getpid()}",
        "port": str(loopback.sockets[0].getsockname()[1]),
        "code": str(Path(__file__).parents[2] / "omniforge" / "settings.py"),
        "worker": str(os.getpid()),
    }
    for server in (loopback, beside, abstract):
        server.close()


async def _welcome(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read(1)  # who comes has something to say, and must not find the line closed
    writer.close()


@pytest.fixture(scope="module", params=EVERYWHERE)
async def outcomes(request: pytest.FixtureRequest, outside: dict[str, str]) -> dict[str, str]:
    """What came of each attempt in this kind of sandbox."""
    with arena(request.param) as place:
        ending = await place.run(CODE, json.dumps(outside))
    assert ending.exit_code == 0, ending
    found: dict[str, str] = json.loads(ending.stdout)
    return found


@requirement("SKL-6")
@pytest.mark.parametrize("attempt", ATTEMPTS)
def test_a_script_never(outcomes: dict[str, str], attempt: str) -> None:
    assert outcomes[attempt].startswith("contained"), outcomes[attempt]


def test_there_are_enough_attempts() -> None:
    assert len(ATTEMPTS) >= 60


async def test_attempts_that_harm_nobody_work_outside(
    outside: dict[str, str], tmp_path: Path
) -> None:
    """Else being contained would prove nothing."""
    environment = {**os.environ, "SECRET": "1"}
    said = await asyncio.to_thread(_tried_outside, outside, tmp_path, environment)

    assert {name: said[name] for name in HARMLESS} == dict.fromkeys(HARMLESS, "escaped")


def _tried_outside(
    outside: dict[str, str], folder: Path, environment: dict[str, str]
) -> dict[str, str]:
    program = CODE.replace("in ATTEMPTS.items()", f"in ATTEMPTS.items() if name in {HARMLESS}")
    command = [sys.executable, "-c", program, json.dumps(outside)]
    said = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=30
    )
    assert said.returncode == 0, said.stderr
    found: dict[str, str] = json.loads(said.stdout)
    return found
