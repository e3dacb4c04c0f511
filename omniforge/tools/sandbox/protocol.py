"""What a sandbox is asked, what it answers, and how much it lets a program have."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Protocol

from omniforge.errors import TryAgain

WORKSPACE, SKILL = "/workspace", "/skill"
"""Where a program finds the run's files, and those of its skill."""

MEGABYTE = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Limits:
    """What one call may use. `memory_bytes` is for all its processes together, `cpu_s` for each."""

    memory_bytes: int = 1024 * MEGABYTE
    cpu_s: int = 60
    wall_s: float = 60
    processes: int = 64
    open_files: int = 256
    file_bytes: int = 32 * MEGABYTE
    output_bytes: int = MEGABYTE
    tmp_bytes: int = 64 * MEGABYTE
    workspace_bytes: int = 512 * MEGABYTE
    workspace_files: int = 2_000
    network: bool = False


@dataclass(frozen=True, slots=True)
class Program:
    """One program to run. `argv[0]` is a path inside the sandbox; nothing here is ever given to a shell.

    It starts in the workspace, which it may write, or without one in the skill's folder, which it may
    only read.
    """

    argv: tuple[str, ...]
    skill: Mapping[str, bytes] = field(default_factory=dict)
    workspace: Path | None = None
    stdin: bytes = b""


class Stop(StrEnum):
    """Why a program was killed before it ended by itself."""

    TIME = "time"
    MEMORY = "memory"
    OUTPUT = "output"
    DISK = "disk"


@dataclass(frozen=True, slots=True)
class Ending:
    """How a program ended. Exactly one of `exit_code`, `signal` and `stop` is set.

    When it is known, not one of the program's processes is left.
    """

    stdout: bytes
    stderr: bytes
    exit_code: int | None = None
    signal: int | None = None
    stop: Stop | None = None


class SandboxFailed(TryAgain):
    """The sandbox did not come about, or broke; the program's work does not count."""


class Sandbox(Protocol):
    """Runs programs within `limits`."""

    @property
    def limits(self) -> Limits: ...

    async def run(self, program: Program) -> Ending:
        """Run a program and wait for its end. Being cancelled kills it, with all that it started.

        Raises:
            SandboxFailed: There is no sandbox on this machine, or it broke.
        """
        ...
