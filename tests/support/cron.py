"""Cron expressions made up by chance, with what they mean by the rules of Vixie's cron.

Nothing here reads an expression: text and meaning are drawn together.
"""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

_MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
_WEEKDAYS = ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")
_LONGEST_OF = {2: 29, 4: 30, 6: 30, 9: 30, 11: 30}


@dataclass(frozen=True)
class Drawn:
    """One field: how it is written, and the values that it stands for."""

    text: str
    values: frozenset[int]


@dataclass(frozen=True)
class Expression:
    minute: Drawn
    hour: Drawn
    day: Drawn
    month: Drawn
    weekday: Drawn

    @property
    def text(self) -> str:
        fields = (self.minute, self.hour, self.day, self.month, self.weekday)
        return " ".join(field.text for field in fields)

    def matches_day(self, day: date) -> bool:
        """A star at the beginning of either field for days makes it `and`; without one it is `or`."""
        by_number = day.day in self.day.values
        by_weekday = (day.weekday() + 1) % 7 in {number % 7 for number in self.weekday.values}
        if self.day.text.startswith("*") or self.weekday.text.startswith("*"):
            matches = by_number and by_weekday
        else:
            matches = by_number or by_weekday
        return matches and day.month in self.month.values

    def times(self, first: datetime, last: datetime) -> Iterator[datetime]:
        """Every minute that matches, both ends included."""
        midnight = first.replace(hour=0, minute=0)
        while midnight <= last:
            if self.matches_day(midnight.date()):
                for hour in sorted(self.hour.values):
                    for minute in sorted(self.minute.values):
                        if first <= (at := midnight.replace(hour=hour, minute=minute)) <= last:
                            yield at
            midnight += timedelta(days=1)


def an_expression(dice: random.Random) -> Expression:
    """One that is valid. Half of all fields are stars, as people write them."""
    minute, hour = _field(dice, 0, 59), _field(dice, 0, 23)
    weekday = _field(dice, 0, 7, _WEEKDAYS, star_top=6)
    while True:
        day, month = _field(dice, 1, 31), _field(dice, 1, 12, ("", *_MONTHS))
        if min(day.values) <= max(_LONGEST_OF.get(number, 31) for number in month.values):
            return Expression(minute, hour, day, month, weekday)


def _field(
    dice: random.Random, low: int, high: int, names: Sequence[str] = (), star_top: int = 0
) -> Drawn:
    top = star_top or high
    if dice.random() < 0.5:
        return Drawn("*", frozenset(range(low, top + 1)))
    parts = [_part(dice, low, high, names, top) for _ in range(dice.choice((1, 1, 1, 2, 3)))]
    return Drawn(
        ",".join(part.text for part in parts), frozenset().union(*(part.values for part in parts))
    )


def _part(dice: random.Random, low: int, high: int, names: Sequence[str], top: int) -> Drawn:
    step = dice.randint(1, (top - low) // 2)
    kind = dice.choice(("one", "one", "range", "stepped", "star"))
    if kind == "star":
        return Drawn(f"*/{step}", frozenset(range(low, top + 1, step)))
    first = dice.randint(low, high)
    if kind == "one":
        return Drawn(_named(dice, first, names), frozenset({first}))
    last = dice.randint(first, high)
    text = f"{_named(dice, first, names)}-{_named(dice, last, names)}"
    if kind == "range":
        return Drawn(text, frozenset(range(first, last + 1)))
    return Drawn(f"{text}/{step}", frozenset(range(first, last + 1, step)))


def _named(dice: random.Random, value: int, names: Sequence[str]) -> str:
    if value >= len(names) or dice.random() < 0.5:
        return f"{value:0{dice.choice((1, 2))}}"
    name = names[value]
    return dice.choice((name, name.lower(), name.capitalize()))
