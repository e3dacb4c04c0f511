"""Schedules and their fires in words."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING

from omniforge.cli.triggers.times import spoken

if TYPE_CHECKING:
    from omniforge.client.triggering import Fire, Schedule


class Overlap(StrEnum):
    SKIP = "skip"
    BUFFER_ONE = "buffer_one"
    ALLOW = "allow"


_OVERLAP = {
    Overlap.SKIP: "skipped while a run of it goes on",
    Overlap.BUFFER_ONE: "one waits for the run before it, more are skipped",
    Overlap.ALLOW: "runs side by side",
}
_WHY = {
    "overlap": "run {run} had not ended",
    "buffer_full": "run {run} had not ended, and another one waited for it",
    "on_request": "as somebody asked for",
    "schedule_paused": "the schedule was paused",
    "schedule_removed": "the schedule was removed",
    "agent_not_active": "the agent was not active",
}


def facts_of(one: "Schedule") -> Iterator[tuple[str, object]]:
    """What a schedule is, what it does next, and why it may not."""
    zone = one.timezone
    yield "id", one.id
    yield "name", one.name
    yield "agent", one.agent_id
    yield "when", one.words
    yield "cron", f"{one.cron_expression} ({zone})"
    yield "state", state(one)
    yield from times("next", one.next_times or (), zone)
    yield "skips", "" if one.skip_at is None else spoken(one.skip_at, zone)
    beside = "; a run that waits for people is no hindrance" if one.overlap_waiting else ""
    yield "overlap", f"{_OVERLAP[Overlap(one.overlap)]}{beside}"
    yield "catches up", f"{one.catchup_window_s:,} s"
    yield "jitter", f"{one.jitter_s:,} s" if one.jitter_s else ""
    yield "starts", "" if one.starts_at is None else spoken(one.starts_at, zone)
    yield "ends", "" if one.ends_at is None else spoken(one.ends_at, zone)


def schedule_row(one: "Schedule") -> tuple[object, ...]:
    following = next(iter(one.next_times or ()), None)
    soonest = "-" if following is None else spoken(following, one.timezone)
    return one.id, one.name, one.agent_id, one.words, soonest, state(one)


def state(one: "Schedule") -> str:
    if not one.enabled:
        return f"paused: {one.note}" if one.note else "paused"
    return "active" if one.in_sync else "active, Temporal has yet to hear of it"


def times(name: str, moments: Sequence[datetime], zone: str) -> Iterator[tuple[str, object]]:
    """Moments as facts, one a line; the first has the name."""
    for place, at in enumerate(moments):
        yield (name if place == 0 else ""), spoken(at, zone)


def fire_row(fire: "Fire") -> tuple[object, ...]:
    late = "-" if fire.lateness_s is None else f"{fire.lateness_s:.1f} s"
    return (
        f"{fire.scheduled_at:%Y-%m-%d %H:%M:%S} UTC",
        f"{fire.fired_at:%Y-%m-%d %H:%M:%S} UTC",
        late,
        fire.kind,
        fire.outcome,
        fire.execution_id or why(fire),
    )


def why(fire: "Fire") -> str:
    """Why a time led to no run."""
    return _WHY.get(fire.reason or "", fire.reason or "").format(run=fire.blocked_by)
