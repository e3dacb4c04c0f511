"""Finding out which sandbox works here, by starting it and letting it prove what it promises."""

import asyncio
import json
import shutil
import tempfile
from dataclasses import dataclass, field
from enum import StrEnum

from omniforge.tools.sandbox import seccomp
from omniforge.tools.sandbox.backends import Backend, Bubblewrap, Native
from omniforge.tools.sandbox.launcher import landlock
from omniforge.tools.sandbox.place import NOBODY, PATH, python_inside
from omniforge.tools.sandbox.protocol import Ending, Limits, Program, Sandbox, SandboxFailed
from omniforge.tools.sandbox.running import BackendSandbox

# What a program inside sees when it tries; what the promises below ask for.
_SELF_TEST = """
import errno, json, os, socket, sys
lines = open("/proc/self/status").read().splitlines()
status = dict(line.split(":\\t", 1) for line in lines if ":\\t" in line)
def refused(work):
    try: work()
    except OSError as error: return errno.errorcode.get(error.errno)
print(json.dumps({
    "user": os.getuid(), "privileges": int(status["CapEff"], 16) | int(status["CapBnd"], 16),
    "no_new": status["NoNewPrivs"], "filter": status["Seccomp"],
    "processes": len([name for name in os.listdir("/proc") if name.isdigit()]),
    "network": refused(lambda: socket.create_connection(("192.0.2.1", 9), 1)),
    "outside": os.path.exists(sys.argv[1]), "system": refused(lambda: open("/usr/written", "w")),
}))
"""


class Mode(StrEnum):
    """What the operator wants: the best there is, one kind and no other, or none."""

    AUTO = "auto"
    BWRAP = "bwrap"
    NATIVE = "native"
    OFF = "off"


@dataclass(frozen=True, slots=True)
class Found:
    """The sandbox to use, or None; and why each better one was not taken."""

    sandbox: Sandbox | None
    name: str
    refused: dict[str, str] = field(default_factory=dict)

    @property
    def layers(self) -> str:
        """What stands between a program and the machine, in words."""
        locked = f"landlock {version}" if (version := landlock.version()) else "no landlock"
        return f"namespaces, {locked}, seccomp, limits"

    @property
    def reason(self) -> str:
        return "; ".join(f"{name}: {why}" for name, why in self.refused.items())


async def find_sandbox(mode: Mode, limits: Limits) -> Found:
    """Try the kinds that the mode permits, the best one first."""
    refused: dict[str, str] = {}
    for backend in _candidates(mode, refused):
        sandbox = BackendSandbox(backend, limits)
        if (problem := await _problem(sandbox)) is None:
            return Found(sandbox, backend.name, refused)
        refused[backend.name] = problem
    return Found(None, Mode.OFF, refused)


class ProbedSandbox:
    """The sandbox of a process: looked for when it is first needed, and again until there is one."""

    def __init__(self, mode: Mode, limits: Limits) -> None:
        self._mode, self.limits = mode, limits
        self._found: Found | None = None
        self._looking = asyncio.Lock()

    async def run(self, program: Program) -> Ending:
        """See `Sandbox.run`."""
        found = await self._find()
        if found.sandbox is None:
            raise SandboxFailed(
                f"Programs cannot be run here, because there is no sandbox ({found.reason})."
                " Do the work with other tools, or say that it cannot be done."
            )
        return await found.sandbox.run(program)

    async def _find(self) -> Found:
        async with self._looking:
            if self._found is None or self._found.sandbox is None:
                self._found = await find_sandbox(self._mode, self.limits)
            return self._found


def _candidates(mode: Mode, refused: dict[str, str]) -> list[Backend]:
    if mode is Mode.OFF:
        refused["all"] = "switched off by OMNIFORGE_SANDBOX=off"
        return []
    if not seccomp.is_known():
        refused["all"] = "this processor's system calls are not known, so they cannot be filtered"
        return []
    backends: list[Backend] = []
    if mode in (Mode.AUTO, Mode.BWRAP):
        path = shutil.which("bwrap", path=PATH)
        if path is None:
            refused[Mode.BWRAP] = "bubblewrap is not installed"
        else:
            backends.append(Bubblewrap(path))
    return backends if mode is Mode.BWRAP else [*backends, Native()]


async def _problem(sandbox: BackendSandbox) -> str | None:
    """What is wrong with a sandbox; None when it kept every promise."""
    with tempfile.NamedTemporaryFile(prefix="omniforge-outside-") as outside:
        program = Program((python_inside(), "-I", "-S", "-c", _SELF_TEST, outside.name))
        try:
            ending = await sandbox.run(program)
        except SandboxFailed as error:
            return error.message
    if ending.exit_code != 0:
        said = ending.stderr.decode(errors="replace").strip()[-200:]
        return f"its self-test did not end well: {said or ending}"
    broken = _broken_promises(json.loads(ending.stdout), sandbox.limits)
    return f"it does not keep its promises: {', '.join(broken)}" if broken else None


def _broken_promises(seen: dict[str, object], limits: Limits) -> list[str]:
    kept = {
        "an unprivileged user": seen["user"] == NOBODY and seen["privileges"] == 0,
        "no new privileges": seen["no_new"] == "1",
        "filtered system calls": seen["filter"] == "2",
        "no other processes": seen["processes"] == 2,
        "no network": limits.network or seen["network"] == "ENETUNREACH",
        "no files from outside": seen["outside"] is False,
        "a read-only system": seen["system"] in ("EROFS", "EACCES"),
    }
    return [promise for promise, is_kept in kept.items() if not is_kept]
