"""One platform per home folder."""

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from dev.errors import AlreadyRunning


class HomeLock:
    """The right to run in a home folder. Ends with the process, however that ends."""

    def __init__(self, file: IO[str]) -> None:
        self._file = file

    def describe(self, **urls: str) -> None:
        """Say what runs here, for whoever is refused."""
        self._file.seek(0)
        self._file.truncate()
        json.dump({"process": str(os.getpid()), **urls}, self._file)
        self._file.flush()


@contextmanager
def sole_owner(home: Path) -> Iterator[HomeLock]:
    """Hold the home folder for this process.

    Raises:
        AlreadyRunning: Another process holds it.
    """
    with (home / "up.lock").open("a+", encoding="utf-8") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise AlreadyRunning(home, _described(file)) from None
        lock = HomeLock(file)
        lock.describe()
        yield lock


def _described(file: IO[str]) -> str:
    file.seek(0)
    try:
        return ", ".join(f"{name} {value}" for name, value in json.load(file).items())
    except ValueError:
        return "it is just starting"
