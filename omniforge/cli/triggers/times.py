"""Moments as people write and read them, in the zone of a schedule and in that of this machine."""

from datetime import datetime
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import typer

NONE = "none"


def moment(text: str, zone: str, option: str) -> datetime:
    """What an option says, in the given zone when it names none itself."""
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise typer.BadParameter(
            f"{text!r} is not a date like 2026-12-01, 2026-12-01T08:30 or 2026-12-01T08:30+01:00",
            param_hint=option,
        ) from None
    if at.tzinfo is not None:
        return at
    if (known := _zone(zone)) is None:
        raise typer.BadParameter(
            f"this machine does not know the zone {zone!r}; write an offset, like {text}+00:00",
            param_hint=option,
        )
    return at.replace(tzinfo=known)


def spoken(at: datetime, zone: str) -> str:
    """A moment in a zone and, where clocks here show another time, also in that of this machine."""
    there, here = at.astimezone(_zone(zone)), at.astimezone()
    text = f"{there:%a %Y-%m-%d %H:%M:%S} {zone}".replace(":00 ", " ", 1)
    if there.utcoffset() == here.utcoffset():
        return text
    day = "" if there.date() == here.date() else f"{here:%Y-%m-%d} "
    return f"{text} (here {day}{here:%H:%M})"


def _zone(name: str) -> ZoneInfo | None:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return None
