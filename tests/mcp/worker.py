"""A process with a session with a program, for a test to kill: `python -m tests.mcp.worker SCRIPT FILE`."""

import asyncio
import sys
from pathlib import Path

from omniforge.tools.mcp.servers import ProcessServer
from tests.mcp.making import offered, tools_of


async def main(script: str, file: str) -> None:
    shell = ProcessServer(command="/bin/sh", args=("-c", script, file))
    async with tools_of({"shell": shell}) as servers:
        await offered(servers, "shell")
        Path(file).with_name("ready").touch()
        await asyncio.sleep(3_600)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
