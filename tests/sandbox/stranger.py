"""`python -m tests.sandbox.stranger`: one program in the sandbox, for a request on the standard input.

Started as an ordinary user by a Python that has no packages, so it imports the sandbox alone.
"""

import asyncio
import base64
import json
import shutil
import sys
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from omniforge.tools.sandbox.backends import Bubblewrap, Native
from omniforge.tools.sandbox.place import python_inside
from omniforge.tools.sandbox.protocol import Limits, Program, SandboxFailed
from omniforge.tools.sandbox.running import BackendSandbox


async def answer(request: dict[str, Any]) -> dict[str, Any]:
    backend = (
        Native() if request["backend"] == "native" else Bubblewrap(shutil.which("bwrap") or "")
    )
    skill = {path: base64.b64decode(content) for path, content in request["skill"].items()}
    program = Program(
        tuple(request["argv"]),
        skill,
        Path(request["workspace"]),
        base64.b64decode(request["stdin"]),
    )
    if program.argv[0].endswith(".py"):
        program = replace(program, argv=(python_inside(), "-u", *program.argv))
    try:
        ending = await BackendSandbox(backend, Limits(**request["limits"])).run(program)
    except SandboxFailed as error:
        return {"failed": error.message}
    streams = {
        "stdout": base64.b64encode(ending.stdout).decode(),
        "stderr": base64.b64encode(ending.stderr).decode(),
    }
    return asdict(ending) | streams


if __name__ == "__main__":
    sys.stdout.write(json.dumps(asyncio.run(answer(json.load(sys.stdin)))))
