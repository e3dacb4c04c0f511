"""Two tables side by side, by keys that people wrote."""

import re
from collections.abc import Mapping, Sequence
from enum import StrEnum

from omniforge.errors import TryAgain
from omniforge.tools.tables.table import Cell, Row, Table, folded, unique_names
from omniforge.tools.wording import counted

_WHOLE_WITH_ZEROS = re.compile(r"(-?[0-9]+)[.,]0+")
# A join on a column of few values multiplies rows; beyond this it is a mistake.
MAX_ROWS = 200_000


class How(StrEnum):
    INNER = "inner"
    LEFT = "left"


def join(left: Table, right: Table, on: Sequence[tuple[str, str]], how: How) -> Table:
    """Put the columns of matching rows next to each other; the right key columns are not repeated.

    Keys match across types, case and spaces: 7, "7", " 7.0" are one key. Empty keys match nothing.

    Raises:
        TryAgain: A key column does not exist, or the result would have too many rows.
    """
    mine = [left.index(name) for name, _ in on]
    theirs = [right.index(name) for _, name in on]
    extra = [place for place in range(len(right.columns)) if place not in theirs]
    by_key = _by_key(right.rows, theirs)
    rows: list[Row] = []
    unmatched = 0
    for row in left.rows:
        matches = by_key.get(_key(row, mine), ())
        unmatched += not matches
        rows.extend(row + tuple(other[place] for place in extra) for other in matches)
        if not matches and how is How.LEFT:
            rows.append(row + (None,) * len(extra))
        if len(rows) > MAX_ROWS:
            raise TryAgain(f"The join makes more than {MAX_ROWS} rows; join on a more exact key.")
    columns = unique_names([*left.columns, *(right.columns[place] for place in extra)])
    note = f"{counted(unmatched, 'row')} of the left table found no match."
    notes = [*left.notes, *right.notes, *([note] if unmatched else [])]
    return Table(columns, tuple(rows)).with_notes(notes)


def _by_key(rows: Sequence[Row], places: Sequence[int]) -> Mapping[tuple[str, ...], list[Row]]:
    found: dict[tuple[str, ...], list[Row]] = {}
    for row in rows:
        key = _key(row, places)
        if all(key):
            found.setdefault(key, []).append(row)
    return found


def _key(row: Row, places: Sequence[int]) -> tuple[str, ...]:
    return tuple(_key_part(row[place]) for place in places)


def _key_part(cell: Cell) -> str:
    text = folded(cell)
    whole = _WHOLE_WITH_ZEROS.fullmatch(text)
    return whole[1] if whole else text
