"""A stream's events and money: one row that numbers, one row an event."""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal

from sqlalchemy import Connection, bindparam, insert, or_, select, text, update

from omniforge.errors import BudgetExceeded
from omniforge.journal.events import Event, NewEvent
from omniforge.store.columns import Money
from omniforge.store.sql import insert_into
from omniforge.store.tables import events, streams

CHANNEL = "omniforge_events"

_reserve, _release = bindparam("reserve", type_=Money), bindparam("release", type_=Money)
_settle = bindparam("settle", type_=Money)
_ADVANCE = (
    update(streams)
    .where(streams.c.id == bindparam("stream"))
    .values(
        next_seq=streams.c.next_seq + bindparam("count"),
        reserved=streams.c.reserved + _reserve - _release,
        settled=streams.c.settled + _settle,
    )
    .returning(streams.c.next_seq)
)
_ADVANCE_UNDER_CAP = _ADVANCE.where(
    or_(
        streams.c.cap.is_(None),
        streams.c.settled + _settle + streams.c.reserved + _reserve - _release <= streams.c.cap,
    )
)

_NOTIFY = text("SELECT pg_notify(:channel, :stream)")


def open_stream(
    connection: Connection, stream_id: str, tenant_id: str, cap: Decimal | None, at: datetime
) -> None:
    """Make a run's stream; a second time changes nothing."""
    row = {
        "id": stream_id,
        "tenant_id": tenant_id,
        "kind": "run",
        "next_seq": 1,
        "cap": cap,
        "reserved": Decimal(0),
        "settled": Decimal(0),
        "created_at": at,
    }
    connection.execute(insert_into(connection, streams).on_conflict_do_nothing(), [row])


def advance(
    connection: Connection,
    stream_id: str,
    tenant_id: str,
    new: Sequence[NewEvent],
    reserve: Decimal = Decimal(0),
    release: Decimal = Decimal(0),
    settle: Decimal = Decimal(0),
) -> None:
    """Number and write events, and move the stream's money, late in the caller's transaction.

    The stream's row stays locked until the commit, so numbers are handed out in commit order and a
    reader who asks for what came after the last number it saw misses nothing.

    Raises:
        BudgetExceeded: The reservation does not fit under the cap.
    """
    money = {"reserve": reserve, "release": release, "settle": settle}
    if not new and not any(money.values()):
        return
    statement = _ADVANCE_UNDER_CAP if reserve else _ADVANCE
    next_seq = connection.execute(
        statement, {"stream": stream_id, "count": len(new), **money}
    ).scalar_one_or_none()
    if next_seq is None:
        raise _too_much(connection, stream_id, reserve)
    if new:
        _insert(connection, stream_id, tenant_id, new, next_seq - len(new))


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


def _too_much(connection: Connection, stream_id: str, reserve: Decimal) -> BudgetExceeded:
    row = connection.execute(select(streams).where(streams.c.id == stream_id)).one()
    left = row.cap - row.settled - row.reserved
    return BudgetExceeded(
        f"The next model call may cost up to ${reserve:f}; ${left:f} of the run's ${row.cap:f} is left."
        " Raise `limits.budget_usd` of the agent, or choose a cheaper model.",
        cap_usd=str(row.cap),
        left_usd=str(left),
    )


def events_after(connection: Connection, stream_id: str, seq: int, limit: int) -> list[Event]:
    """The next events of a stream in order."""
    query = (
        select(events)
        .where(events.c.stream_id == stream_id, events.c.seq > seq)
        .order_by(events.c.seq)
        .limit(limit)
    )
    return [Event.model_validate(dict(row)) for row in connection.execute(query).mappings()]
