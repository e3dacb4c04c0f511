"""`client.schedules`."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from urllib.parse import quote

from omniforge.client.models import Page, StartedRun
from omniforge.client.transport import Transport
from omniforge.client.triggering import Backfill, Fire, Preview, Schedule, ScheduleDetail
from omniforge.identity import new_id

_SCHEDULES = "/api/v1/schedules"


class Schedules:
    """The times at which agents of the workspace run by themselves.

    `wishes` are the fields of a schedule as the API names them: `name`, `overlap`, `jitter_s`, ...
    """

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    async def list(
        self, *, agent_id: str | None = None, limit: int = 50, cursor: str | None = None
    ) -> Page[Schedule]:
        """Newest first."""
        return await self._transport.page(
            _SCHEDULES, "schedules", Schedule, agent_id=agent_id, limit=limit, cursor=cursor
        )

    async def get(self, schedule_id: str) -> ScheduleDetail:
        """One schedule, with how late its last fires came."""
        return await self._transport.get(_path(schedule_id), ScheduleDetail)

    async def preview(
        self, cron_expression: str, timezone: str = "UTC", **wishes: object
    ) -> Preview:
        """What a schedule would be in words, and its next five times. Nothing is kept of it."""
        body = _body({"cron_expression": cron_expression, "timezone": timezone, **wishes})
        return await self._transport.post(
            f"{_SCHEDULES}/preview", Preview, repeatable=True, json=body
        )

    async def add(
        self,
        agent_id: str,
        cron_expression: str,
        timezone: str = "UTC",
        *,
        idempotency_key: str | None = None,
        **wishes: object,
    ) -> Schedule:
        """Have an agent run at these times. A cut line never makes a second schedule.

        With an `idempotency_key` of your own, calling this again, also from another process, answers
        with the schedule of the first time.

        Raises:
            CronInvalid: The expression is not one; the message says what to write.
            TimeZoneUnknown: There is no such zone.
        """
        wish = {"agent_id": agent_id, "cron_expression": cron_expression, "timezone": timezone}
        return await self._transport.post(
            _SCHEDULES,
            Schedule,
            repeatable=True,
            json=_body({**wish, **wishes}),
            headers={"Idempotency-Key": idempotency_key or new_id("key")},
        )

    async def change(self, schedule_id: str, **wishes: object) -> Schedule:
        """Change what is given; None takes a start or an end away."""
        response = await self._transport.send(
            "PATCH", _path(schedule_id), repeatable=True, json=_body(wishes)
        )
        return Schedule.model_validate_json(response.content)

    async def remove(self, schedule_id: str) -> None:
        """Forget a schedule. Its runs and their history stay."""
        await self._transport.send("DELETE", _path(schedule_id), repeatable=False)

    async def pause(self, schedule_id: str, *, note: str = "") -> Schedule:
        """Let it fire no more, and say why."""
        return await self._ask(schedule_id, "pause", {"note": note})

    async def resume(self, schedule_id: str) -> Schedule:
        """Let it fire again. What was due meanwhile is not caught up."""
        return await self._ask(schedule_id, "resume")

    async def skip_next(self, schedule_id: str) -> Schedule:
        """Leave the next time out. Repeating it changes nothing."""
        return await self._ask(schedule_id, "skip-next")

    async def run(self, schedule_id: str, *, overlap: bool = False) -> StartedRun:
        """Start a run now, beside the times that are planned.

        Raises:
            ScheduleBusy: A run of it has not ended, and this one is not to overlap.
        """
        return await self._transport.post(
            f"{_path(schedule_id)}/run", StartedRun, json={"overlap": overlap}
        )

    async def backfill(
        self, schedule_id: str, start: datetime, end: datetime, *, preview: bool = False
    ) -> Backfill:
        """Have the times of a range fire now; a time that had its run gets no second one.

        With `preview` nothing starts: the answer says what would.
        """
        body = _body({"start": start, "end": end, "preview": preview})
        return await self._transport.post(
            f"{_path(schedule_id)}/backfill", Backfill, repeatable=preview, json=body
        )

    async def fires(
        self, schedule_id: str, *, limit: int = 50, cursor: str | None = None
    ) -> Page[Fire]:
        """What became of each time at which it was due, newest first."""
        return await self._transport.page(
            f"{_path(schedule_id)}/fires", "fires", Fire, limit=limit, cursor=cursor
        )

    async def _ask(
        self, schedule_id: str, verb: str, body: Mapping[str, Any] | None = None
    ) -> Schedule:
        return await self._transport.post(
            f"{_path(schedule_id)}/{verb}", Schedule, repeatable=True, json=body or {}
        )


def _body(wishes: Mapping[str, object]) -> dict[str, object]:
    return {
        name: value.isoformat() if isinstance(value, datetime) else value
        for name, value in wishes.items()
    }


def _path(schedule_id: str) -> str:
    return f"{_SCHEDULES}/{quote(schedule_id, safe='')}"
