"""Services as npm's `emulate` has rebuilt them: a second opinion on what ours say of GitHub."""

import asyncio
import contextlib
import json
import os
import signal
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.support.ports import free_port

HOME = Path(__file__).parents[1] / "emulate"
NODE = HOME / "node_modules/.bin/node"
PROGRAM = HOME / "node_modules/emulate/dist/index.js"


def skip_unless_installed() -> None:
    if not (NODE.exists() and PROGRAM.exists()):
        pytest.skip("emulate is not installed: npm ci --prefix tests/emulate")


@contextlib.asynccontextmanager
async def emulated(service: str, seed: Mapping[str, Any], folder: Path) -> AsyncIterator[str]:
    """The address of a service that begins with what the seed says, and forgets all in the end."""
    skip_unless_installed()
    (folder / "seed.json").write_text(json.dumps(seed))
    port = free_port()
    arguments = ["start", "--service", service, "--port", str(port), "--seed", "seed.json"]
    with (folder / "emulate.log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(
            NODE, PROGRAM, *arguments, cwd=folder, stdin=asyncio.subprocess.DEVNULL,
            stdout=log, stderr=log, start_new_session=True,
        )  # fmt: skip
    try:
        await _answering(port, process)
        yield f"http://127.0.0.1:{port}"
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        await process.wait()


async def _answering(port: int, process: asyncio.subprocess.Process) -> None:
    async with asyncio.timeout(30):
        while True:
            assert process.returncode is None, "emulate ended; its words are in emulate.log"
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
            except OSError:
                await asyncio.sleep(0.05)
                continue
            writer.close()
            await writer.wait_closed()
            return
