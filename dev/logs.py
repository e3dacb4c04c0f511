"""The log files of the parts."""

import os
from pathlib import Path

_ROTATE_AT = 5 * 1024 * 1024
_KEPT = 3
_TAIL_BYTES = 64 * 1024


def rotate(log: Path) -> None:
    """Move a log that has grown large to `<log>.1`, the older ones one further; three are kept."""
    if not log.exists() or log.stat().st_size < _ROTATE_AT:
        return
    for number in range(_KEPT, 0, -1):
        older = log if number == 1 else _numbered(log, number - 1)
        if older.exists():
            older.replace(_numbered(log, number))


def _numbered(log: Path, number: int) -> Path:
    return log.with_name(f"{log.name}.{number}")


def tail(log: Path, lines: int = 15) -> str:
    """The last lines of a log, indented, with its name above."""
    try:
        with log.open("rb") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - _TAIL_BYTES))
            text = file.read().decode(errors="replace")
    except FileNotFoundError:
        text = ""
    last = [f"  | {line}" for line in text.splitlines()[-lines:]]
    return "\n".join([f"The end of {log}:", *(last or ["  (empty)"])])
