"""A cron expression as a sentence that says no more and no less than when it fires."""

from calendar import monthrange
from collections.abc import Callable, Iterable, Sequence
from itertools import pairwise
from typing import NamedTuple

from omniforge.agents.triggers.cron import DAY, Cron

MONTHS = (
    "",
    *("January", "February", "March", "April", "May", "June", "July", "August"),
    *("September", "October", "November", "December"),
)
WEEKDAYS = ("Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday")
_WORKDAYS = {1, 2, 3, 4, 5}
_COMMON_YEAR = 2027

# As many times or values as one still reads through; from there on a rule is easier.
_A_FEW = 6


def in_words(cron: Cron, zone: str = "UTC") -> str:
    """When it fires, for people; with the time zone where that is not UTC."""
    when, days = _times(cron), _days(cron)
    if days.every and when.is_clock:
        sentence = f"every {days.every} {when.text}"
    else:
        sentence = f"{when.text} {days.text}".rstrip()
    if not days.tells_months and len(cron.months) < 12:
        sentence += f", only {_months(cron.months)}"
    place = "" if zone == "UTC" else f" ({zone})"
    return sentence[0].upper() + sentence[1:] + place


# ---- times of a day --------------------------------------------------------------------------


class _Times(NamedTuple):
    text: str
    is_clock: bool = False
    """Whether it is a list of times, which goes behind a day: `every Friday at 09:00`."""


def _times(cron: Cron) -> _Times:
    minutes, hours = sorted(cron.minutes), sorted(cron.hours)
    beat = _beat(minutes)
    many = len(minutes) * len(hours)
    if many <= (_A_FEW // 2 if beat else _A_FEW):
        return _at(hours, minutes)
    if beat:
        return _Times(f"every {beat} {_within(hours)}".rstrip())
    if len(minutes) == 1:
        return _once_an_hour(minutes[0], hours)
    return _Times(f"at {_minutes(minutes)} of {_hours_of(hours)}")


def _at(hours: Iterable[int], minutes: Iterable[int]) -> _Times:
    return _Times(f"at {_and([_clock(h, m) for h in hours for m in minutes])}", is_clock=True)


def _beat(minutes: Sequence[int]) -> str:
    """`15 minutes` where they go round the clock evenly from the full hour, else nothing."""
    step = 60 // len(minutes)
    if len(minutes) == 1 or minutes != [*range(0, 60, step)]:
        return ""
    return "minute" if step == 1 else f"{step} minutes"


def _once_an_hour(minute: int, hours: Sequence[int]) -> _Times:
    if len(hours) == 24:
        return _Times("every hour" if minute == 0 else f"at minute {minute} of every hour")
    if step := _stride(hours):
        every = "hour" if step == 1 else f"{step} hours"
        return _Times(
            f"every {every} from {_clock(hours[0], minute)} to {_clock(hours[-1], minute)}"
        )
    if _all_wide(blocks := _blocks(hours)):
        ends = [f"from {_clock(b[0], minute)} to {_clock(b[-1], minute)}" for b in blocks]
        return _Times(f"every hour {_and(ends)}")
    return _at(hours, [minute])


def _minutes(minutes: Sequence[int]) -> str:
    step = _stride(minutes)
    if step > 1 and len(minutes) > _A_FEW:
        return f"every {_ordinal(step)} minute from {minutes[0]} to {minutes[-1]}"
    return f"minutes {_and(_spans(minutes, str))}"


def _within(hours: Sequence[int]) -> str:
    if len(hours) == 24:
        return ""
    if not _all_wide(blocks := _blocks(hours)):
        return f"in {_hours_of(hours)}"
    return _and([f"between {_clock(b[0], 0)} and {_clock(b[-1], 59)}" for b in blocks])


def _hours_of(hours: Sequence[int]) -> str:
    if len(hours) == 24:
        return "every hour"
    if len(hours) == 1:
        return f"the hour from {_clock(hours[0], 0)}"
    if not _all_wide(_blocks(hours)):
        return f"the hours {_and([str(hour) for hour in hours])}"
    return f"every hour {_within(hours)}"


def _all_wide(blocks: Sequence[Sequence[int]]) -> bool:
    """Whether hours read better as `between` their ends than one by one."""
    return len(blocks) == 1 or all(len(block) > 1 for block in blocks)


def _clock(hour: int, minute: int) -> str:
    return f"{hour:02}:{minute:02}"


# ---- days ------------------------------------------------------------------------------------


class _Days(NamedTuple):
    text: str
    every: str = ""
    """What follows `every` where days are told by the week."""
    tells_months: bool = False


def _days(cron: Cron) -> _Days:
    any_date, any_weekday = len(cron.days) == len(DAY.every), len(cron.weekdays) == 7
    if (any_date and any_weekday) or (cron.either_day and (any_date or any_weekday)):
        return _Days("", every="day")
    if any_date:
        return _Days(f"on {_weekdays(cron.weekdays, 's')}", every=_weekdays(cron.weekdays))
    if any_weekday:
        return _dates_alone(cron)
    dates = f"on {_dates(cron)}"
    if cron.either_day:
        return _Days(f"{dates}, and every {_weekdays(cron.weekdays)}")
    return _Days(f"{dates}, only if it is a {_weekdays(cron.weekdays, last=' or ')}")


def _dates_alone(cron: Cron) -> _Days:
    if len(cron.months) > 1 or len(cron.days) > _A_FEW:
        return _Days(f"on {_dates(cron)}")
    (month,) = cron.months
    leap = ", in leap years" if month == 2 and min(cron.days) == 29 else ""
    numbers = _and(_spans(cron.days, str))
    return _Days(f"on {numbers} {MONTHS[month]}{leap}", tells_months=True)


def _dates(cron: Cron) -> str:
    days = sorted(cron.days)
    step = _stride(days)
    if step == 1 < len(days) - 1:
        return f"every day from {_the(days[0])} to {_the(days[-1])}"
    if step > 1 and len(days) > _A_FEW:
        return f"every {_ordinal(step)} day from {_the(days[0])} to {_the(days[-1])}"
    known = _and(_spans(days, _the))
    if days[0] > min(monthrange(_COMMON_YEAR, month)[1] for month in cron.months):
        return f"{known} where the month has {'it' if len(days) == 1 else 'them'}"
    return known


def _weekdays(days: frozenset[int], plural: str = "", last: str = " and ") -> str:
    if days == _WORKDAYS:
        return f"weekday{plural}"
    return _and([WEEKDAYS[day] for day in sorted(days, key=lambda day: (day - 1) % 7)], last)


def _months(months: frozenset[int]) -> str:
    spans = _spans(months, MONTHS.__getitem__)
    return f"{'from' if len(spans) == 1 < len(months) else 'in'} {_and(spans)}"


def _the(day: int) -> str:
    return f"the {_ordinal(day)}"


def _ordinal(number: int) -> str:
    teen = number % 100 in (11, 12, 13)
    return f"{number}{'th' if teen else {1: 'st', 2: 'nd', 3: 'rd'}.get(number % 10, 'th')}"


# ---- lists -----------------------------------------------------------------------------------


def _stride(values: Sequence[int]) -> int:
    """The distance from each to the next, where it is the same one throughout, else 0."""
    steps = {after - before for before, after in pairwise(values)}
    return steps.pop() if len(steps) == 1 else 0


def _blocks(values: Iterable[int]) -> list[list[int]]:
    """Values that follow each other, together."""
    blocks: list[list[int]] = []
    for value in sorted(values):
        if blocks and value == blocks[-1][-1] + 1:
            blocks[-1].append(value)
        else:
            blocks.append([value])
    return blocks


def _spans(values: Iterable[int], name: Callable[[int], str]) -> list[str]:
    """Each value by its name; three and more that follow each other by the ends."""
    spans: list[str] = []
    for block in _blocks(values):
        ends = f"{name(block[0])} to {name(block[-1])}"
        spans += [ends] if len(block) > 2 else map(name, block)
    return spans


def _and(parts: Sequence[str], last: str = " and ") -> str:
    return last.join(filter(None, (", ".join(parts[:-1]), parts[-1])))
