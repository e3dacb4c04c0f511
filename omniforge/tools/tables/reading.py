"""Reading a table from the bytes of a file: CSV in the shapes that exports have, or JSON."""

import json
from pathlib import PurePosixPath

from omniforge.errors import TryAgain
from omniforge.tools.content import Text, binary_kind, decode
from omniforge.tools.tables import csv_text, json_rows
from omniforge.tools.tables.table import Table
from omniforge.tools.wording import shown

_JSON_SUFFIXES = frozenset({".json", ".jsonl", ".ndjson"})
_MARKUP = {"<!doctype html": "a web page (HTML)", "<html": "a web page (HTML)", "<?xml": "XML"}


def read_table(name: str, content: bytes) -> Table:
    """Make a table of a CSV or JSON file, with notes on whatever was unusual about it.

    Raises:
        TryAgain: It is not a table; the message says what it looks like instead.
    """
    if kind := binary_kind(content):
        raise TryAgain(f"{name} is {kind}, not a table. Export it as CSV or JSON first.")
    source = decode(content)
    text = source.text.lstrip("\ufeff")
    start = text.lstrip()[:20].casefold()
    if not start:
        raise TryAgain(f"{name} is empty: it has no header and no rows.")
    for opening, kind in _MARKUP.items():
        if start.startswith(opening):
            raise TryAgain(f"{name} is {kind}, not a table. Export it as CSV or JSON first.")
    table = _json_table(name, text) or csv_text.table_from_csv(name, text)
    return table.with_notes(_encoding_notes(source))


def _json_table(name: str, text: str) -> Table | None:
    """The table in a JSON text; None when the text is rather CSV that opens with a bracket."""
    suffix = PurePosixPath(name).suffix.lower()
    if suffix not in _JSON_SUFFIXES and not text.lstrip().startswith(("[", "{")):
        return None
    try:
        return json_rows.table_from_json(name, json_rows.parse(text))
    except (ValueError, RecursionError) as error:
        if suffix not in _JSON_SUFFIXES:
            return None
        where = f" at line {error.lineno}" if isinstance(error, json.JSONDecodeError) else ""
        opening = shown(text.strip()[:40])
        raise TryAgain(f"{name} is not valid JSON{where}; it starts with {opening}.") from error


def _encoding_notes(source: Text) -> list[str]:
    names = {"cp1252": "Windows-1252", "latin-1": "Latin-1"}
    if source.encoding not in names:
        return []
    return [f"The file is not UTF-8; it was read as {names[source.encoding]}."]
