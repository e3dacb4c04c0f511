"""From a script to the command that runs it: argv only, no shell unless the script is one."""

import shutil
from collections.abc import Iterable, Mapping
from pathlib import PurePosixPath

from omniforge.errors import TryAgain
from omniforge.tools.sandbox.place import PATH, python_inside
from omniforge.tools.sandbox.protocol import SKILL
from omniforge.tools.wording import did_you_mean, listed

_FOLDER = "scripts/"
_VISIBLE = ("/usr/", "/bin/", "/sbin/", "/lib/")
# The kernel looks no further either (BINPRM_BUF_SIZE).
_LOOKED_AT = 256


def scripts_in(files: Iterable[str]) -> list[str]:
    """The paths of a skill's folder that can be run."""
    return sorted(path for path in files if path.startswith(_FOLDER))


def command_of(script: str, files: Mapping[str, bytes]) -> tuple[str, ...]:
    """The command, up to the script's own path; its arguments come after.

    Raises:
        TryAgain: There is no such script, or nothing here can run it.
    """
    path = script.removeprefix("./").removeprefix(f"{SKILL}/")
    known = scripts_in(files)
    if path not in known:
        hint = did_you_mean(path, known)
        raise TryAgain(f"There is no script {script!r}.{hint} The skill has: {listed(known)}.")
    return (*_interpreter(path, files[path]), f"{SKILL}/{path}")


def program_of(argv: tuple[str, ...], files: Mapping[str, bytes]) -> tuple[str, ...]:
    """A command line as it can be run: a script of the skill, or a program of the machine.

    Raises:
        TryAgain: There is no such script or program.
    """
    name, *arguments = argv
    if name.removeprefix("./").removeprefix(f"{SKILL}/").startswith(_FOLDER):
        return (*command_of(name, files), *arguments)
    return (*_program(name, "The command"), *arguments)


def _interpreter(path: str, content: bytes) -> tuple[str, ...]:
    first = content[:_LOOKED_AT].split(b"\n", 1)[0]
    if first.startswith(b"#!"):
        return _from_shebang(path, first[2:].decode(errors="replace").split())
    match PurePosixPath(path).suffix:
        case ".py":
            return _python()
        case ".sh":
            return ("/bin/sh",)
    raise TryAgain(
        f"{path} cannot be run: it ends neither in .py nor in .sh, and its first line does not name a"
        " program (#!). Read it with read_skill_file, and do its work with other tools."
    )


def _from_shebang(path: str, words: list[str]) -> tuple[str, ...]:
    if words and PurePosixPath(words[0]).name == "env":
        words = words[2:] if words[1:2] == ["-S"] else words[1:]
    if not words:
        raise TryAgain(f"{path} cannot be run: its first line names no program.")
    return (*_program(words[0], path), *words[1:])


def _program(name: str, for_whom: str) -> tuple[str, ...]:
    """Where a program is; any Python is the one that the platform itself runs on."""
    if PurePosixPath(name).name.rstrip("0123456789.") == "python":
        return _python()
    found = shutil.which(name, path=PATH)
    if found is None or not found.startswith(_VISIBLE):
        raise TryAgain(
            f"{for_whom} needs {name!r}, which is not in the sandbox. Python and the machine's own"
            " programs are; do the work in another way."
        )
    return (found,)


def _python() -> tuple[str, ...]:
    # Unbuffered, so that what a script said before it was stopped is not lost.
    return (python_inside(), "-u")
