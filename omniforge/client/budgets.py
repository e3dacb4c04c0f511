"""`client.budgets`."""

from datetime import date
from decimal import Decimal
from urllib.parse import quote

from omniforge.agents.budgets import Period, Scope
from omniforge.client.models import Budget, Cost, Page
from omniforge.client.transport import Transport

_BUDGETS = "/api/v1/budgets"


class Budgets:
    """Caps on what model calls may cost, and what they have cost."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    async def list(self) -> Page[Budget]:
        return await self._transport.page(_BUDGETS, "budgets", Budget)

    async def set(
        self, cap_usd: Decimal, scope: Scope, subject: str = "me", period: Period = Period.EVER
    ) -> Budget:
        """Cap an agent, a person, or the whole workspace; from the next model call on.

        Raises:
            AgentNotFound, MemberNotFound: There is no such agent or person.
        """
        path = _path(scope, subject, period)
        return await self._transport.put(path, Budget, json={"cap_usd": str(cap_usd)})

    async def clear(self, scope: Scope, subject: str = "me", period: Period = Period.EVER) -> None:
        """
        Raises:
            BudgetNotFound: There is no such cap.
        """
        await self._transport.send("DELETE", _path(scope, subject, period), repeatable=False)

    async def costs(
        self, by: str = "agent", since: date | None = None, until: date | None = None
    ) -> Page[Cost]:
        """What calls cost, by `agent`, `user`, `day` or `tenant`; days are those of UTC, inclusive."""
        days = {"since": since, "until": until}
        given = {name: day.isoformat() for name, day in days.items() if day is not None}
        return await self._transport.page("/api/v1/costs", "costs", Cost, by=by, **given)


def _path(scope: Scope, subject: str, period: Period) -> str:
    return f"{_BUDGETS}/{scope}/{quote(subject, safe='')}/{period}"
