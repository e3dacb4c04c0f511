"""Deliveries of all tenants whose runs are to be started: a queue that any number of processes work on."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, Connection, RowMapping, select, update

from omniforge import clock
from omniforge.agents.runs import Run, RunStatus, RunTrigger
from omniforge.agents.triggers.events import DeliveryStatus
from omniforge.store.tables import agent_configs, deliveries, tenants, triggers

# A process that takes a delivery to start its run and dies leaves it to the others after so long.
LEASE = timedelta(seconds=15)
# Temporal is asked again for a run that does not begin: it may have lost it, or has no worker.
ASK_AGAIN = timedelta(minutes=10)

_d = deliveries.c
_IS_ACCEPTED = _d.status == DeliveryStatus.ACCEPTED


@dataclass(frozen=True, slots=True)
class Due:
    """A delivery whose run is to be started, as far as Temporal has to know it."""

    run: Run
    agent_name: str
    weight: float


def take_due(connection: Connection, limit: int) -> list[Due]:
    """Deliveries whose run is to be started, taken for as long as a start may last."""
    query = (
        select(
            *(_d.id, _d.execution_id, _d.trigger_id, _d.tenant_id, _d.created_at),
            *(triggers.c.agent_id, triggers.c.created_by),
            *(agent_configs.c.name, tenants.c.fairness_weight),
        )
        .join(triggers, triggers.c.id == _d.trigger_id)
        .join(agent_configs, agent_configs.c.id == triggers.c.agent_id)
        .join(tenants, tenants.c.id == _d.tenant_id)
        .where(_IS_ACCEPTED, _d.due_at <= (now := clock.now()))
        .order_by(_d.due_at)
        .limit(limit)
        .with_for_update(skip_locked=True, of=deliveries)
    )
    rows = connection.execute(query).mappings().all()
    _put_off(connection, _d.id.in_([row["id"] for row in rows]), now + LEASE)
    return [_due_of(row) for row in rows]


def asked_for(connection: Connection, run_ids: Collection[str]) -> None:
    """Temporal knows of these runs. By now, a delivery may have another one: it was delivered again."""
    _put_off(connection, _d.execution_id.in_(run_ids), clock.now() + ASK_AGAIN)


def _put_off(connection: Connection, which: ColumnElement[bool], until: datetime) -> None:
    is_due = (_IS_ACCEPTED, _d.due_at.is_not(None))
    connection.execute(update(deliveries).where(which, *is_due).values(due_at=until))


def _due_of(row: RowMapping) -> Due:
    run = Run(
        id=row["execution_id"],
        agent_id=row["agent_id"],
        tenant_id=row["tenant_id"],
        status=RunStatus.PENDING,
        trigger_type=RunTrigger.EVENT_DRIVEN,
        trigger_id=row["trigger_id"],
        triggered_by=row["created_by"],
        created_at=row["created_at"],
    )
    return Due(run, row["name"], row["fairness_weight"])
