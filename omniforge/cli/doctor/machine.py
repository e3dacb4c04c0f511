"""What can be seen on this machine without asking anybody."""

import os
import re
import shutil
import stat
import sys
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path

from omniforge.cli.credentials import FILE
from omniforge.cli.doctor.check import FAIL, OK, WARN, Check

_OLDEST_PYTHON = (3, 11)

# Runs write their steps and files all the time; below this a day's work may not fit.
_LITTLE_BYTES = 1024**3
_TOO_LITTLE_BYTES = 100 * 1024**2

_MAKE_SETUP = "Run `make setup`, or install the package anew."


def python() -> Check:
    found = ".".join(map(str, sys.version_info[:3]))
    if sys.version_info < _OLDEST_PYTHON:
        return Check("Python", FAIL, f"{found} is too old", "Use Python 3.11 or newer.")
    return Check("Python", OK, found)


def packages() -> Check:
    try:
        missing = [name for name in _required() if not _is_installed(name)]
    except PackageNotFoundError:
        return Check("Packages", FAIL, "OmniForge itself is not installed", _MAKE_SETUP)
    if missing:
        return Check("Packages", FAIL, f"missing: {', '.join(missing)}", _MAKE_SETUP)
    return Check("Packages", OK, f"omniforge {version('omniforge')} with all it needs")


def _required() -> Iterator[str]:
    for line in requires("omniforge") or ():
        if "extra ==" not in line and (name := re.match(r"[\w.-]+", line)):
            yield name[0]


def _is_installed(name: str) -> bool:
    try:
        version(name)
    except PackageNotFoundError:
        return False
    return True


def temporal_program() -> Check:
    """Only `make up` on this machine needs it."""
    beside = Path(sys.executable).with_name("temporal")
    found = beside if beside.is_file() else shutil.which("temporal")
    if found is None:
        advice = "`make setup` installs it; with TEMPORAL_ADDRESS set, it is not needed."
        return Check("Temporal CLI", WARN, "there is no `temporal` program", advice)
    return Check("Temporal CLI", OK, str(found))


def home_folder(home: Path) -> Check:
    place = next(folder for folder in (home, *home.parents) if folder.exists())
    if not place.is_dir() or not os.access(place, os.W_OK | os.X_OK):
        advice = f"Make {place} writable for you, or set OMNIFORGE_HOME to another folder."
        return Check("Home", FAIL, f"{place} cannot be written", advice)
    if place != home:
        return Check("Home", OK, f"{home} is not there yet; `make up` makes it")
    return Check("Home", OK, str(home))


def disk(home: Path) -> Check:
    place = next(folder for folder in (home, *home.parents) if folder.exists())
    free = shutil.disk_usage(place).free
    found = f"{free / 1024**3:.1f} GB free"
    if free < _TOO_LITTLE_BYTES:
        return Check("Disk", FAIL, found, f"Make room on the disk of {place}: runs cannot go on.")
    if free < _LITTLE_BYTES:
        return Check("Disk", WARN, found, f"Make room on the disk of {place} before it is full.")
    return Check("Disk", OK, found)


def credentials_file(home: Path, is_needed: bool) -> Check:
    file = home / FILE
    if not file.is_file():
        if not is_needed:
            return Check("Credentials", OK, "address and key are given; no file is needed")
        advice = "Start a platform with `make up`, or set OMNIFORGE_API_URL and OMNIFORGE_API_KEY."
        return Check("Credentials", FAIL, f"there is no {file}", advice)
    mode = stat.S_IMODE(file.stat().st_mode)
    if mode & 0o077:
        found = f"others can read {file} (mode {mode:o})"
        return Check("Credentials", WARN, found, f"chmod 600 {file}")
    return Check("Credentials", OK, f"{file}, for you only")
