"""Money on its way: one row a model call that can cost some, and what every cap over it has left.

All of it happens in the transaction of the step. The order of locks is always the same: the caps, by
their key, and then the stream's own row, so that no two transactions wait for each other.
"""

import hashlib
from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Connection,
    RowMapping,
    bindparam,
    exists,
    func,
    insert,
    select,
    update,
)

from omniforge import clock
from omniforge.agents.budgets import (
    NOTHING,
    Budget,
    Closed,
    Movement,
    Payer,
    Period,
    Scope,
    billionths,
)
from omniforge.errors import BudgetHeld
from omniforge.journal.steps import NodeKey
from omniforge.store.columns import Money
from omniforge.store.streams import caps_over
from omniforge.store.tables import budgets, reservations, streams

_LEVELS = (
    select(budgets)
    .where(
        budgets.c.tenant_id == bindparam("tenant"),
        budgets.c.subject.in_([bindparam("tenant"), bindparam("user"), bindparam("agent")]),
    )
    .order_by(budgets.c.subject, budgets.c.period)
)
_LOCKED_LEVELS = _LEVELS.with_for_update()
_MOVE = update(budgets).where(
    budgets.c.tenant_id == bindparam("of_tenant"),
    budgets.c.subject == bindparam("of_subject"),
    budgets.c.period == bindparam("of_period"),
)
_OPEN = insert(reservations)
_UNDER_WAY = update(reservations).where(
    reservations.c.tenant_id == bindparam("of_tenant"),
    reservations.c.stream_id == bindparam("of_stream"),
    reservations.c.cost.is_(None),
)
_CLOSE = (
    _UNDER_WAY.where(
        reservations.c.node == bindparam("of_node"),
        reservations.c.generation == bindparam("of_generation"),
        reservations.c.number == bindparam("of_number"),
    )
    .values(cost=bindparam("came_to", type_=Money))
    .returning(reservations.c.day, reservations.c.amount)
)
_CLOSE_LOST = _UNDER_WAY.values(cost=reservations.c.amount).returning(
    reservations.c.day, reservations.c.amount
)

_PAYER = select(streams.c.user_id, streams.c.agent_id).where(
    streams.c.tenant_id == bindparam("tenant"), streams.c.id == bindparam("stream")
)
# On PostgreSQL the caps' lock comes along, in the same round trip.
_PAYER_AND_LOCK = _PAYER.add_columns(
    func.pg_advisory_xact_lock_shared(bindparam("lock", type_=BigInteger))
)


def move(
    connection: Connection,
    key: NodeKey,
    tenant_id: str,
    reserve: Mapping[int, Decimal],
    settle: Mapping[int, Decimal],
) -> Movement:
    """Begin and end calls of a node, by step number; what is left to be moved on its stream.

    Raises:
        BudgetExceeded: A cap does not allow it, even if nothing else were under way.
        BudgetHeld: A cap will allow it if calls under way cost less than is set aside for them.
    """
    payer = _payer(connection, tenant_id, key.stream_id)
    closed = [
        _close(connection, key, payer, number, billionths(cost)) for number, cost in settle.items()
    ]
    amounts = {number: billionths(amount) for number, amount in reserve.items()}
    wanted = sum(amounts.values(), NOTHING)
    day = _move_levels(connection, payer, wanted, closed)
    if amounts:
        rows = [_row(key, payer, number, amount, day) for number, amount in amounts.items()]
        connection.execute(_OPEN, rows)
    return Movement.of(wanted, closed)


def settle_lost(connection: Connection, tenant_id: str, stream_id: str) -> Movement:
    """End the calls of a stream that nobody will take up again, at their worst case."""
    payer = _payer(connection, tenant_id, stream_id)
    place = {"of_tenant": tenant_id, "of_stream": stream_id}
    lost = connection.execute(_CLOSE_LOST, place)
    closed = [Closed(row.day, row.amount, row.amount) for row in lost]
    _move_levels(connection, payer, NOTHING, closed)
    return Movement.of(NOTHING, closed)


def may_fit(connection: Connection, tenant_id: str, stream_id: str, amount: Decimal) -> bool:
    """Whether every cap over a stream leaves room for a call, now or once those under way have ended.

    It locks nothing: who wants the room has to take it.
    """
    rows = connection.execute(_LEVELS, _place_of(_payer(connection, tenant_id, stream_id)))
    levels = [budget_of(row).on(clock.now().date()) for row in rows.mappings()]
    return all(level.may_fit(amount) for level in [*levels, *caps_over(connection, stream_id)])


def is_capped(tenant: ColumnElement[str], *payers: ColumnElement[str]) -> ColumnElement[bool]:
    """Whether calls have to fit under any cap but the run's own, as part of another query."""
    return exists().where(budgets.c.tenant_id == tenant, budgets.c.subject.in_([tenant, *payers]))


def budget_of(row: RowMapping) -> Budget:
    return Budget(
        scope=Scope(row["scope"]),
        subject=row["subject"],
        period=Period(row["period"]),
        cap=row["cap"],
        starts=row["starts"],
        reserved=row["reserved"],
        settled=row["settled"],
        overrun=row["overrun"],
    )


def caps_lock(tenant_id: str) -> int:
    """The number of PostgreSQL's advisory lock between a tenant's calls and a new cap over them.

    Calls share it: they lock no row of a level that nobody capped. Who sets a first cap takes it
    alone, so that the cap starts from a sum that no commit under way can change.
    """
    digest = hashlib.sha256(f"caps of {tenant_id}".encode()).digest()
    return int.from_bytes(digest[:8], signed=True)


def _move_levels(
    connection: Connection, payer: Payer, wanted: Decimal, closed: Sequence[Closed]
) -> date:
    """Move every cap over a payer; the day that its new calls are counted on."""
    rows = connection.execute(_LOCKED_LEVELS, _place_of(payer)).mappings()
    levels = [budget_of(row) for row in rows]
    # A clock that is behind another machine's must not count on a day that is over there.
    day = max([clock.now().date(), *(level.starts for level in levels)])
    levels = [level.on(day).after(NOTHING, closed) for level in levels]
    _refuse(levels, wanted)
    if levels:
        moved = [_moved(payer.tenant_id, level.after(wanted, ())) for level in levels]
        connection.execute(_MOVE, moved)
    return day


def _refuse(levels: Sequence[Budget], wanted: Decimal) -> None:
    """Raise what stands in the way of a call: first of all a cap that waiting does not help with."""
    refusals = [level.refusal(wanted) for level in levels if wanted and not level.fits(wanted)]
    if refusals:
        raise min(refusals, key=lambda refusal: isinstance(refusal, BudgetHeld))


def _place_of(payer: Payer) -> dict[str, str]:
    return {"tenant": payer.tenant_id, "user": payer.user_id, "agent": payer.agent_id}


def _payer(connection: Connection, tenant_id: str, stream_id: str) -> Payer:
    """Whose money a stream spends. No new cap over it is counted before this transaction ends."""
    place: dict[str, Any] = {"tenant": tenant_id, "stream": stream_id}
    if connection.dialect.name == "postgresql":
        row = connection.execute(_PAYER_AND_LOCK, place | {"lock": caps_lock(tenant_id)}).one()
    else:
        row = connection.execute(_PAYER, place).one()
    return Payer(tenant_id, row.user_id, row.agent_id)


def _close(
    connection: Connection, key: NodeKey, payer: Payer, number: int, cost: Decimal
) -> Closed:
    place = {
        "of_tenant": payer.tenant_id,
        "of_stream": key.stream_id,
        "of_node": key.node,
        "of_generation": key.generation,
        "of_number": number,
        "came_to": cost,
    }
    row = connection.execute(_CLOSE, place).first()
    if row is not None:
        return Closed(row.day, row.amount, cost)
    day = clock.now().date()
    # Nobody knew a price of the model that was asked for, but one of the model that answered.
    connection.execute(_OPEN, [_row(key, payer, number, NOTHING, day) | {"cost": cost}])
    return Closed(day, NOTHING, cost)


def _row(key: NodeKey, payer: Payer, number: int, amount: Decimal, day: date) -> dict[str, Any]:
    return {
        **key._asdict(),
        "number": number,
        "made_at": clock.now(),
        "tenant_id": payer.tenant_id,
        "user_id": payer.user_id,
        "agent_id": payer.agent_id,
        "day": day,
        "amount": amount,
        "cost": None,
    }


def _moved(tenant_id: str, level: Budget) -> dict[str, Any]:
    return {
        "of_tenant": tenant_id,
        "of_subject": level.subject,
        "of_period": level.period,
        "starts": level.starts,
        "reserved": level.reserved,
        "settled": level.settled,
        "overrun": level.overrun,
    }
