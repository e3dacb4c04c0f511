"""The two ways into a sandbox: bubblewrap, and our own launcher."""

import os
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

from omniforge.tools.sandbox import seccomp
from omniforge.tools.sandbox.place import (
    LAUNCHER,
    LAUNCHER_INSIDE,
    NOBODY,
    Bind,
    Place,
    environment,
    python_inside,
)
from omniforge.tools.sandbox.protocol import SKILL, WORKSPACE, Limits, Program

_START = (
    "import sys; sys.path.append(sys.argv[1]); from launcher import main; main.main(*sys.argv[2:])"
)

# Everybody may read these. What lies elsewhere, root has to put where the sandbox's user can reach it.
_PUBLIC = ("/usr", "/etc", "/lib", "/bin", "/sbin")


@dataclass(frozen=True, slots=True)
class Handles:
    """Open files that a launcher inherits: what it is to do, and a line to whoever waits for it."""

    config: int
    control: int


@dataclass(frozen=True, slots=True)
class Start:
    """A command to execute, and the configuration to put into its open file."""

    command: list[str]
    config: dict[str, Any]


class Backend(Protocol):
    """One kind of sandbox."""

    @property
    def name(self) -> str: ...

    def start(self, place: Place, program: Program, limits: Limits, handles: Handles) -> Start: ...


@dataclass(frozen=True, slots=True)
class Native:
    """Namespaces, landlock, seccomp and limits, put in force by our own launcher."""

    name: str = "native"

    def start(self, place: Place, program: Program, limits: Limits, handles: Handles) -> Start:
        stage, binds = _staged(place)
        config = _config(program, limits) | {
            "place": str(place.stage),
            "stage": stage,
            "binds": [(str(bind.source), bind.target, bind.is_writable) for bind in binds],
            "links": list(place.links),
        }
        return Start(_launcher(sys.executable, str(LAUNCHER.parent), "native", handles), config)


@dataclass(frozen=True, slots=True)
class Bubblewrap:
    """bubblewrap makes the namespaces and mounts; our launcher adds the rest from within."""

    path: str
    name: str = "bwrap"

    def start(self, place: Place, program: Program, limits: Limits, handles: Handles) -> Start:
        stage, binds = _staged(place)
        command = [self.path, *_bwrap_options(binds, place.links, limits)]
        command += _launcher(python_inside(), str(Path(LAUNCHER_INSIDE).parent), "guard", handles)
        config = _config(program, limits)
        if not stage:
            return Start(command, config)
        outer = _launcher(sys.executable, str(LAUNCHER.parent), "bubblewrap", handles)
        return Start(
            outer, config | {"place": str(place.stage), "stage": stage, "command": command}
        )


def _launcher(python: str, folder: str, role: str, handles: Handles) -> list[str]:
    numbers = (str(handles.config), str(handles.control))
    return [python, "-I", "-S", "-c", _START, folder, role, *numbers]


def _config(program: Program, limits: Limits) -> dict[str, Any]:
    writable = [WORKSPACE] if program.workspace is not None else []
    return {
        "id": NOBODY,
        "argv": list(program.argv),
        "env": environment(program),
        "cwd": WORKSPACE if program.workspace is not None else SKILL if program.skill else "/",
        "writable": [*writable, "/tmp", "/dev/shm"],  # noqa: S108 - the sandbox's own
        "limits": _inner_limits(limits),
        "network": limits.network,
        "seccomp": seccomp.filter_program(),
        "stage": [],
    }


def _inner_limits(limits: Limits) -> dict[str, float]:
    """What the launcher sees to. Output and disk are watched from outside."""
    return {
        "memory_bytes": limits.memory_bytes,
        "cpu_s": limits.cpu_s,
        "wall_s": limits.wall_s,
        "processes": limits.processes,
        "open_files": limits.open_files,
        "file_bytes": limits.file_bytes,
        "tmp_bytes": limits.tmp_bytes,
    }


def _staged(place: Place) -> tuple[list[tuple[str, str]], Sequence[Bind]]:
    """For root, who gives its rights up before it goes in: where to mount what nobody could reach."""
    if os.geteuid() != 0:
        return [], place.binds
    stage, binds = [], []
    for number, bind in enumerate(place.binds):
        if not str(bind.source).startswith(_PUBLIC):
            target = place.stage / str(number)
            stage.append((str(bind.source), str(target)))
            bind = replace(bind, source=target)
        binds.append(bind)
    return stage, binds


def _bwrap_options(
    binds: Sequence[Bind], links: Sequence[tuple[str, str]], limits: Limits
) -> Iterator[str]:
    yield from ("--unshare-user", "--unshare-ipc", "--unshare-pid", "--unshare-uts")
    yield "--unshare-cgroup-try"
    if not limits.network:
        yield "--unshare-net"
    yield from ("--die-with-parent", "--as-pid-1", "--cap-drop", "ALL", "--hostname", "sandbox")
    yield from ("--uid", str(NOBODY), "--gid", str(NOBODY))
    yield from ("--proc", "/proc", "--dev", "/dev")
    for place in ("/tmp", "/dev/shm"):  # noqa: S108 - the sandbox's own
        yield from ("--size", str(limits.tmp_bytes), "--perms", "1777", "--tmpfs", place)
    for bind in binds:
        yield from ("--bind" if bind.is_writable else "--ro-bind", str(bind.source), bind.target)
    for target, path in links:
        yield from ("--symlink", target, path)
    yield from ("--remount-ro", "/dev", "--remount-ro", "/", "--chdir", "/", "--")
