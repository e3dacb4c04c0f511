"""Groups of rows and figures about them."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from omniforge.errors import TryAgain
from omniforge.tools.tables.dates import DateColumn
from omniforge.tools.tables.numerals import NumberStyle
from omniforge.tools.tables.profile import Kind, profile
from omniforge.tools.tables.table import Cell, Row, Table, folded, is_empty, text_of, unique_names
from omniforge.tools.wording import counted

NO_VALUE = "(none)"


class Figure(StrEnum):
    COUNT = "count"
    SUM = "sum"
    MIN = "min"
    MAX = "max"
    AVG = "avg"


@dataclass(frozen=True, slots=True)
class Aggregate:
    """A figure about each group; without a column, `count` counts rows."""

    figure: Figure
    column: str | None = None
    name: str = ""

    @classmethod
    def of(cls, argument: Mapping[str, Any]) -> "Aggregate":
        figure, column = Figure(argument["fn"]), argument.get("column") or None
        if column is None and figure is not Figure.COUNT:
            raise TryAgain(f"The aggregate {figure} needs a column; only count can do without.")
        name = argument.get("as") or (f"{figure} of {column}" if column else str(figure))
        return cls(figure, column, name)


def group_rows(table: Table, by: Sequence[str | None], aggregates: Sequence[Aggregate]) -> Table:
    """One row a group, in the order the groups first appear. Case and spaces do not part groups.

    Empty cells form the group `(none)`. Without any column to group by, all rows are one group,
    also when there are none.

    Raises:
        TryAgain: A column does not exist.
    """
    places = [table.index(name) for name in by if name]
    notes = (
        [] if len(places) == len(by) else ["A column to group by does not exist; it was left out."]
    )
    groups: dict[tuple[str, ...], list[int]] = {}
    for number, row in enumerate(table.rows):
        groups.setdefault(tuple(folded(row[place]) for place in places), []).append(number)
    figures = [_Figures.of(table, aggregate) for aggregate in aggregates]
    if not places:
        groups.setdefault((), [])
    rows = [
        _labels(table, numbers, places) + tuple(each.about(numbers) for each in figures)
        for numbers in groups.values()
    ]
    names = [*(table.columns[place] for place in places), *(each.name for each in aggregates)]
    said = [note for each in figures for note in each.notes]
    return Table(unique_names(names), tuple(rows), table.notes).with_notes([*notes, *said])


def _labels(table: Table, numbers: Sequence[int], places: Sequence[int]) -> Row:
    """A group is called by the spelling that most of its rows have."""
    if not places:
        return ()
    spellings = Counter(tuple(table.rows[number][place] for place in places) for number in numbers)
    label = spellings.most_common(1)[0][0]
    return tuple(NO_VALUE if is_empty(cell) else text_of(cell) for cell in label)


@dataclass(frozen=True, slots=True)
class _Figures:
    """One aggregate over the column's values, read once for all groups."""

    figure: Figure
    values: Sequence[Any]  # numbers, or dates for min and max: comparable with each other
    notes: Sequence[str] = ()

    @classmethod
    def of(cls, table: Table, aggregate: Aggregate) -> "_Figures":
        if aggregate.column is None:
            return cls(aggregate.figure, [True] * len(table.rows))
        cells = table.cells(aggregate.column)
        if aggregate.figure is Figure.COUNT:
            return cls(aggregate.figure, [None if is_empty(cell) else True for cell in cells])
        is_date = profile(aggregate.column, cells).kind is Kind.DATE
        if is_date and aggregate.figure in {Figure.MIN, Figure.MAX}:
            dates = DateColumn.of(aggregate.column, cells)
            return cls(aggregate.figure, dates.values, dates.notes)
        values, notes = _numbers(aggregate.column, cells)
        return cls(aggregate.figure, values, notes)

    def about(self, numbers: Sequence[int]) -> Cell:
        values = [self.values[number] for number in numbers if self.values[number] is not None]
        if self.figure is Figure.COUNT:
            return len(values)
        return _figure(self.figure, values) if values else None


def _numbers(name: str, cells: Sequence[Cell]) -> tuple[list[float | int | None], list[str]]:
    style = NumberStyle.of(cells)
    values = [style.read(cell) for cell in cells]
    notes = [style.note(name)] if style.is_guess else []
    unread = sum(v is None and not is_empty(c) for v, c in zip(values, cells, strict=True))
    if unread:
        notes.append(f"{counted(unread, 'value')} in {name!r} could not be read as a number.")
    return values, notes


def _figure(figure: Figure, values: Sequence[Any]) -> Cell:
    if figure is Figure.SUM:
        return _rounded(sum(values))
    if figure is Figure.AVG:
        return round(float(sum(values)) / len(values), 2)
    chosen: datetime | float | int = min(values) if figure is Figure.MIN else max(values)
    return chosen.date().isoformat() if isinstance(chosen, datetime) else _rounded(chosen)


def _rounded(number: float | int) -> float | int:
    """Sums of decimals without the last digits that binary fractions add."""
    return round(number, 10) if isinstance(number, float) else number
