"""What a column holds, judged by its values."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from omniforge.tools.tables.dates import DateOrder
from omniforge.tools.tables.numerals import NumberStyle
from omniforge.tools.tables.table import Cell, folded, is_empty, text_of
from omniforge.tools.wording import shortened

# More says nothing new about a column, and keeps a large file quick to look at.
_LOOKED_AT = 1_000
# A column with a few oddities is still a column of dates; the tools report the oddities.
_ENOUGH = 0.8
_YES_NO = frozenset({"true", "false", "yes", "no", "ja", "nein", "wahr", "falsch"})


class Kind(StrEnum):
    NUMBER = "number"
    DATE = "date"
    BOOLEAN = "boolean"
    TEXT = "text"
    EMPTY = "empty"


@dataclass(frozen=True, slots=True)
class Profile:
    """A column at a glance. `odd` counts looked-at values that do not fit the kind."""

    name: str
    kind: Kind
    filled: int
    empty: int
    distinct: int
    odd: int
    examples: tuple[str, ...]

    def summary(self) -> dict[str, object]:
        told: dict[str, object] = {"name": self.name, "type": str(self.kind), "empty": self.empty}
        if self.odd:
            told["other_values"] = self.odd
        return told | {"distinct": self.distinct, "examples": list(self.examples)}


def profile(name: str, cells: Sequence[Cell]) -> Profile:
    filled = [cell for cell in cells if not is_empty(cell)]
    kind, fitting = _kind(filled[:_LOOKED_AT])
    distinct = dict.fromkeys(map(folded, filled))
    examples = dict.fromkeys(shortened(text_of(cell), 40) for cell in filled[:50])
    return Profile(
        name=name,
        kind=kind,
        filled=len(filled),
        empty=len(cells) - len(filled),
        distinct=len(distinct),
        odd=min(len(filled), _LOOKED_AT) - fitting,
        examples=tuple(examples)[:3],
    )


def _kind(cells: Sequence[Cell]) -> tuple[Kind, int]:
    if not cells:
        return Kind.EMPTY, 0
    order, style = DateOrder.of(cells), NumberStyle.of(cells)
    counts = {
        Kind.BOOLEAN: sum(folded(cell) in _YES_NO for cell in cells),
        Kind.NUMBER: sum(style.read(cell) is not None for cell in cells),
        Kind.DATE: sum(order.read(cell) is not None for cell in cells),
    }
    for kind, count in counts.items():
        if count >= _ENOUGH * len(cells):
            return kind, count
    return Kind.TEXT, len(cells)
