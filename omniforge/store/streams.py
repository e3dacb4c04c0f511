"""A stream's events and money: one row that numbers, one row an event."""

from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from decimal import Decimal

from sqlalchemy import Connection, bindparam, delete, insert, or_, select, text, update

from omniforge.agents.budgets import STILL, Budget, Movement, Payer, Period, Scope
from omniforge.errors import BudgetExceeded
from omniforge.journal.events import EPHEMERAL, Event, NewEvent
from omniforge.store.columns import Money
from omniforge.store.sql import insert_into
from omniforge.store.tables import events, streams

CHANNEL = "omniforge_events"

_reserve, _release = bindparam("reserve", type_=Money), bindparam("release", type_=Money)
_settle, _overrun = bindparam("settle", type_=Money), bindparam("overrun", type_=Money)
_ADVANCE = (
    update(streams)
    .where(streams.c.id == bindparam("stream"))
    .values(
        next_seq=streams.c.next_seq + bindparam("count"),
        reserved=streams.c.reserved + _reserve - _release,
        settled=streams.c.settled + _settle,
        overrun=streams.c.overrun + _overrun,
    )
    .returning(streams.c.next_seq, streams.c.parent_id)
)
_ADVANCE_UNDER_CAP = _ADVANCE.where(
    or_(
        streams.c.cap.is_(None),
        streams.c.settled
        + _settle
        + streams.c.overrun
        + _overrun
        + streams.c.reserved
        + _reserve
        - _release
        <= streams.c.cap,
    )
)

_CAP = select(streams.c.cap, streams.c.parent_id).where(streams.c.id == bindparam("stream"))

_NOTIFY = text("SELECT pg_notify(:channel, :stream)")


def open_stream(
    connection: Connection,
    stream_id: str,
    payer: Payer,
    cap: Decimal | None,
    at: datetime,
    parent_id: str | None = None,
) -> None:
    """Make a run's stream; a second time changes nothing.

    What it spends, it spends of its parent's as well, so a cap of that one is over both.
    """
    row = {
        **asdict(payer),
        "id": stream_id,
        "kind": "run",
        "parent_id": parent_id,
        "next_seq": 1,
        "cap": cap,
        "reserved": Decimal(0),
        "settled": Decimal(0),
        "overrun": Decimal(0),
        "created_at": at,
    }
    connection.execute(insert_into(connection, streams).on_conflict_do_nothing(), [row])


def advance(
    connection: Connection,
    stream_id: str,
    tenant_id: str,
    new: Sequence[NewEvent],
    money: Movement = STILL,
) -> None:
    """Number and write events, and move the stream's money, late in the caller's transaction.

    The stream's row stays locked until the commit, so numbers are handed out in commit order and a
    reader who asks for what came after the last number it saw misses nothing.

    Raises:
        BudgetExceeded: The reservation does not fit under the cap of the stream, or of one above it.
    """
    if not new and money == STILL:
        return
    statement = _ADVANCE_UNDER_CAP if money.reserve else _ADVANCE
    moved = connection.execute(
        statement, {"stream": stream_id, "count": len(new), **asdict(money)}
    ).one_or_none()
    if moved is None:
        raise _too_much(connection, stream_id, money.reserve)
    if new:
        _insert(connection, stream_id, tenant_id, new, moved.next_seq - len(new))
    if moved.parent_id is not None:
        advance(connection, moved.parent_id, tenant_id, [], money)


def is_under_cap(connection: Connection, stream_id: str | None) -> bool:
    """Whether a stream, or one above it, has a cap."""
    while stream_id is not None:
        row = connection.execute(_CAP, {"stream": stream_id}).one()
        if row.cap is not None:
            return True
        stream_id = row.parent_id
    return False


def _insert(
    connection: Connection, stream_id: str, tenant_id: str, new: Sequence[NewEvent], first: int
) -> None:
    rows = [
        {
            "stream_id": stream_id,
            "seq": first + offset,
            "tenant_id": tenant_id,
            "node": event.node,
            "type": event.body.type,
            "at": event.at,
            "body": event.body.model_dump(mode="json"),
            "dedupe_key": event.dedupe_key,
        }
        for offset, event in enumerate(new)
    ]
    connection.execute(insert(events), rows)
    if connection.dialect.name == "postgresql":
        connection.execute(_NOTIFY, {"channel": CHANNEL, "stream": stream_id})


def clear_shown(connection: Connection, stream_id: str, node: str | None = None) -> None:
    """Take the ephemeral events of a node away, or of all nodes. Their numbers are not used again."""
    statement = delete(events).where(events.c.stream_id == stream_id, events.c.type.in_(EPHEMERAL))
    if node is not None:
        statement = statement.where(events.c.node == node)
    connection.execute(statement)


def _too_much(connection: Connection, stream_id: str, reserve: Decimal) -> BudgetExceeded:
    row = connection.execute(select(streams).where(streams.c.id == stream_id)).one()
    own = Budget(
        Scope.RUN,
        stream_id,
        Period.EVER,
        row.cap,
        reserved=row.reserved,
        settled=row.settled,
        overrun=row.overrun,
    )
    return own.refusal(reserve)


def events_after(connection: Connection, stream_id: str, seq: int, limit: int) -> list[Event]:
    """The next events of a stream in order."""
    query = (
        select(events)
        .where(events.c.stream_id == stream_id, events.c.seq > seq)
        .order_by(events.c.seq)
        .limit(limit)
    )
    return [Event.model_validate(dict(row)) for row in connection.execute(query).mappings()]
