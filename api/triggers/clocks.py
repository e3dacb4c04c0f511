"""Asking the server so that nights in which clocks go back come out right.

Server 1.32 errs about the hour that comes twice wherever clocks are ahead of UTC, at least in summer:
a time of the hour before is repeated an hour later, and of `*/15 * * * *` most are left out.
"""

from datetime import timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from temporalio.client import ScheduleCalendarSpec, ScheduleRange

from omniforge import clock
from omniforge.agents.triggers.cron import Cron

_FORESEEN = timedelta(days=3_650)


def asked_in(cron: Cron, zone: str) -> str:
    """The zone to ask in: UTC, whose clocks never change, where the expression means the same there."""
    same = all({(at - ahead) % 60 for at in cron.minutes} == cron.minutes for ahead in _ahead(zone))
    return "UTC" if same and _names_minutes_alone(cron) else zone


def never(cron: Cron) -> list[ScheduleCalendarSpec]:
    """The hours that an expression does not name, at which the server is to fire in no night."""
    hours = [ScheduleRange(hour) for hour in range(24) if hour not in cron.hours]
    return [ScheduleCalendarSpec(hour=hours, minute=[ScheduleRange(0, 59)])] if hours else []


def _names_minutes_alone(cron: Cron) -> bool:
    return [*map(len, (cron.hours, cron.days, cron.months, cron.weekdays))] == [24, 31, 12, 7]


@lru_cache(maxsize=1_000)
def _ahead(zone: str) -> frozenset[int]:
    """The minutes that the clocks of a zone are ahead of UTC, now and in the years to come."""
    days = (clock.now() + timedelta(days=number) for number in range(_FORESEEN.days))
    offsets = (day.astimezone(ZoneInfo(zone)).utcoffset() for day in days)
    return frozenset(int(each.total_seconds()) // 60 for each in offsets if each is not None)
