"""Numbers as people write them: `1.234,56` and `1,234.56`, decided for a column as a whole."""

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum

from omniforge.tools.tables.table import Cell

_NUMBER = re.compile(r"[-+]?[0-9][0-9.,'\u2019\u00a0\u202f ]{0,40}|[-+]?[.,][0-9]{1,20}")
_MONEY = re.compile(r"^(?:[$€\u00a3]|EUR|USD|CHF|GBP)\s*|\s*(?:[$€\u00a3%]|EUR|USD|CHF|GBP)$")
# Sums and averages of what lies below stay finite.
_LARGEST = 1e300
_SPACING = re.compile(r"['\u2019\u00a0\u202f ](?=[0-9]{3})")
_GROUPED = {mark: re.compile(rf"[1-9][0-9]{{0,2}}(?:\{mark}[0-9]{{3}})+") for mark in ".,"}


class Mark(Enum):
    """What a number's dots and commas say about each other."""

    POINT = "."
    COMMA = ","
    NONE = ""
    EITHER = "?"


@dataclass(frozen=True, slots=True)
class NumberStyle:
    """How a column writes numbers. Only values like `1.234` depend on it; `is_guess` says it was open."""

    decimal_comma: bool = False
    is_guess: bool = False

    @classmethod
    def of(cls, cells: Iterable[Cell]) -> "NumberStyle":
        marks = Counter(_mark(cell) for cell in map(_digits, _texts(cells)) if cell)
        decided = marks[Mark.COMMA] + marks[Mark.POINT]
        return cls(marks[Mark.COMMA] > marks[Mark.POINT], bool(marks[Mark.EITHER]) and not decided)

    def read(self, cell: Cell) -> float | int | None:
        """The number in a cell; None when there is none. `007` is an identifier, not a number."""
        if isinstance(cell, bool) or cell is None:
            return None
        if isinstance(cell, int | float):
            return cell if abs(cell) < _LARGEST else None
        digits = _digits(cell)
        if not digits or _is_identifier(digits):
            return None
        mark = _mark(digits)
        if mark is Mark.EITHER:
            mark = Mark.COMMA if self.decimal_comma else Mark.POINT
        return _value(digits, mark)

    def note(self, column: str) -> str:
        return (
            f"Numbers in {column!r} such as 1.234 or 1,234 could be read in two ways; they were read"
            " with a decimal point and thousands commas."
        )


def _texts(cells: Iterable[Cell]) -> Iterable[str]:
    return (cell for cell in cells if isinstance(cell, str))


def _digits(text: str) -> str | None:
    """The bare number, with its dots and commas, or None."""
    bare = _MONEY.sub("", text.strip()[:60]).strip()
    if not _NUMBER.fullmatch(bare):
        return None
    bare = _SPACING.sub("", bare)
    return None if re.search(r"[^-+0-9.,]", bare) or bare[-1] in ".," else bare


def _is_identifier(digits: str) -> bool:
    bare = digits.lstrip("+-")
    return len(bare) > 1 and bare[0] == "0" and bare.isdigit()


def _mark(digits: str) -> Mark:
    bare = digits.lstrip("+-")
    dots, commas = bare.count("."), bare.count(",")
    if not dots and not commas:
        return Mark.NONE
    if dots and commas:
        return Mark.POINT if bare.rfind(".") > bare.rfind(",") else Mark.COMMA
    mine, other = (Mark.POINT, Mark.COMMA) if dots else (Mark.COMMA, Mark.POINT)
    if dots + commas > 1:
        return other
    return Mark.EITHER if _GROUPED[mine.value].fullmatch(bare) else mine


def _value(digits: str, mark: Mark) -> float | int | None:
    sign = -1 if digits.startswith("-") else 1
    whole, _, fraction = digits.lstrip("+-").partition(mark.value or "\0")
    thousands = "," if mark is Mark.POINT else "."
    if thousands in whole and not _GROUPED[thousands].fullmatch(whole):
        return None
    if fraction and not fraction.isdigit():
        return None
    whole = whole.replace(thousands, "")
    if not fraction and mark in {Mark.NONE, Mark.POINT, Mark.COMMA} and whole.isdigit():
        return sign * int(whole)
    return sign * float(f"{whole or '0'}.{fraction}") if (whole or "0").isdigit() else None
