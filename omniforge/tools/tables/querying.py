"""Adding, sorting and cutting: the parts of a query besides its conditions."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import Any

from omniforge.errors import TryAgain
from omniforge.tools.tables.dates import DateColumn
from omniforge.tools.tables.numerals import NumberStyle
from omniforge.tools.tables.profile import Kind, profile
from omniforge.tools.tables.table import Cell, Table, folded, is_empty

_NO_MOMENT = datetime(1, 1, 1)  # noqa: DTZ001 - dates in tables are as written, without a zone


class Derived(StrEnum):
    """What a new column can tell of a date in another one."""

    DATE = "date"
    WEEK = "week"
    MONTH = "month"
    DAYS_SINCE = "days_since"
    DAYS_UNTIL = "days_until"


@dataclass(frozen=True, slots=True)
class Addition:
    """A column to add: its name, the column of dates it comes from, and what it tells."""

    name: str
    source: str
    tells: Derived

    @classmethod
    def of(cls, argument: Mapping[str, Any]) -> "Addition":
        return cls(argument["column"], argument["from"], Derived(argument["as"]))


def add_column(table: Table, addition: Addition, today: date) -> Table:
    """Add a column; where the source holds no date, the new cell is empty.

    Raises:
        TryAgain: The source does not exist.
    """
    dates = DateColumn.of(addition.source, table.cells(addition.source))
    derive = _DERIVE[addition.tells]
    cells = [None if value is None else derive(value.date(), today) for value in dates.values]
    return table.with_column(addition.name, cells).with_notes(dates.notes)


_DERIVE: Mapping[Derived, Callable[[date, date], Cell]] = {
    Derived.DATE: lambda day, today: day.isoformat(),
    Derived.WEEK: lambda day, today: f"{day:%G-W%V}",
    Derived.MONTH: lambda day, today: day.isoformat()[:7],
    Derived.DAYS_SINCE: lambda day, today: (today - day).days,
    Derived.DAYS_UNTIL: lambda day, today: (day - today).days,
}


def sort_rows(table: Table, order: Sequence[str | None]) -> Table:
    """Sort by columns, the first one first; `-column` is descending. Empty cells come last either way.

    Raises:
        TryAgain: A column does not exist.
    """
    notes: list[str] = []
    places = list(range(len(table.rows)))
    for wanted in reversed([name for name in order if name]):
        name, descending = _direction(table, wanted)
        keys, said = _sort_keys(name, table.cells(name))
        notes[:0] = said
        places.sort(key=lambda place: keys[place][1], reverse=descending)
        places.sort(key=lambda place: keys[place][0])
    return table.with_rows(table.rows[place] for place in places).with_notes(notes)


def _direction(table: Table, wanted: str) -> tuple[str, bool]:
    if wanted not in table.columns and wanted.startswith("-"):
        return table.columns[table.index(wanted[1:])], True
    return table.columns[table.index(wanted)], False


_SortKey = tuple[int, tuple[float, datetime, str]]


def _sort_keys(name: str, cells: Sequence[Cell]) -> tuple[list[_SortKey], Sequence[str]]:
    """A rank (values of the column's kind, other values, nothing) and a key inside the rank."""
    kind, notes = profile(name, cells).kind, tuple[str, ...]()
    values: Sequence[datetime | float | None]
    if kind is Kind.DATE:
        dates = DateColumn.of(name, cells)
        values, notes = dates.values, dates.notes
    elif kind is Kind.NUMBER:
        style = NumberStyle.of(cells)
        values = [style.read(cell) for cell in cells]
        notes = (style.note(name),) if style.is_guess else ()
    else:
        values = [None] * len(cells)
    return [_sort_key(cell, value) for cell, value in zip(cells, values, strict=True)], notes


def _sort_key(cell: Cell, value: datetime | float | None) -> _SortKey:
    if isinstance(value, datetime):
        return 0, (0.0, value, "")
    if value is not None:
        return 0, (value, _NO_MOMENT, "")
    return 2 if is_empty(cell) else 1, (0.0, _NO_MOMENT, folded(cell))


def cut(table: Table, limit: int | None) -> Table:
    if limit is None or limit >= len(table.rows):
        return table
    note = f"Only the first {limit} of {len(table.rows)} rows are kept, as asked."
    return table.with_rows(table.rows[:limit]).with_notes([note])


def chosen_columns(table: Table, names: Sequence[str | None]) -> Table:
    """Keep the named columns in that order; entries without a name are skipped with a note.

    Raises:
        TryAgain: A column does not exist, or nothing is left.
    """
    present = [name for name in names if name]
    if not names:
        return table
    if not present:
        raise TryAgain("Every entry of the column list is empty; name at least one column.")
    skipped = ["A column that does not exist in this file was left out."]
    return table.select(present).with_notes(skipped if len(present) < len(names) else [])
