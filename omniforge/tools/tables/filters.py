"""Conditions on rows, judged a whole column at a time."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import Any

from omniforge.errors import TryAgain
from omniforge.journal.steps import Json
from omniforge.tools.tables.dates import DateColumn, is_day, parse_day
from omniforge.tools.tables.numerals import NumberStyle
from omniforge.tools.tables.statuses import is_done
from omniforge.tools.tables.table import Cell, Table, folded, is_empty
from omniforge.tools.wording import counted, listed, shown


class Op(StrEnum):
    EQ = "eq"
    NE = "ne"
    LT = "lt"
    LE = "le"
    GT = "gt"
    GE = "ge"
    CONTAINS = "contains"
    IN = "in"
    EMPTY = "empty"
    NOT_EMPTY = "not_empty"
    BEFORE = "before"
    AFTER = "after"
    ON = "on"
    IS_DONE = "is_done"
    IS_OPEN = "is_open"


@dataclass(frozen=True, slots=True)
class Condition:
    """One test of a row. An optional one is left out when it has no column, and a note says so."""

    op: Op
    column: str | None = None
    value: Json = None
    optional: bool = False

    @classmethod
    def of(cls, argument: Mapping[str, Any]) -> "Condition":
        return cls(
            op=Op(argument["op"]),
            column=argument.get("column") or None,
            value=argument.get("value"),
            optional=bool(argument.get("optional", False)),
        )


@dataclass(frozen=True, slots=True)
class _Column:
    name: str
    cells: Sequence[Cell]
    today: date


_Verdict = tuple[Sequence[bool], Sequence[str]]


def keep_matching(table: Table, conditions: Iterable[Condition], today: date) -> Table:
    """The rows that meet every condition.

    Raises:
        TryAgain: A column does not exist, or a value does not suit its operation.
    """
    keep = [True] * len(table.rows)
    notes: list[str] = []
    for condition in conditions:
        verdict, said = _judge(table, condition, today)
        keep = [mine and other for mine, other in zip(keep, verdict, strict=True)]
        notes.extend(said)
    rows = (row for row, stays in zip(table.rows, keep, strict=True) if stays)
    return table.with_rows(rows).with_notes(notes)


def _judge(table: Table, condition: Condition, today: date) -> _Verdict:
    if condition.column is None:
        if condition.optional:
            note = f"There is no column for the condition {condition.op}, so it was left out."
            return [True] * len(table.rows), [note]
        raise TryAgain(
            f"The condition {condition.op} names no column. The columns are:"
            f" {listed(table.columns, 50)}."
        )
    name = table.columns[table.index(condition.column)]
    return _OPS[condition.op](_Column(name, table.cells(name), today), condition)


def _equal(column: _Column, condition: Condition) -> _Verdict:
    wanted = _wanted(condition.value)
    found = [_is_among(cell, wanted) for cell in column.cells]
    return ([not hit for hit in found] if condition.op is Op.NE else found), []


def _contains(column: _Column, condition: Condition) -> _Verdict:
    wanted = folded(_scalar(condition))
    if not wanted:
        raise TryAgain("The condition contains needs a value to look for.")
    return [wanted in folded(cell) for cell in column.cells], []


def _emptiness(column: _Column, condition: Condition) -> _Verdict:
    return [is_empty(cell) is (condition.op is Op.EMPTY) for cell in column.cells], []


def _doneness(column: _Column, condition: Condition) -> _Verdict:
    value = condition.value
    further = [] if value is None else value if isinstance(value, list) else [value]
    words = [folded(word) for word in further]
    return [is_done(cell, words) is (condition.op is Op.IS_DONE) for cell in column.cells], []


def _by_date(column: _Column, condition: Condition) -> _Verdict:
    day = parse_day(str(_scalar(condition)), column.today)
    dates = DateColumn.of(column.name, column.cells)
    compare = _COMPARE[condition.op]
    return [value is not None and compare(value.date(), day) for value in dates.values], dates.notes


def _by_size(column: _Column, condition: Condition) -> _Verdict:
    value = _scalar(condition)
    number = NumberStyle().read(value)
    if number is not None:
        return _by_number(column, number, _COMPARE[condition.op])
    if isinstance(value, str) and is_day(value):
        return _by_date(column, condition)
    compare, wanted = _COMPARE[condition.op], folded(value)
    return [not is_empty(cell) and compare(folded(cell), wanted) for cell in column.cells], []


def _by_number(column: _Column, wanted: float, compare: Callable[[Any, Any], bool]) -> _Verdict:
    style = NumberStyle.of(column.cells)
    numbers = [style.read(cell) for cell in column.cells]
    unread = sum(
        number is None and not is_empty(cell)
        for number, cell in zip(numbers, column.cells, strict=True)
    )
    notes = [style.note(column.name)] if style.is_guess else []
    if unread:
        notes.append(
            f"{counted(unread, 'value')} in {column.name!r} could not be read as a number."
        )
    return [number is not None and compare(number, wanted) for number in numbers], notes


def _scalar(condition: Condition) -> Cell:
    value = condition.value
    if value is None or isinstance(value, list | dict):
        raise TryAgain(f"The condition {condition.op} needs one value, but got {shown(value)}.")
    return value if isinstance(value, str | int | float | bool) else str(value)


def _wanted(value: Json) -> tuple[frozenset[str], frozenset[float]]:
    values = value if isinstance(value, list) else [value]
    numbers = (NumberStyle().read(each) for each in values)
    return frozenset(map(folded, values)), frozenset(n for n in numbers if n is not None)


def _is_among(cell: Cell, wanted: tuple[frozenset[str], frozenset[float]]) -> bool:
    texts, numbers = wanted
    if folded(cell) in texts:
        return True
    return bool(numbers) and NumberStyle().read(cell) in numbers


_COMPARE: Mapping[Op, Callable[[Any, Any], bool]] = {
    Op.LT: lambda mine, other: bool(mine < other),
    Op.LE: lambda mine, other: bool(mine <= other),
    Op.GT: lambda mine, other: bool(mine > other),
    Op.GE: lambda mine, other: bool(mine >= other),
    Op.BEFORE: lambda mine, other: bool(mine < other),
    Op.AFTER: lambda mine, other: bool(mine > other),
    Op.ON: lambda mine, other: bool(mine == other),
}
_OPS: Mapping[Op, Callable[[_Column, Condition], _Verdict]] = {
    Op.EQ: _equal,
    Op.NE: _equal,
    Op.IN: _equal,
    Op.CONTAINS: _contains,
    Op.EMPTY: _emptiness,
    Op.NOT_EMPTY: _emptiness,
    Op.LT: _by_size,
    Op.LE: _by_size,
    Op.GT: _by_size,
    Op.GE: _by_size,
    Op.BEFORE: _by_date,
    Op.AFTER: _by_date,
    Op.ON: _by_date,
    Op.IS_DONE: _doneness,
    Op.IS_OPEN: _doneness,
}
