"""What a command says: results on stdout, everything about them on stderr."""

import json
import sys
from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

import typer

if TYPE_CHECKING:
    from rich.console import Console


_NEVER_CUT = 32


class Output:
    """On a terminal, tables and colours. Otherwise tab-separated lines; with `as_json`, JSON."""

    def __init__(self, as_json: bool) -> None:
        self.as_json = as_json

    @cached_property
    def console(self) -> "Console":
        from rich.console import Console

        return Console(highlight=False, soft_wrap=True)

    @property
    def can_ask(self) -> bool:
        """Whether a person is there to answer a question."""
        return not self.as_json and sys.stdin.isatty() and sys.stderr.isatty()

    def document(self, value: object) -> None:
        """The one JSON document of a command."""
        typer.echo(json.dumps(_plain(value), ensure_ascii=False, indent=2))

    def json_line(self, value: object) -> None:
        typer.echo(json.dumps(_plain(value), ensure_ascii=False))

    def table(self, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
        if not self.console.is_terminal:
            for row in rows:
                typer.echo("\t".join(one_line(cell) for cell in row))
            return
        from rich.table import Table
        from rich.text import Text

        table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
        for number, name in enumerate(columns):
            longest = max((len(one_line(row[number])) for row in rows), default=0)
            # An id that is cut short is of no use.
            table.add_column(name, min_width=longest if longest <= _NEVER_CUT else None)
        for row in rows:
            table.add_row(*(Text(one_line(cell), STYLES.get(str(cell), "")) for cell in row))
        self.console.print(table, soft_wrap=False)

    def facts(self, pairs: Sequence[tuple[str, object]]) -> None:
        """Names and values, one a line; those without a value are left out."""
        known = [(name, value) for name, value in pairs if value not in (None, "")]
        width = max((len(name) for name, _ in known), default=0)
        for name, value in known:
            typer.echo(f"{name:<{width}}  {one_line(value)}")

    def note(self, text: str) -> None:
        """Something for people, beside the result."""
        typer.echo(text, err=True)

    def error(self, code: str, message: str, hint: str = "") -> None:
        """What went wrong, for people on stderr; with `as_json` for programs on stdout."""
        if self.as_json:
            self.json_line({"error": {"code": code, "message": message}})
            return
        self.note(f"omniforge: {message}")
        if hint:
            self.note(hint)


STYLES = {
    "active": "green",
    "completed": "green",
    "confirmed": "green",
    "ok": "green",
    "running": "cyan",
    "pending": "cyan",
    "waiting": "yellow",
    "paused": "yellow",
    "cancelled": "yellow",
    "warn": "yellow",
    "warning": "yellow",
    "timed_out": "red",
    "failed": "red",
    "fail": "red",
    "error": "red",
}


def one_line(value: object) -> str:
    """A value as text without line ends or codes that a terminal would obey."""
    text = "" if value is None else str(value)
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())


def shortened(text: str, length: int) -> str:
    return text if len(text) <= length else text[: length - 3].rstrip() + "..."


def _plain(value: object) -> Any:
    from pydantic_core import to_jsonable_python

    return to_jsonable_python(value)
