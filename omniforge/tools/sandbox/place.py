"""What one call lays out on this machine, and what of the machine its program sees."""

import shutil
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from omniforge.tools.sandbox.protocol import SKILL, WORKSPACE, Program

NOBODY = 65534
"""The user inside every sandbox; outside, it is whoever runs the worker, or nobody when that is root."""

PATH = "/usr/local/bin:/usr/bin:/bin"
"""Where programs are looked for; a Python of another place comes before."""

LAUNCHER = Path(__file__).with_name("launcher")
LAUNCHER_INSIDE = "/run/launcher"

_SYSTEM_FOLDERS = ("bin", "sbin", "lib", "lib32", "lib64", "libx32")
_SYSTEM_FILES = ("ld.so.cache", "alternatives", "mime.types")
_NETWORK_FILES = ("resolv.conf", "hosts", "nsswitch.conf", "ssl", "ca-certificates")
_ACCOUNTS = {
    "passwd": f"sandbox:x:{NOBODY}:{NOBODY}::/tmp:/bin/sh\n",
    "group": f"sandbox:x:{NOBODY}:\n",
}


@dataclass(frozen=True, slots=True)
class Bind:
    """A file or folder of the machine, at its place in the sandbox."""

    source: Path
    target: str
    is_writable: bool = False


@dataclass(frozen=True, slots=True)
class Place:
    """A folder of one call: it holds copies for the sandbox, and an empty folder to mount on."""

    root: Path
    binds: tuple[Bind, ...]
    links: tuple[tuple[str, str], ...]

    @property
    def stage(self) -> Path:
        return self.root / "stage"


def python_inside() -> str:
    """The interpreter of this process without its packages, at the same path inside."""
    found = Path(sys.base_prefix, "bin", f"python{sys.version_info.major}.{sys.version_info.minor}")
    return str(found if found.is_file() else Path(sys.executable).resolve())


def environment(program: Program) -> dict[str, str]:
    """All that a program is told; nothing comes from the environment of this process."""
    own = f"{sys.base_prefix}/bin:" if _python_is_apart() else ""
    told = {"PATH": own + PATH, "HOME": "/tmp", "LANG": "C.UTF-8"}  # noqa: S108 - the sandbox's own
    if program.skill:
        told["SKILL_DIR"] = SKILL
    if program.workspace is not None:
        told["WORKSPACE"] = WORKSPACE
    return told


def _python_is_apart() -> bool:
    return not Path(sys.base_prefix).is_relative_to("/usr")


@contextmanager
def laid_out(program: Program, *, network: bool) -> Iterator[Place]:
    """Lay out what a program needs; all but the workspace is removed afterwards."""
    root = Path(tempfile.mkdtemp(prefix="omniforge-sandbox-"))
    try:
        root.chmod(0o711)  # the sandbox's own user passes through
        (root / "stage").mkdir()
        _write(root / "etc", {name: text.encode() for name, text in _ACCOUNTS.items()})
        _write(root / "skill", program.skill)
        yield Place(root, tuple(_binds(root, program, network)), tuple(_links()))
    finally:
        shutil.rmtree(root, ignore_errors=True)


def _write(folder: Path, files: Mapping[str, bytes]) -> None:
    folder.mkdir()
    for path, content in files.items():
        file = folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
    for each in (folder, *folder.rglob("*")):
        each.chmod(0o755)  # whatever this process's own mask is; a skill's folder carries no modes


def _binds(root: Path, program: Program, network: bool) -> Iterator[Bind]:
    yield Bind(Path("/usr"), "/usr")
    for name in _SYSTEM_FOLDERS:
        if (folder := Path("/", name)).is_dir() and not folder.is_symlink():
            yield Bind(folder, f"/{name}")
    for name in (*_SYSTEM_FILES, *(_NETWORK_FILES if network else ())):
        if (file := Path("/etc", name)).exists():
            yield Bind(file.resolve(), f"/etc/{name}")
    for name in _ACCOUNTS:
        yield Bind(root / "etc" / name, f"/etc/{name}")
    if _python_is_apart():
        yield Bind(Path(sys.base_prefix), sys.base_prefix)
    yield Bind(LAUNCHER, LAUNCHER_INSIDE)
    if program.skill:
        yield Bind(root / "skill", SKILL)
    if program.workspace is not None:
        yield Bind(program.workspace.resolve(), WORKSPACE, is_writable=True)


def _links() -> Iterator[tuple[str, str]]:
    for name in _SYSTEM_FOLDERS:
        if (folder := Path("/", name)).is_symlink():
            yield str(folder.readlink()), f"/{name}"
