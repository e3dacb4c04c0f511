"""Rows out of JSON: a list of objects, lines of objects, or an object that holds such a list."""

import json
from collections.abc import Mapping, Sequence
from math import isfinite

from omniforge.errors import TryAgain
from omniforge.journal.steps import Json
from omniforge.tools.tables.table import Cell, Table, text_of, unique_names
from omniforge.tools.wording import counted, listed, shown


def parse(text: str) -> Json:
    """JSON, or JSON lines.

    Raises:
        ValueError: It is neither.
        RecursionError: It is nested too deeply to be meant as data.
    """
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        lines = [line for line in text.splitlines() if line.strip()]
        if len(lines) > 1 and all(line.lstrip().startswith("{") for line in lines):
            return [json.loads(line) for line in lines]
        raise


def table_from_json(name: str, value: Json) -> Table:
    """A table of the rows in a JSON value.

    Raises:
        TryAgain: It holds no rows; the message says what it holds.
    """
    rows, notes = _rows(name, value)
    if all(isinstance(row, Mapping) for row in rows):
        return _from_objects(rows).with_notes(notes)
    if len(rows) > 1 and all(isinstance(row, list) for row in rows):
        return _from_lists(rows).with_notes(notes)
    raise TryAgain(f"{name} is a JSON list, but of {_kinds(rows)}; a table needs objects.")


def _rows(name: str, value: Json) -> tuple[Sequence[Json], list[str]]:
    if isinstance(value, list):
        rows, notes = value, []
    elif isinstance(value, dict):
        held = [key for key, each in value.items() if isinstance(each, list) and each]
        if len(held) != 1:
            raise TryAgain(
                f"{name} is a JSON object with the fields {listed(value)}; a table needs a list of"
                " objects, or exactly one field that holds such a list."
            )
        rows, notes = value[held[0]], [f"The rows are the list under {held[0]!r}."]
    else:
        raise TryAgain(f"{name} is the single JSON value {shown(value)}, not a table.")
    if not rows:
        raise TryAgain(f"{name} is an empty JSON list: it has no rows, so its columns are unknown.")
    return rows, notes


def _from_objects(rows: Sequence[Mapping[str, Json]]) -> Table:
    keys = list(dict.fromkeys(key for row in rows for key in row))
    table = Table(
        columns=unique_names(map(_clean, keys)),
        rows=tuple(tuple(_cell(row.get(key)) for key in keys) for row in rows),
    )
    partial = sum(len(row) < len(keys) for row in rows)
    note = f"{counted(partial, 'row')} had not every field; what was missing is empty."
    return table.with_notes([note] if partial else [])


def _from_lists(rows: Sequence[Sequence[Json]]) -> Table:
    columns = unique_names(text_of(_cell(cell)) for cell in rows[0])
    padded = (tuple(map(_cell, row))[: len(columns)] for row in rows[1:])
    return Table(columns, tuple(row + (None,) * (len(columns) - len(row)) for row in padded))


def _cell(value: Json) -> Cell:
    if isinstance(value, float) and not isfinite(value):
        return None
    if value is None or isinstance(value, bool | int | float):
        return value
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return _clean(text).strip()


def _clean(text: str) -> str:
    """JSON can spell half of a character pair, which no file can hold."""
    return text.encode("utf-8", "replace").decode("utf-8")


def _kinds(rows: Sequence[Json]) -> str:
    names = {dict: "objects", list: "lists", str: "texts", bool: "booleans", type(None): "nulls"}
    return listed(dict.fromkeys(names.get(type(row), "numbers") for row in rows))
