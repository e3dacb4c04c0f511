"""A table in memory."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from omniforge.errors import TryAgain
from omniforge.tools.wording import did_you_mean, listed

Cell = str | int | float | bool | None
Row = tuple[Cell, ...]


@dataclass(frozen=True, slots=True)
class Table:
    """Named columns and rows of the same width. `notes` say what was unusual about the source."""

    columns: tuple[str, ...]
    rows: tuple[Row, ...]
    notes: tuple[str, ...] = ()

    def index(self, name: str) -> int:
        """The place of a column; case and outer spaces of the name do not matter.

        Raises:
            TryAgain: There is no such column.
        """
        if name in self.columns:
            return self.columns.index(name)
        folded = [column.strip().casefold() for column in self.columns]
        if name.strip().casefold() in folded:
            return folded.index(name.strip().casefold())
        raise TryAgain(
            f"There is no column {name!r}.{did_you_mean(name, self.columns)}"
            f" The columns are: {listed(self.columns, 50)}."
        )

    def cells(self, name: str) -> list[Cell]:
        index = self.index(name)
        return [row[index] for row in self.rows]

    def with_rows(self, rows: Iterable[Row]) -> "Table":
        return replace(self, rows=tuple(rows))

    def with_notes(self, notes: Iterable[str]) -> "Table":
        """The same table with further notes; one that is there already is not repeated."""
        return replace(self, notes=tuple(dict.fromkeys((*self.notes, *notes))))

    def with_column(self, name: str, cells: Sequence[Cell]) -> "Table":
        """Add a column at the end, or replace the one of that name."""
        if name in self.columns:
            at = self.columns.index(name)
            return self.with_rows(
                (*row[:at], cell, *row[at + 1 :])
                for row, cell in zip(self.rows, cells, strict=True)
            )
        rows = ((*row, cell) for row, cell in zip(self.rows, cells, strict=True))
        return replace(self, columns=(*self.columns, name), rows=tuple(rows))

    def select(self, names: Sequence[str]) -> "Table":
        places = list(dict.fromkeys(self.index(name) for name in names))
        return replace(
            self,
            columns=tuple(self.columns[place] for place in places),
            rows=tuple(tuple(row[place] for place in places) for row in self.rows),
        )


def is_empty(cell: Cell) -> bool:
    return cell is None or (isinstance(cell, str) and not cell.strip())


def text_of(cell: Cell) -> str:
    """A cell as text: nothing for an empty one, no `.0` at the end of a whole number."""
    if cell is None:
        return ""
    if isinstance(cell, bool):
        return "true" if cell else "false"
    if isinstance(cell, float) and cell.is_integer():
        return str(int(cell))
    return str(cell)


def folded(cell: Cell) -> str:
    """What two cells have in common when a person calls them equal: case and spaces do not count."""
    return " ".join(text_of(cell).split()).casefold()


def unique_names(names: Iterable[str]) -> tuple[str, ...]:
    """Names for columns: blank ones become `column_3`, repeated ones `Name_2`."""
    taken: set[str] = set()
    result = []
    for place, name in enumerate(names, start=1):
        wanted = base = name.strip() or f"column_{place}"
        number = 1
        while wanted in taken:
            number += 1
            wanted = f"{base}_{number}"
        taken.add(wanted)
        result.append(wanted)
    return tuple(result)
