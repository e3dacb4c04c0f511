"""Dates as people write them, several ways in one column."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

from omniforge.errors import TryAgain
from omniforge.tools.tables.table import Cell, is_empty
from omniforge.tools.wording import counted, listed, shortened

_MONTHS = (
    ("january", "januar", "jänner"), ("february", "februar"), ("march", "märz", "maerz", "mrz"),
    ("april",), ("may", "mai"), ("june", "juni"), ("july", "juli"), ("august",), ("september",),
    ("october", "oktober"), ("november",), ("december", "dezember"),
)  # fmt: skip
_WEEKDAY = re.compile(
    r"^(?:mon|tue|wed|thu|fri|sat|sun|mo|di|mi|do|fr|sa|so)[a-z]{0,8}\.?,?\s+", re.IGNORECASE
)
_TIME = re.compile(
    r"(?:T|,?\s+)(?:(?:at|um)\s+)?(?P<hour>[0-9]{1,2}):(?P<minute>[0-9]{2})(?::(?P<second>[0-9]{2})"
    r"(?:[.,][0-9]+)?)?(?:\s*(?P<half>[ap]\.?m\.?|uhr))?\s*(?:Z|UTC|GMT|[+-][0-9]{2}:?[0-9]{2})?$",
    re.IGNORECASE,
)
_YEAR_FIRST = re.compile(r"(?P<year>[0-9]{4})([-/.])(?P<month>[0-9]{1,2})\2(?P<day>[0-9]{1,2})")
_DOTTED = re.compile(
    r"(?P<day>[0-9]{1,2})\.\s?(?P<month>[0-9]{1,2})\.\s?(?P<year>[0-9]{4}|[0-9]{2})"
)
_SLASHED = re.compile(r"(?P<first>[0-9]{1,2})([-/])(?P<second>[0-9]{1,2})\2(?P<year>[0-9]{4})")
_SLASHED_SHORT = re.compile(r"(?P<first>[0-9]{1,2})/(?P<second>[0-9]{1,2})/(?P<year>[0-9]{2})")
_DAY_NAMED = re.compile(
    r"(?P<day>[0-9]{1,2})(?:st|nd|rd|th)?\.?[\s-]*(?P<name>[^\W\d_]{3,9})\.?,?[\s-]+(?P<year>[0-9]{4})",
    re.IGNORECASE,
)
_NAME_FIRST = re.compile(
    r"(?P<name>[^\W\d_]{3,9})\.?[\s-]+(?P<day>[0-9]{1,2})(?:st|nd|rd|th)?,?[\s-]+(?P<year>[0-9]{4})",
    re.IGNORECASE,
)
_RELATIVE = re.compile(r"today(?:\s*([+-])\s*([0-9]{1,6})\s*([dwmy]))?")
_LONGEST = 60


@dataclass(frozen=True, slots=True)
class DateOrder:
    """Whether 03/04/2026 is the third of April in a column. `is_guess` says nothing in it decided."""

    day_first: bool = False
    is_guess: bool = False

    @classmethod
    def of(cls, cells: Iterable[Cell]) -> "DateOrder":
        """A value above 12 decides for the column; where values disagree, the majority does.

        Without any such value the month comes first.
        """
        pairs = [pair for pair in map(_slashed_pair, cells) if pair]
        day_first = sum(first > 12 for first, second in pairs)
        month_first = sum(second > 12 for first, second in pairs)
        open_ones = any(first <= 12 and second <= 12 and first != second for first, second in pairs)
        return cls(day_first > month_first, open_ones and not day_first and not month_first)

    def read(self, cell: Cell) -> datetime | None:
        """The moment in a cell, as written (no time zone is applied); None when it is no date."""
        if not isinstance(cell, str) or len(cell) > _LONGEST:
            return None
        text, at = _without_time(cell)
        on = _named_date(text) or _numeric_date(text, self.day_first)
        return datetime.combine(on, at) if on is not None and at is not None else None


@dataclass(frozen=True, slots=True)
class DateColumn:
    """A column read as dates: None where a cell is empty or no date."""

    values: Sequence[datetime | None]
    notes: tuple[str, ...]

    @classmethod
    def of(cls, name: str, cells: Sequence[Cell]) -> "DateColumn":
        order = DateOrder.of(cells)
        values = [order.read(cell) for cell in cells]
        unread = [
            str(cell)
            for cell, value in zip(cells, values, strict=True)
            if value is None and not is_empty(cell)
        ]
        return cls(values, tuple(_notes(name, order, unread)))


def _notes(name: str, order: DateOrder, unread: Sequence[str]) -> Iterable[str]:
    if order.is_guess:
        yield (
            f"Dates like 03/04/2026 in {name!r} could start with the day or the month; nothing in the"
            " column decides, so the month was taken to come first."
        )
    if unread:
        examples = listed((repr(shortened(text, 30)) for text in dict.fromkeys(unread)), 3)
        verb = "is" if len(unread) == 1 else "are"
        yield f"{counted(len(unread), 'value')} in {name!r} {verb} not a date I can read: {examples}."


def parse_day(text: str, today: date) -> date:
    """A day in a tool's arguments: an ISO date, `today`, or `today+7d` (d, w, m, y).

    Raises:
        TryAgain: It is none of these.
    """
    wanted = text.strip().casefold()
    relative = _RELATIVE.fullmatch(wanted)
    try:
        if relative:
            return _shifted(today, *relative.groups()) if relative[1] else today
        return datetime.fromisoformat(wanted.upper()).date()
    except (ValueError, OverflowError):
        raise TryAgain(
            f"{shortened(text)!r} is not a date; write 2026-03-04, today, today+7d, today-2w, today-1m"
            " or today+1y."
        ) from None


def is_day(text: str) -> bool:
    """Whether `parse_day` takes this text."""
    try:
        parse_day(text, date(2000, 1, 1))
    except TryAgain:
        return False
    return True


def _shifted(day: date, sign: str, amount: str, unit: str) -> date:
    number = int(sign + amount)
    if unit in "dw":
        return day + timedelta(days=number * (7 if unit == "w" else 1))
    months = day.year * 12 + day.month - 1 + number * (12 if unit == "y" else 1)
    year, month = months // 12, months % 12 + 1
    last = (date(year + month // 12, month % 12 + 1, 1) - timedelta(days=1)).day
    return date(year, month, min(day.day, last))


def _slashed_pair(cell: Cell) -> tuple[int, int] | None:
    if not isinstance(cell, str) or len(cell) > _LONGEST:
        return None
    text, _ = _without_time(cell)
    found = _SLASHED.fullmatch(text) or _SLASHED_SHORT.fullmatch(text)
    return (int(found["first"]), int(found["second"])) if found else None


def _without_time(text: str) -> tuple[str, time | None]:
    """The date's text and the time of day; midnight when there is none, None when it is impossible."""
    bare = _WEEKDAY.sub("", text.strip())
    found = _TIME.search(bare)
    if not found:
        return bare, time()
    hour, half = int(found["hour"]), (found["half"] or "").casefold()
    if half[:1] in {"a", "p"}:
        hour = hour % 12 + (12 if half[0] == "p" else 0)
    try:
        at = time(hour, int(found["minute"]), int(found["second"] or 0))
    except ValueError:
        return bare, None
    return bare[: found.start()], at


def _named_date(text: str) -> date | None:
    found = _DAY_NAMED.fullmatch(text) or _NAME_FIRST.fullmatch(text)
    month = _month(found["name"]) if found else None
    return _date(found["year"], month, found["day"]) if found and month else None


def _numeric_date(text: str, day_first: bool) -> date | None:
    if found := _YEAR_FIRST.fullmatch(text) or _DOTTED.fullmatch(text):
        return _date(found["year"], found["month"], found["day"])
    found = _SLASHED.fullmatch(text) or _SLASHED_SHORT.fullmatch(text)
    if not found:
        return None
    first, second = int(found["first"]), int(found["second"])
    is_day_first = first > 12 or (day_first and second <= 12)
    month, day = (second, first) if is_day_first else (first, second)
    return _date(found["year"], month, day)


def _month(name: str) -> int | None:
    wanted = name.casefold()
    for number, names in enumerate(_MONTHS, start=1):
        if any(each.startswith(wanted) for each in names):
            return number
    return None


def _date(year: str, month: int | str, day: int | str) -> date | None:
    # Two digits mean this century up to 69, as POSIX has it.
    full = int(year) if len(year) > 2 else int(year) + (2000 if int(year) < 70 else 1900)
    try:
        return date(full, int(month), int(day))
    except ValueError:
        return None
