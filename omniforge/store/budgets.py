"""The caps of a tenant, and what was spent under them or without any."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from enum import StrEnum
from typing import Any

from sqlalchemy import ColumnElement, case, delete, func, insert, select, text, update

from omniforge import clock
from omniforge.agents.budgets import NOTHING, Budget, Period, Scope, billionths
from omniforge.errors import AgentNotFound, BudgetNotFound, MemberNotFound
from omniforge.journal.events import Wait
from omniforge.store.repository import Repository
from omniforge.store.reservations import budget_of, caps_lock, may_fit
from omniforge.store.streams import own_cap
from omniforge.store.tables import (
    agent_configs,
    budgets,
    memberships,
    reservations,
)
from omniforge.store.waits import WaitRepository


class CostBy(StrEnum):
    """What to add costs up by."""

    TENANT = "tenant"
    USER = "user"
    AGENT = "agent"
    DAY = "day"


@dataclass(frozen=True, slots=True)
class Cost:
    """What model calls came to. `reserved` is set aside for those that are under way."""

    key: str
    calls: int
    cost: Decimal
    reserved: Decimal


_COLUMNS: dict[str, ColumnElement[Any]] = {
    Scope.TENANT: reservations.c.tenant_id,
    Scope.USER: reservations.c.user_id,
    Scope.AGENT: reservations.c.agent_id,
    CostBy.DAY: reservations.c.day,
}


class BudgetRepository(Repository):
    def all(self) -> list[Budget]:
        """Every cap as it stands today."""
        query = select(budgets).where(budgets.c.tenant_id == self._tenant_id)
        rows = self._connection.execute(
            query.order_by(budgets.c.scope, budgets.c.subject, budgets.c.period)
        ).mappings()
        return [budget_of(row).on(clock.now().date()) for row in rows]

    def set(self, scope: Scope, subject: str, period: Period, cap: Decimal) -> Budget:
        """Cap what a subject's calls may cost. It holds from the next call on, also in runs under way.

        What was spent before in the same period counts.

        Raises:
            AgentNotFound, MemberNotFound: There is no such agent or person here.
        """
        self._refuse_strangers(scope, subject)
        self._wait_for_calls_in_commit()
        changed = update(budgets).where(*self._place(subject, period)).values(cap=cap)
        row = self._connection.execute(changed.returning(budgets)).mappings().first()
        if row is not None:
            return budget_of(row).on(clock.now().date())
        budget = self._counted(Budget(scope, subject, period, billionths(cap)))
        self._connection.execute(insert(budgets), [self._row(budget)])
        return budget

    def clear(self, subject: str, period: Period) -> None:
        """
        Raises:
            BudgetNotFound: There is no such cap.
        """
        statement = delete(budgets).where(*self._place(subject, period))
        if self._connection.execute(statement).rowcount != 1:
            raise BudgetNotFound(subject, period)

    def costs(self, by: CostBy, since: date | None = None, until: date | None = None) -> list[Cost]:
        """What model calls cost, added up from the calls themselves. Days are those of UTC, inclusive."""
        key, c = _COLUMNS[by], reservations.c
        query = (
            select(
                key.label("key"),
                func.count().label("calls"),
                func.sum(c.cost).label("cost"),
                func.sum(case((c.cost.is_(None), c.amount))).label("reserved"),
            )
            .where(*self._spent(since, until))
            .group_by(key)
            .order_by(key)
        )
        return [
            Cost(
                key=str(row.key),
                calls=row.calls,
                cost=row.cost or NOTHING,
                reserved=row.reserved or NOTHING,
            )
            for row in self._connection.execute(query)
        ]

    def of_run(self, run_id: str) -> Budget | None:
        """The cap that a run has of itself."""
        return own_cap(self._connection, run_id)

    def in_funds(self, run_id: str | None = None) -> dict[str, list[str]]:
        """Runs that wait for money and would get it now, each with the waits that could end.

        With an id, of this run only.
        """
        waits = WaitRepository(self._connection, self._tenant_id)
        return waits.that_can_end(run_id, self._may_go_on)

    # ---- inside ------------------------------------------------------------------------------

    def _may_go_on(self, run_id: str, wait: Wait) -> bool:
        return wait.short is not None and self._may_fit(run_id, wait.short.needs_usd)

    def _may_fit(self, run_id: str, amount: Decimal) -> bool:
        return may_fit(self._connection, self._tenant_id, run_id, amount)

    def _spent(self, since: date | None, until: date | None) -> Sequence[ColumnElement[bool]]:
        """Which calls count as spending. Replayed ones have no row; nothing else is left out yet."""
        conditions = [reservations.c.tenant_id == self._tenant_id]
        if since is not None:
            conditions.append(reservations.c.day >= since)
        if until is not None:
            conditions.append(reservations.c.day <= until)
        return conditions

    def _counted(self, budget: Budget) -> Budget:
        """A new cap with what its calls have taken of it by now."""
        c = reservations.c
        mine = c.tenant_id == self._tenant_id, _COLUMNS[budget.scope] == budget.subject
        latest = self._connection.execute(select(func.max(c.day)).where(*mine)).scalar_one()
        # Another machine's clock may be ahead of ours.
        budget = budget.on(max(clock.now().date(), latest or date.min))
        within = case((c.cost < c.amount, c.cost), (c.cost.is_not(None), c.amount))
        sums = select(
            func.sum(case((c.cost.is_(None), c.amount))), func.sum(within), func.sum(c.cost)
        ).where(*mine, c.day >= budget.starts)
        row = self._connection.execute(sums).one()
        reserved, settled, cost = (each or NOTHING for each in row)
        return replace(budget, reserved=reserved, settled=settled, overrun=cost - settled)

    def _wait_for_calls_in_commit(self) -> None:
        """SQLite has one writer in any case."""
        if self._connection.dialect.name == "postgresql":
            lock = text("SELECT pg_advisory_xact_lock(:lock)")
            self._connection.execute(lock, {"lock": caps_lock(self._tenant_id)})

    def _refuse_strangers(self, scope: Scope, subject: str) -> None:
        if scope is Scope.AGENT:
            of_agent = agent_configs.c.tenant_id == self._tenant_id, agent_configs.c.id == subject
            if (
                self._connection.execute(select(agent_configs.c.id).where(*of_agent)).first()
                is None
            ):
                raise AgentNotFound(subject)
        if scope is Scope.USER:
            of_user = memberships.c.tenant_id == self._tenant_id, memberships.c.user_id == subject
            member = select(memberships.c.user_id).where(*of_user)
            if self._connection.execute(member).first() is None:
                raise MemberNotFound(subject)

    def _place(self, subject: str, period: Period) -> Sequence[ColumnElement[bool]]:
        return (
            budgets.c.tenant_id == self._tenant_id,
            budgets.c.subject == subject,
            budgets.c.period == period,
        )

    def _row(self, budget: Budget) -> dict[str, Any]:
        names = ("scope", "subject", "period", "cap", "starts", "reserved", "settled", "overrun")
        return {name: getattr(budget, name) for name in names} | {"tenant_id": self._tenant_id}
