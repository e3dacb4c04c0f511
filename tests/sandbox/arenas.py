"""Where attempts are made: each kind of sandbox, under the user of the tests and under an ordinary one.

`SANDBOX_MATRIX=full` (`make sandbox-suite`) makes every attempt everywhere; otherwise those that take a
second or so are made once.
"""

import asyncio
import base64
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from omniforge.tools import trees
from omniforge.tools.sandbox.backends import Backend, Bubblewrap, Native
from omniforge.tools.sandbox.place import python_inside
from omniforge.tools.sandbox.protocol import Ending, Limits, Program, SandboxFailed, Stop
from omniforge.tools.sandbox.running import BackendSandbox

ROOT = Path(__file__).parents[2]
IS_FULL = os.environ.get("SANDBOX_MATRIX") == "full"
STRANGER = 54_321
QUICK = Limits(wall_s=10, cpu_s=10, memory_bytes=512 << 20)


def backend_of(name: str) -> Backend:
    path = shutil.which("bwrap")
    if name == "native":
        return Native()
    if path is None:
        pytest.skip("bubblewrap is not installed (`make setup-system` does that)")
    return Bubblewrap(path)


@dataclass(frozen=True)
class Arena:
    """One kind of sandbox under one user, with a workspace for attempts."""

    backend: str
    is_stranger: bool
    workspace: Path

    async def run(self, code: str, *arguments: str, limits: Limits = QUICK, **more: Any) -> Ending:
        """Run Python code as a script of a skill, in the workspace."""
        script = {"SKILL.md": b"-", "scripts/it.py": code.encode()}
        argv = ("/skill/scripts/it.py", *arguments)
        return await self.execute(Program(argv, script, self.workspace, **more), limits)

    async def execute(self, program: Program, limits: Limits = QUICK) -> Ending:
        """Run a program; a script of Python gets the interpreter of whoever runs the sandbox."""
        if self.is_stranger:
            return await asyncio.to_thread(self._as_stranger, program, limits)
        return await sandbox(self.backend, limits).run(with_python(program))

    def _as_stranger(self, program: Program, limits: Limits) -> Ending:
        request = {
            "backend": self.backend,
            "limits": asdict(limits),
            "argv": program.argv,
            "skill": {path: encoded(content) for path, content in program.skill.items()},
            "workspace": str(program.workspace),
            "stdin": encoded(program.stdin),
        }
        command = ["setpriv", f"--reuid={STRANGER}", f"--regid={STRANGER}", "--clear-groups"]
        command += [python_for_strangers(), "-m", "tests.sandbox.stranger"]
        said = subprocess.run(
            command, cwd=ROOT, input=json.dumps(request), capture_output=True, text=True, timeout=60
        )
        assert said.returncode == 0, said.stderr
        told = json.loads(said.stdout)
        if "failed" in told:
            raise SandboxFailed(told["failed"])
        stdout, stderr = (base64.b64decode(told.pop(name)) for name in ("stdout", "stderr"))
        stop = Stop(told.pop("stop")) if told.get("stop") else None
        return Ending(stdout, stderr, **{**told, "stop": stop})


def sandbox(backend: str, limits: Limits) -> BackendSandbox:
    return BackendSandbox(backend_of(backend), limits)


def with_python(program: Program) -> Program:
    if program.argv[0].endswith(".py"):
        return replace(program, argv=(python_inside(), "-u", *program.argv))
    return program


def encoded(content: bytes) -> str:
    return base64.b64encode(content).decode()


def python_for_strangers() -> str:
    """An interpreter of the same version that other users can start; ours may lie in a private home."""
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    for found in (
        os.path.realpath(sys.executable),
        shutil.which(version, path="/usr/bin:/usr/local/bin"),
    ):
        # It must find itself, too: what setpriv starts is looked up with the rights of root.
        command = ["setpriv", f"--reuid={STRANGER}", "--clear-groups", str(found)]
        command += ["-c", "import sys; open(sys.executable).close()"]
        if found and subprocess.run(command, capture_output=True, check=False).returncode == 0:
            return str(found)
    pytest.skip("no Python here can be started by an ordinary user")


@contextmanager
def arena(name: str) -> Iterator[Arena]:
    """`native`, `bwrap`, `native-stranger` or `bwrap-stranger`; skips what this machine cannot do."""
    backend, _, who = name.partition("-")
    backend_of(backend)
    if who and os.geteuid() != 0:
        pytest.skip("the tests run as an ordinary user already")
    # Not pytest's own folders: those are closed to strangers.
    root = Path(tempfile.mkdtemp(prefix="omniforge-arena-"))
    root.chmod(0o755)
    workspace = root / "workspace"
    workspace.mkdir()
    place = Arena(backend, bool(who), workspace)
    if who:
        python_for_strangers()
        os.chown(workspace, STRANGER, STRANGER)
    try:
        yield place
    finally:
        trees.remove(root)


MINE = ["native", "bwrap"]
EVERYWHERE = [*MINE, "native-stranger", "bwrap-stranger"]
SOMEWHERE = EVERYWHERE if IS_FULL else ["native"]
