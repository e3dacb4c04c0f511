"""Which runs of a tenant may be under way, and which wait in a queue for their turn.

A place belongs to a run whose row says `running`, or `waiting` for a run that it started. Whoever
makes room writes `running` into the row of the next one in the same transaction, so no place is
given twice. Until that one begins, its row says that it waits to be told of it; it is told as often
as it takes.
"""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    Connection,
    Integer,
    RowMapping,
    Select,
    String,
    and_,
    bindparam,
    func,
    or_,
    select,
    tuple_,
    update,
)

from omniforge import clock
from omniforge.agents.budgets import Payer
from omniforge.agents.modes import Terms
from omniforge.agents.runs import RunStatus
from omniforge.agents.versions import AgentVersion
from omniforge.journal.events import NewEvent, RunQueued
from omniforge.store.columns import Timestamp
from omniforge.store.repository import Repository
from omniforge.store.streams import advance, open_stream
from omniforge.store.tables import agent_executions, tenants

TO_BE_TOLD = "admission"
"""What a run waits for that has a place and has not begun."""

EARLIER_RUN = "earlier_run"
"""What a run waits for that must not overlap with another one of its schedule."""

_runs = agent_executions.c
_IN_ORDER = (_runs.priority, _runs.created_at, _runs.id)

# The unfinished runs have an index of their own. Built once: these are on the way of every run under a cap.
_UNFINISHED = (_runs.tenant_id == bindparam("tenant"), _runs.completed_at.is_(None))
# A run that another one started works in the place of that one.
_HOLDS_A_PLACE = (
    _runs.status.in_([RunStatus.RUNNING, RunStatus.WAITING]),
    or_(_runs.status == RunStatus.RUNNING, _runs.waiting_for == "child"),
    _runs.parent_id.is_(None),
)
_IS_QUEUED = and_(_runs.status == RunStatus.QUEUED, _runs.waiting_for.is_(None))
_COUNT = select(func.count()).select_from(agent_executions).where(*_UNFINISHED)
_TAKEN, _LENGTH = _COUNT.where(*_HOLDS_A_PLACE), _COUNT.where(_IS_QUEUED)
_UP_TO = tuple_(
    bindparam("rank", type_=Integer()),
    bindparam("at", type_=Timestamp()),
    bindparam("run", type_=String()),
)
_POSITION = _LENGTH.where(tuple_(*_IN_ORDER) <= _UP_TO)
_QUEUE = (
    update(agent_executions)
    .where(_runs.tenant_id == bindparam("tenant"), _runs.id == bindparam("run"))
    .where(_runs.status == RunStatus.PENDING)
    .values(status=RunStatus.QUEUED, agent_version=bindparam("number"))
)
_NEXT = (
    select(_runs.id)
    .where(_runs.tenant_id == bindparam("tenant"), _runs.completed_at.is_(None), _IS_QUEUED)
    .order_by(*_IN_ORDER)
    .limit(bindparam("room"))
)
_ADMIT = (
    update(agent_executions)
    .where(_runs.tenant_id == bindparam("tenant"), _runs.id.in_(_NEXT), _IS_QUEUED)
    .values(status=RunStatus.RUNNING, waiting_for=TO_BE_TOLD)
    .returning(_runs.id)
)

_CAP = select(tenants.c.max_concurrent_runs).where(tenants.c.id == bindparam("tenant"))
# No key is changed under this lock, so people and API keys can be added meanwhile.
_LOCKED_CAP = _CAP.with_for_update(key_share=True)

# More than any queue holds, and a number that both databases take for a limit.
_ALL = 2**31 - 1


@dataclass(frozen=True, slots=True)
class Limits:
    """What a tenant may use at once. `cap` is the one that holds; in both, 0 is any number.

    The weight is the tenant's share of the workers while there is more to do than they can.
    """

    max_concurrent_runs: int | None
    fairness_weight: float
    cap: int
    running: int
    queued: int


class AdmissionRepository(Repository):
    """Whatever may give a place away locks the tenant first, before any run's row, and then looks."""

    def __init__(self, connection: Connection, tenant_id: str, platform_cap: int = 0) -> None:
        super().__init__(connection, tenant_id)
        self._platform_cap = platform_cap
        self.admitted: list[str] = []
        """Runs that were queued and have a place now. Tell their workflows once this is committed."""

    # ---- runs --------------------------------------------------------------------------------

    def is_capped(self, row: RowMapping) -> bool:
        """Whether a run, read with its tenant's setting, takes or gives one of a number of places."""
        return row["parent_id"] is None and self._cap(row["max_concurrent_runs"]) > 0

    def enter(self, row: RowMapping, version: AgentVersion) -> None:
        """Queue a run that wants to begin, unless there is room for it; its row says which.

        It keeps the version that it is queued with.
        """
        cap = self.lock()
        run_id = row["id"]
        queued = self._execute(_QUEUE, run=run_id, number=version.version)
        self._fill(cap)
        if queued.rowcount == 1 and run_id not in self.admitted:
            self._tell(row, version)

    def lock(self) -> int:
        """Have no other transaction give away this tenant's places before this one ends; the cap.

        SQLite has one writer in any case.
        """
        return self._read_cap(_LOCKED_CAP)

    def lock_if_capped(self) -> bool:
        """The same where there is a cap; without one, runs do not wait for each other."""
        return self._read_cap(_CAP) > 0 and self.lock() > 0

    def admit(self) -> list[str]:
        """Give every free place to the next in the queue; who has got one in this transaction."""
        self._fill(self.lock())
        return self.admitted

    def positions(self, run_ids: Collection[str]) -> dict[str, int]:
        """How far down the queue runs are; 1 is the next. Those that are not queued are left out."""
        number = func.row_number().over(order_by=_IN_ORDER).label("number")
        queue = select(_runs.id, number).where(*_UNFINISHED, _IS_QUEUED).subquery()
        query = select(queue).where(queue.c.id.in_(run_ids))
        return {row.id: row.number for row in self._execute(query)}

    # ---- settings ----------------------------------------------------------------------------

    def limits(self) -> Limits:
        own = select(tenants).where(tenants.c.id == self._tenant_id)
        tenant = self._connection.execute(own).one()
        return Limits(
            max_concurrent_runs=tenant.max_concurrent_runs,
            fairness_weight=tenant.fairness_weight,
            cap=self._cap(tenant.max_concurrent_runs),
            running=self._execute(_TAKEN).scalar_one(),
            queued=self._execute(_LENGTH).scalar_one(),
        )

    def set_limits(self, max_concurrent_runs: int | None, fairness_weight: float) -> Limits:
        """Set what a tenant may use. Runs that a higher cap has room for have their places at once."""
        self.lock()
        values = {"max_concurrent_runs": max_concurrent_runs, "fairness_weight": fairness_weight}
        own = update(tenants).where(tenants.c.id == self._tenant_id)
        self._connection.execute(own.values(values))
        self._fill(self._cap(max_concurrent_runs))
        return self.limits()

    def weight(self) -> float:
        own = select(tenants.c.fairness_weight).where(tenants.c.id == self._tenant_id)
        return float(self._connection.execute(own).scalar_one())

    # ---- inside ------------------------------------------------------------------------------

    def _fill(self, cap: int) -> None:
        room = cap - self._execute(_TAKEN).scalar_one() if cap else _ALL
        if room > 0:
            self.admitted += self._execute(_ADMIT, room=room).scalars()

    def _tell(self, row: RowMapping, version: AgentVersion) -> None:
        run_id, at = row["id"], clock.now()
        payer = Payer(self._tenant_id, row["triggered_by"], row["agent_id"])
        cap, terms = version.limits.budget_usd, Terms.model_validate(row["terms"]).budget
        open_stream(self._connection, run_id, payer, cap, at, terms=terms)
        place = {"rank": row["priority"], "at": row["created_at"], "run": run_id}
        body = RunQueued(position=self._execute(_POSITION, **place).scalar_one())
        key = f"{body.type}/{row['generation']}"
        event = NewEvent(dedupe_key=key, at=at, body=body)
        advance(self._connection, run_id, self._tenant_id, [event])

    def _read_cap(self, statement: Select[Any]) -> int:
        return self._cap(self._execute(statement).scalar_one_or_none())

    def _cap(self, max_concurrent_runs: int | None) -> int:
        return self._platform_cap if max_concurrent_runs is None else max_concurrent_runs

    def _execute(self, statement: Any, **values: Any) -> Any:  # of statements of every kind
        return self._connection.execute(statement, {"tenant": self._tenant_id, **values})
