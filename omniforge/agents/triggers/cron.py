"""Cron as people know it: five fields or a word, and nothing that another program reads otherwise."""

import re
from calendar import monthrange
from collections.abc import Mapping
from dataclasses import dataclass, field

from omniforge.errors import CronInvalid

LONGEST = 100
"""Characters of an expression."""

WORDS: Mapping[str, str] = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
}

_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_WEEKDAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
_LEAP_YEAR = 2028


@dataclass(frozen=True, slots=True)
class Field:
    """One of the five fields: how it is called, and what may stand in it."""

    name: str
    low: int
    high: int
    names: Mapping[str, int] = field(default_factory=dict)
    top: int | None = None
    """The last number of `*`, where that is not the highest one."""

    @property
    def every(self) -> range:
        return range(self.low, (self.high if self.top is None else self.top) + 1)

    @property
    def allowed(self) -> str:
        numbers = f"{self.low} to {self.high}"
        return f"{numbers}, or {' '.join(self.names)}" if self.names else numbers

    def refusal(self, why: str) -> CronInvalid:
        return CronInvalid(f"The {self.name}: {why}", field=self.name)


MINUTE = Field("minute", 0, 59)
HOUR = Field("hour", 0, 23)
DAY = Field("day of month", 1, 31)
MONTH = Field("month", 1, 12, {name: number for number, name in enumerate(_MONTHS, 1)})
WEEKDAY = Field("day of week", 0, 7, {name: day for day, name in enumerate(_WEEKDAYS)}, top=6)
FIELDS = (MINUTE, HOUR, DAY, MONTH, WEEKDAY)


@dataclass(frozen=True, slots=True)
class Cron:
    """An expression that is valid, its text in lower case, and the numbers that it means (Sunday is 0).

    `expressions` are for a scheduler that wants every field to match: what fires is their union.
    """

    text: str
    expressions: tuple[str, ...]
    minutes: frozenset[int]
    hours: frozenset[int]
    days: frozenset[int]
    months: frozenset[int]
    weekdays: frozenset[int]
    either_day: bool
    """Whether a day matches by its number or by its weekday. Otherwise it has to by both."""


def parse_cron(text: str) -> Cron:
    """Read an expression, strictly: what crons do not agree on is refused.

    Raises:
        CronInvalid: It is none. The message names the field, what is wrong and what to write instead.
    """
    written = _normal(text)
    fields = _five(WORDS.get(written, written))
    read = [_ranges(kind, part) for kind, part in zip(FIELDS, fields, strict=True)]
    minutes, hours, days, months, weekdays = (frozenset[int]().union(*ranges) for ranges in read)
    _refuse_days_that_never_come(days, months)
    either_day = not fields[2].startswith("*") and not fields[4].startswith("*")
    return Cron(
        text=written,
        expressions=_expressions([*map(_plain, FIELDS, read)], either_day),
        minutes=minutes,
        hours=hours,
        days=days,
        months=months,
        weekdays=frozenset(day % 7 for day in weekdays),
        either_day=either_day,
    )


def _expressions(fields: list[str], either_day: bool) -> tuple[str, ...]:
    """Where a day may match by its number or its weekday, one expression for each of the two."""
    if not either_day:
        return (" ".join(fields),)
    minute, hour, day, month, weekday = fields
    return (f"{minute} {hour} {day} {month} *", f"{minute} {hour} * {month} {weekday}")


# ---- the text as a whole ---------------------------------------------------------------------


def _normal(text: str) -> str:
    if len(text) > LONGEST:
        raise CronInvalid(
            f"A cron expression has at most {LONGEST} characters; this one has {len(text):,}. Ranges and"
            " steps are shorter than lists; several schedules may start one agent."
        )
    for char in text:
        if char != "\t" and not (char.isascii() and char.isprintable()):
            raise CronInvalid(
                f"The character U+{ord(char):04X} means nothing in cron. Write one line of digits 0 to 9,"
                " names such as `mon`, and `* , - /`."
            )
    return " ".join(text.lower().split())


def _five(text: str) -> list[str]:
    if text.startswith(("cron_tz=", "tz=")):
        raise CronInvalid(
            f"The time zone is a setting of its own, `timezone`. Set it there, and take"
            f" `{text.partition('=')[0].upper()}=` out of the expression."
        )
    if text.startswith("@"):
        raise CronInvalid(_unknown_word(text))
    fields = text.split()
    if len(fields) != len(FIELDS):
        raise CronInvalid(_miscounted(fields), fields=len(fields))
    return fields


def _unknown_word(text: str) -> str:
    known = ", ".join(f"`{word}`" for word in WORDS)
    if text.startswith("@every"):
        return (
            "`@every` counts from a start that nobody sees. Write at which minutes or hours, for example"
            f" `*/15 * * * *` for every 15 minutes, or one of {known}."
        )
    if text == "@reboot":
        return f"`@reboot`: no machine starts here. Write when, in five fields, or one of {known}."
    return f"`{text}` is not a word of cron. The words are {known}; anything else has five fields."


def _miscounted(fields: list[str]) -> str:
    """Six fields have the seconds in front, or the year behind; seven have both."""
    five = "minute, hour, day of month, month, day of week"
    if len(fields) not in (6, 7):
        example = "for example `0 9 * * mon-fri` for 09:00 on weekdays"
        return f"A cron expression has five fields: {five}. This one has {len(fields)}; {example}."
    year_behind = len(fields) == 7 or re.fullmatch(r"\d{4}.*", fields[-1])
    seconds_ahead = len(fields) == 7 or not year_behind
    drop = ["the first one (seconds)"] * bool(seconds_ahead)
    drop += ["the last one (year)"] * bool(year_behind)
    kept = " ".join(fields[bool(seconds_ahead) :][: len(FIELDS)]).replace("?", "*")
    return (
        f"A cron expression has five fields ({five}), and this one has {len(fields)}. Drop"
        f" {' and '.join(drop)}: `{kept}`."
    )


def _refuse_days_that_never_come(days: frozenset[int], months: frozenset[int]) -> None:
    latest = max(monthrange(_LEAP_YEAR, month)[1] for month in months)
    if min(days) > latest:
        chosen = ", ".join(_MONTHS[month - 1] for month in sorted(months))
        raise DAY.refusal(
            f"{min(days)} never comes in {chosen}. Write a day up to {latest}, or another month."
        )


# ---- one field -------------------------------------------------------------------------------

_PART = re.compile(r"(?:(\*)|(\w+)(?:-(\w+))?)(?:/(\d+))?")


def _ranges(kind: Field, text: str) -> list[range]:
    return [_range(kind, part, text) for part in text.split(",")]


def _range(kind: Field, part: str, whole: str) -> range:
    if not part:
        raise kind.refusal(f"`{whole}` has a comma with nothing beside it. Take the comma out.")
    if not (found := _PART.fullmatch(part)):
        raise kind.refusal(_not_understood(kind, part))
    star, first, last, step = found.groups()
    values = kind.every if star else _between(kind, first, last or first)
    if step is None:
        return values
    stepped = values[:: _step(kind, int(step), part)]
    if not (star or last):
        raise kind.refusal(
            f"`{part}` steps from a single value, which crons read in two ways. Write"
            f" `{first}-{kind.high}/{step}`, or `{first}` alone."
        )
    return stepped


def _between(kind: Field, first: str, last: str) -> range:
    low, high = _number(kind, first), _number(kind, last)
    if last == "sun" and low > high:
        high = 7
    if low > high:
        raise kind.refusal(
            f"`{first}-{last}` runs backwards. Write `{_wrapped(kind, first, last)}`."
        )
    return range(low, high + 1)


def _number(kind: Field, text: str) -> int:
    if text in kind.names:
        return kind.names[text]
    if not text.isdecimal():
        raise kind.refusal(_not_understood(kind, text))
    if not kind.low <= (number := int(text)) <= kind.high:
        raise kind.refusal(f"`{text}` is out of range. Write {kind.allowed}.")
    return number


def _step(kind: Field, step: int, part: str) -> int:
    if step == 0:
        raise kind.refusal(f"`{part}` has a step of 0. Write 1 or more.")
    if step > kind.every[-1] - kind.low:
        raise kind.refusal(
            f"`{part}` has a step that is longer than the field, so it would match one value only."
            f" Write that value, or a step up to {kind.every[-1] - kind.low}."
        )
    return step


def _wrapped(kind: Field, first: str, last: str) -> str:
    """A range that runs over the field's end, as the two that it is."""
    names = list(kind.names)
    top = names[-1] if first in names else str(kind.every[-1])
    bottom = names[0] if last in names else str(kind.low)
    upper = f"{first}-{top}" if _number(kind, first) < kind.every[-1] else first
    lower = f"{bottom}-{last}" if _number(kind, last) > kind.low else last
    return f"{upper},{lower}"


def _not_understood(kind: Field, part: str) -> str:
    if part == "?":
        return "`?` is of another kind of cron. Write `*`."
    if "#" in part:
        return (
            f"`{part}` counts weekdays within a month, which cron cannot. Write the weekday alone,"
            f" `{part.partition('#')[0] or 'fri'}`, or days of the month, for example `8-14`."
        )
    if part[:3] in kind.names:
        return f"`{part}` is not known. Write `{part[:3]}`."
    if re.fullmatch(r"l.*|(\d+|\w{3})l", part):
        return f"`{part}` (L, the last) is of another kind of cron. Write {_instead_of_last(kind)}."
    if re.fullmatch(r"\d*w", part):
        return f"`{part}` (W, the nearest weekday) is of another kind of cron. Write a fixed day."
    return (
        f"`{part}` is not understood. Write {kind.allowed}, with `* , - /` between and around them."
    )


def _instead_of_last(kind: Field) -> str:
    if kind is DAY:
        return "a day that every month has, 28 at the latest"
    return f"{kind.allowed}; a weekday comes every week"


def _plain(kind: Field, ranges: list[range]) -> str:
    """The field in numbers alone, as every cron reads them."""
    return ",".join(_written(kind, values) for values in ranges)


def _written(kind: Field, values: range) -> str:
    if len(values) == 1:
        return str(values[0])
    ends = "*" if values == kind.every[:: values.step] else f"{values[0]}-{values[-1]}"
    return f"{ends}/{values.step}" if values.step > 1 else ends
