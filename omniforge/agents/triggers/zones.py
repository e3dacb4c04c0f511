"""Time zones by their names in the IANA database."""

import zoneinfo
from difflib import get_close_matches
from functools import cache

from omniforge.errors import TimeZoneUnknown

_NO_ZONES = {"Factory", "localtime"}
"""Entries that stand for "not set" and for the zone of whichever machine reads them."""

_AT_MOST = 3


def known_zone(name: str) -> str:
    """The name of a time zone, if there is one of exactly that name.

    Raises:
        TimeZoneUnknown: There is none. The message has the names that may be meant.
    """
    if name in _zones():
        return name
    if near := _near(name):
        advice = f"Did you mean {', '.join(near)}?"
    else:
        advice = (
            "Name the zone by its continent and a city in it, such as Europe/Berlin or"
            " America/New_York, or UTC. Abbreviations and offsets do not say when clocks change."
        )
    raise TimeZoneUnknown(f"There is no time zone {name[:64]!a}. {advice}", near=near)


@cache
def _zones() -> frozenset[str]:
    return frozenset(zoneinfo.available_timezones() - _NO_ZONES)


def _near(name: str) -> list[str]:
    """Zones of that name in another case, else with that city, else of nearly that name.

    No abbreviation is taken for one that it only looks like: CEST is neither CET nor EST.
    """
    written = name[:64].strip().lower().replace(" ", "_")
    by_lower = {zone.lower(): zone for zone in sorted(_zones())}
    if zone := by_lower.get(written):
        return [zone]
    if cities := [zone for low, zone in by_lower.items() if low.endswith(f"/{written}")]:
        return cities[:_AT_MOST]
    if "/" not in written:
        return []
    close = get_close_matches(written, by_lower, n=_AT_MOST, cutoff=0.8)
    return [by_lower[low] for low in close]
