"""The time."""

from collections.abc import Mapping
from datetime import UTC, tzinfo
from typing import Any
from zoneinfo import ZoneInfo, available_timezones

from omniforge import clock
from omniforge.errors import TryAgain
from omniforge.journal.steps import EffectClass, Json
from omniforge.tools.functions import FunctionTool
from omniforge.tools.parameters import parameters, text
from omniforge.tools.protocol import Tool, ToolCallContext, ToolSpec
from omniforge.tools.wording import did_you_mean, shortened

_SPEC = ToolSpec(
    name="clock",
    description=(
        "The current time, date and weekday, in UTC or in a time zone. Use it whenever the task"
        " depends on today; never guess the date."
    ),
    parameters=parameters(
        timezone=text("An IANA time zone such as 'Europe/Berlin'. Without it: UTC.")
    ),
    effect=EffectClass.READ,
)


def clock_tool() -> Tool:
    return FunctionTool(_SPEC, _tell)


async def _tell(arguments: Mapping[str, Any], context: ToolCallContext) -> Json:
    name = arguments.get("timezone") or "UTC"
    now = clock.now().astimezone(_zone(name))
    return {
        "now": now.isoformat(timespec="seconds"),
        "date": now.date().isoformat(),
        "weekday": f"{now:%A}",
        "timezone": name,
    }


def _zone(name: str) -> tzinfo:
    if name == "UTC":
        return UTC
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError) as error:
        raise TryAgain(
            f"There is no time zone {shortened(name)!r}."
            f"{did_you_mean(name, available_timezones())} Use an IANA name like 'Europe/Berlin'."
        ) from error
