"""Tables as CSV, JSON and Markdown."""

import csv
import io
import json
from collections.abc import Sequence
from pathlib import PurePosixPath

from omniforge.errors import TryAgain
from omniforge.tools.tables.table import Cell, Table, text_of
from omniforge.tools.wording import counted, shortened

# A Markdown cell longer than this breaks the table for a reader.
_CELL_WIDTH = 120
# The gateway cuts answers at 50,000 characters; a whole answer with fewer rows is worth more.
PREVIEW_CHARS = 20_000
MARKDOWN_CHARS = 20_000


def encode_table(table: Table, path: str) -> bytes:
    """The bytes of a table for a file of this name.

    Raises:
        TryAgain: The name ends in neither .csv nor .json.
    """
    suffix = PurePosixPath(path).suffix.lower()
    if suffix == ".csv":
        return _csv(table).encode()
    if suffix == ".json":
        return json.dumps(_objects(table), ensure_ascii=False, indent=1).encode()
    raise TryAgain(f"{path!r} must end in .csv or .json to hold a table.")


def preview(table: Table, limit: int) -> list[dict[str, Cell]]:
    """The first rows, fewer than asked for when they are very long."""
    rows, room = [], PREVIEW_CHARS
    for row in _objects(table.with_rows(table.rows[:limit])):
        room -= len(json.dumps(row, ensure_ascii=False))
        if room < 0:
            break
        rows.append(row)
    return rows


def markdown(table: Table) -> str:
    """A Markdown table. Pipes are escaped, line breaks become spaces, long cells are cut.

    Rows that would make it longer than a tool's answer may be are left out, and a last line says so.
    """
    head = [_markdown_line(table.columns), _markdown_line(("---",) * len(table.columns))]
    lines, room = [], MARKDOWN_CHARS
    for row in table.rows:
        line = _markdown_line(row)
        room -= len(line)
        if room < 0:
            break
        lines.append(line)
    left_out = len(table.rows) - len(lines)
    rest = ["", f"({counted(left_out, 'more row')} not shown)"] if left_out else []
    return "\n".join([*head, *lines, *rest]) + "\n"


def _csv(table: Table) -> str:
    target = io.StringIO(newline="")
    writer = csv.writer(target, lineterminator="\n")
    writer.writerow(table.columns)
    writer.writerows([text_of(cell) for cell in row] for row in table.rows)
    return target.getvalue()


def _objects(table: Table) -> list[dict[str, Cell]]:
    return [dict(zip(table.columns, row, strict=True)) for row in table.rows]


def _markdown_line(cells: Sequence[Cell]) -> str:
    return f"| {' | '.join(map(_markdown_cell, cells))} |"


def _markdown_cell(cell: Cell) -> str:
    text = shortened(" ".join(text_of(cell).split()), _CELL_WIDTH)
    return text.replace("\\", "\\\\").replace("|", "\\|")
