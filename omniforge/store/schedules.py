"""Schedules: what people wish. A Temporal Schedule follows each row, by way of its revision."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, RowMapping, delete, func, select, update

from omniforge import clock
from omniforge.agents.config import AgentStatus
from omniforge.agents.triggers.schedules import Schedule, ScheduleConfig
from omniforge.errors import ScheduleNotFound
from omniforge.store.repository import Repository
from omniforge.store.sql import Page, insert_into, page_of
from omniforge.store.tables import agent_configs, fires, schedules, tenants

_WISHES = frozenset(ScheduleConfig.model_fields) - {"agent_id", "tenant_id"} | {"note", "skip_at"}


@dataclass(frozen=True, slots=True)
class Desired:
    """A schedule with the rest of what its Temporal Schedule is made of."""

    schedule: Schedule
    agent_name: str
    agent_status: AgentStatus
    weight: float
    is_removed: bool

    @property
    def is_wanted(self) -> bool:
        """Whether Temporal is to have it at all."""
        return not self.is_removed and self.agent_status is not AgentStatus.ARCHIVED

    @property
    def is_paused(self) -> bool:
        return not self.schedule.enabled or self.agent_status is not AgentStatus.ACTIVE


class ScheduleRepository(Repository):
    def add(self, schedule: Schedule) -> Schedule:
        """Write a new schedule; where its id is taken, the one that has it is the answer."""
        statement = insert_into(self._connection, schedules).on_conflict_do_nothing()
        self._connection.execute(statement, [schedule.model_dump()])
        return self.get(schedule.id)

    def get(self, schedule_id: str) -> Schedule:
        """
        Raises:
            ScheduleNotFound: Missing, removed, or another tenant's.
        """
        return self._read(select(schedules), schedule_id)

    def locked(self, schedule_id: str) -> Schedule:
        """The same, to be changed in this transaction and in no other meanwhile."""
        return self._read(select(schedules).with_for_update(key_share=True), schedule_id)

    def page(self, limit: int, cursor: str | None, agent_id: str | None = None) -> Page[Schedule]:
        """Newest first."""
        query = select(schedules).where(*self._mine())
        if agent_id is not None:
            query = query.where(schedules.c.agent_id == agent_id)
        return page_of(self._connection, query, schedules, limit, cursor, _schedule_of)

    def first(self, agent_ids: Collection[str]) -> dict[str, Schedule]:
        """The oldest schedule of each of these agents that has one, by the agent's id."""
        age = func.row_number().over(
            partition_by=schedules.c.agent_id, order_by=(schedules.c.created_at, schedules.c.id)
        )
        theirs = (*self._mine(), schedules.c.agent_id.in_(agent_ids))
        ranked = select(schedules.c.id, age.label("age")).where(*theirs).subquery()
        query = select(schedules).join(ranked, ranked.c.id == schedules.c.id)
        rows = self._connection.execute(query.where(ranked.c.age == 1)).mappings()
        return {row["agent_id"]: _schedule_of(row) for row in rows}

    def change(self, schedule: Schedule) -> Schedule:
        """Overwrite what people wish, as it was read with `locked`."""
        wishes = {name: getattr(schedule, name) for name in _WISHES}
        self._raise_revision(schedule.id, **wishes)
        return self.get(schedule.id)

    def skip(self, schedule_id: str, at: datetime) -> None:
        """Have one time left out. Temporal is not told: `FireRepository.enter` knows it."""
        statement = update(schedules).where(*self._mine(), schedules.c.id == schedule_id)
        self._connection.execute(statement.values(skip_at=at))

    def remove(self, schedule_id: str) -> None:
        """Let a schedule fire no more. Its row goes when Temporal has forgotten it, too.

        Raises:
            ScheduleNotFound: Missing, removed, or another tenant's.
        """
        self.locked(schedule_id)
        self._raise_revision(schedule_id, removed_at=clock.now())

    def unprojected(self, agent_id: str) -> list[str]:
        """The schedules of an agent that Temporal has not taken over as they are."""
        is_behind = schedules.c.projected != schedules.c.revision
        query = select(schedules.c.id).where(*self._mine(), schedules.c.agent_id == agent_id)
        return list(self._connection.execute(query.where(is_behind)).scalars())

    # ---- for who tells Temporal --------------------------------------------------------------

    def desired(self, schedule_id: str) -> Desired | None:
        """What is to be in Temporal, also of one that was removed and not forgotten."""
        mine = (schedules.c.tenant_id == self._tenant_id, schedules.c.id == schedule_id)
        row = self._connection.execute(_DESIRED.where(*mine)).mappings().first()
        return None if row is None else _desired_of(row)

    def mark_projected(self, schedule: Schedule) -> bool:
        """Note that Temporal has this revision; False when it is no longer the newest."""
        statement = update(schedules).where(*self._at_revision(schedule))
        values = {"projected": schedule.revision}
        return self._connection.execute(statement.values(values)).rowcount == 1

    def forget(self, schedule: Schedule) -> bool:
        """Delete the row of a schedule that was removed; False when it is no longer the newest."""
        statement = delete(schedules).where(*self._at_revision(schedule))
        return self._connection.execute(statement).rowcount == 1

    def last_due(self, schedule_id: str) -> datetime | None:
        """The newest of its times of which something became by itself."""
        query = select(func.max(fires.c.scheduled_at)).where(
            fires.c.tenant_id == self._tenant_id,
            fires.c.schedule_id == schedule_id,
            fires.c.kind == "schedule",
        )
        return self._connection.execute(query).scalar()

    def set_due(self, schedule_id: str, due: Mapping[str, datetime]) -> None:
        """Note when fires were due, by the ids of their runs, where that is not known yet."""
        for fire_id, at in due.items():
            statement = update(fires).where(
                fires.c.tenant_id == self._tenant_id,
                fires.c.schedule_id == schedule_id,
                fires.c.id == fire_id,
                fires.c.due_at.is_(None),
            )
            self._connection.execute(statement.values(due_at=at))

    def _read(self, query: Any, schedule_id: str) -> Schedule:
        query = query.where(*self._mine(), schedules.c.id == schedule_id)
        row = self._connection.execute(query).mappings().first()
        if row is None:
            raise ScheduleNotFound(schedule_id)
        return _schedule_of(row)

    def _raise_revision(self, schedule_id: str, **values: Any) -> None:
        newer = {"revision": schedules.c.revision + 1, "updated_at": clock.now()}
        statement = update(schedules).where(*self._mine(), schedules.c.id == schedule_id)
        self._connection.execute(statement.values(**newer, **values))

    def _at_revision(self, schedule: Schedule) -> tuple[ColumnElement[bool], ...]:
        return (
            schedules.c.tenant_id == self._tenant_id,
            schedules.c.id == schedule.id,
            schedules.c.revision == schedule.revision,
        )

    def _mine(self) -> tuple[ColumnElement[bool], ...]:
        return (schedules.c.tenant_id == self._tenant_id, schedules.c.removed_at.is_(None))


_DESIRED = (
    select(
        schedules,
        agent_configs.c.name.label("agent_name"),
        agent_configs.c.status.label("agent_status"),
        tenants.c.fairness_weight,
    )
    .join(agent_configs, agent_configs.c.id == schedules.c.agent_id)
    .join(tenants, tenants.c.id == schedules.c.tenant_id)
)


def unprojected(connection: Connection, before: datetime, after: str, limit: int) -> list[Desired]:
    """Schedules of all tenants, changed before a moment, that Temporal has to be told of."""
    is_behind = schedules.c.projected != schedules.c.revision
    query = _DESIRED.where(is_behind, schedules.c.updated_at < before)
    return _page(connection, query, after, limit)


def projected(connection: Connection, before: datetime, after: str, limit: int) -> list[Desired]:
    """Schedules of all tenants, changed before a moment, that Temporal has been told of."""
    is_told = schedules.c.projected == schedules.c.revision
    query = _DESIRED.where(is_told, schedules.c.updated_at < before)
    return _page(connection, query, after, limit)


def desired_by_id(connection: Connection, schedule_ids: Collection[str]) -> dict[str, Desired]:
    """Those of these schedules, of whichever tenant, that have a row."""
    rows = connection.execute(_DESIRED.where(schedules.c.id.in_(schedule_ids))).mappings()
    return {row["id"]: _desired_of(row) for row in rows}


def is_known(connection: Connection, tenant_id: str) -> bool:
    """Whether a tenant is in this database; several databases may share one Temporal."""
    query = select(tenants.c.id).where(tenants.c.id == tenant_id)
    return connection.execute(query).first() is not None


def with_jitter_unknown(connection: Connection, since: datetime) -> list[tuple[str, str]]:
    """Tenant and schedule of those that fired since then, and it is not known when they were due."""
    query = (
        select(fires.c.tenant_id, fires.c.schedule_id)
        .where(fires.c.due_at.is_(None), fires.c.created_at > since)
        .distinct()
    )
    return [(row.tenant_id, row.schedule_id) for row in connection.execute(query)]


def _page(connection: Connection, query: Any, after: str, limit: int) -> list[Desired]:
    query = query.where(schedules.c.id > after).order_by(schedules.c.id).limit(limit)
    return [_desired_of(row) for row in connection.execute(query).mappings()]


def _desired_of(row: RowMapping) -> Desired:
    return Desired(
        schedule=_schedule_of(row),
        agent_name=row["agent_name"],
        agent_status=AgentStatus(row["agent_status"]),
        weight=row["fairness_weight"],
        is_removed=row["removed_at"] is not None,
    )


def _schedule_of(row: RowMapping) -> Schedule:
    return Schedule.model_validate({name: row[name] for name in Schedule.model_fields})
