"""`client.history`."""

from datetime import date
from urllib.parse import quote

from omniforge.agents.modes import RunMode
from omniforge.client.figures import Estimate, History, Statistics
from omniforge.client.transport import Transport


class Histories:
    """What runs came to, and what further ones will cost. Days are those of UTC, inclusive."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    async def records(
        self,
        agent_id: str | None = None,
        *,
        since: date | None = None,
        until: date | None = None,
        mode: RunMode = RunMode.LIVE,
        limit: int = 50,
        cursor: str | None = None,
    ) -> History:
        """The newest records, of one agent or of the whole workspace, and the totals of all of them."""
        path = "/api/v1/history" if agent_id is None else f"{_path(agent_id)}/history"
        days = _days(since, until)
        return await self._transport.get(
            path, History, mode=mode, limit=limit, cursor=cursor, **days
        )

    async def statistics(
        self, agent_id: str, *, since: date | None = None, until: date | None = None
    ) -> Statistics:
        """How an agent's runs went."""
        path = f"{_path(agent_id)}/statistics"
        return await self._transport.get(path, Statistics, **_days(since, until))

    async def estimate(
        self, agent_id: str, *, runs_per_month: int | None = None, items: int | None = None
    ) -> Estimate:
        """What a run and a month will cost; without a number, of as many runs as in the last 30 days.

        `items` is how many each `for_each` has.
        """
        path = f"{_path(agent_id)}/estimate"
        return await self._transport.get(path, Estimate, runs_per_month=runs_per_month, items=items)


def _days(since: date | None, until: date | None) -> dict[str, str]:
    days = {"since": since, "until": until}
    return {name: day.isoformat() for name, day in days.items() if day is not None}


def _path(agent_id: str) -> str:
    return f"/api/v1/agents/{quote(agent_id, safe='')}"
