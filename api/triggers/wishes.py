"""What people wish of a schedule, checked before it is kept."""

import base64
import hashlib
import json
from collections.abc import Mapping
from typing import Any, TypeVar

from pydantic import ValidationError

from omniforge import clock
from omniforge.agents.triggers.cron import parse_cron
from omniforge.agents.triggers.schedules import Schedule, ScheduleConfig
from omniforge.agents.triggers.zones import known_zone
from omniforge.errors import ScheduleInvalid
from omniforge.identity import Principal, new_id

Config = TypeVar("Config", bound=ScheduleConfig)

# It is copied into the row of every run.
MAX_INPUT_BYTES = 256 * 1024


def planned(config: ScheduleConfig, caller: Principal, key: str | None = None) -> Schedule:
    """
    Raises:
        CronInvalid, TimeZoneUnknown, ScheduleInvalid: It cannot be.
    """
    config, at = sound(config), clock.now()
    if config.ends_at is not None and config.ends_at <= at:
        raise ScheduleInvalid("ends_at: that time has passed, so the schedule would never fire.")
    return Schedule(
        **{**dict(config), "tenant_id": caller.tenant_id},
        id=new_id("sc") if key is None else _id_of(caller.tenant_id, key),
        created_by=caller.user_id,
        created_at=at,
        updated_at=at,
    )


def sound(config: Config) -> Config:
    """The same, with its expression as it is kept.

    Raises:
        CronInvalid, TimeZoneUnknown, ScheduleInvalid: It cannot be.
    """
    cron, zone = parse_cron(config.cron_expression), known_zone(config.timezone)
    if config.starts_at and config.ends_at and config.ends_at <= config.starts_at:
        raise ScheduleInvalid("ends_at: it has to come after starts_at.")
    try:
        size = len(json.dumps(config.input_data, allow_nan=False))
    except (ValueError, TypeError, RecursionError) as error:
        raise ScheduleInvalid(f"input_data: it has to be JSON: {error}.") from error
    if size > MAX_INPUT_BYTES:
        raise ScheduleInvalid(
            f"input_data: {size:,} bytes of JSON are too many; {MAX_INPUT_BYTES:,} are allowed, because"
            " each run has a copy. Put what is larger into files that the agent reads."
        )
    return config.model_copy(update={"cron_expression": cron.text, "timezone": zone})


def changed(schedule: Schedule, changes: Mapping[str, Any]) -> Schedule:
    """
    Raises:
        CronInvalid, TimeZoneUnknown, ScheduleInvalid: It cannot be so.
    """
    try:
        changed = Schedule.model_validate({**schedule.model_dump(), **changes})
    except ValidationError as error:
        places = {".".join(map(str, one["loc"])): one["msg"] for one in error.errors()}
        raise ScheduleInvalid("; ".join(f"{at}: {why}" for at, why in places.items())) from error
    return sound(changed)


def _id_of(tenant_id: str, key: str) -> str:
    """The same id for the same key, in the letters and the length of ours."""
    digest = hashlib.sha256(f"{tenant_id}/{key}".encode()).digest()
    return f"sc_{base64.b32encode(digest).decode().lower()[:26]}"
