"""A stream's events and money: one row that numbers, one row an event."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import (
    Connection,
    bindparam,
    delete,
    insert,
    or_,
    select,
    text,
    update,
)

from omniforge import clock
from omniforge.agents.budgets import (
    STILL,
    Budget,
    BudgetMode,
    BudgetTerms,
    Movement,
    Payer,
    Period,
    Scope,
)
from omniforge.journal.events import (
    EPHEMERAL,
    BudgetRaised,
    BudgetWarning,
    Event,
    EventBody,
    NewEvent,
    Wait,
)
from omniforge.journal.ports import Word
from omniforge.store.columns import Money
from omniforge.store.sql import insert_new
from omniforge.store.tables import events, streams

CHANNEL = "omniforge_events"

AUTO_PROCEED = "auto_proceed"
"""Who raised a cap that rose by itself."""

_reserve, _release = bindparam("to_reserve", type_=Money), bindparam("to_release", type_=Money)
_settle, _overrun = bindparam("to_settle", type_=Money), bindparam("to_overrun", type_=Money)
_ADVANCE = (
    update(streams)
    .where(streams.c.id == bindparam("stream"))
    .values(
        next_seq=streams.c.next_seq + bindparam("count"),
        reserved=streams.c.reserved + _reserve - _release,
        settled=streams.c.settled + _settle,
        overrun=streams.c.overrun + _overrun,
    )
    .returning(streams.c.next_seq, streams.c.parent_id, streams.c.wish, streams.c.said)
)
_FOR_GOOD = streams.c.settled + _settle + streams.c.overrun + _overrun + _reserve
_IN_ALL = _FOR_GOOD + streams.c.reserved - _release
_ADVANCE_UNDER_CAP = _ADVANCE.where(or_(streams.c.cap.is_(None), streams.c.cap >= _IN_ALL))
# Not for a call that only has to wait until others have ended.
_PROCEED = (
    update(streams)
    .where(streams.c.id == bindparam("stream"))
    .where(streams.c.cap < _FOR_GOOD, streams.c.auto_cap >= _IN_ALL)
    .values(cap=streams.c.auto_cap)
)

_STREAM = select(streams).where(streams.c.id == bindparam("stream"))

_NOTIFY = text("SELECT pg_notify(:channel, :stream)")


def open_stream(
    connection: Connection,
    stream_id: str,
    payer: Payer,
    cap: Decimal | None,
    at: datetime,
    parent_id: str | None = None,
    terms: BudgetTerms = BudgetTerms(),  # noqa: B008 - it is frozen
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
        "auto_cap": terms.auto_proceed_limit_usd,
        "budget_mode": terms.mode,
        "reserved": Decimal(0),
        "settled": Decimal(0),
        "overrun": Decimal(0),
        "created_at": at,
    }
    insert_new(connection, streams, row)


def advance(
    connection: Connection,
    stream_id: str,
    tenant_id: str,
    new: Sequence[NewEvent],
    money: Movement = STILL,
) -> Word | None:
    """Number and write events, and move the stream's money, late in the caller's transaction.

    What people have said to the stream by now comes along; None when there was nothing to do.

    The stream's row stays locked until the commit, so numbers are handed out in commit order and a
    reader who asks for what came after the last number it saw misses nothing.

    Raises:
        BudgetExceeded: The reservation does not fit under the cap of the stream, or of one above it.
    """
    if not new and money == STILL:
        return None
    statement = _ADVANCE_UNDER_CAP if money.reserve else _ADVANCE
    wanted = {"stream": stream_id, "count": len(new), **_amounts(money)}
    moved = connection.execute(statement, wanted).one_or_none()
    if moved is None and _proceeds(connection, stream_id, tenant_id, money):
        moved = connection.execute(statement, wanted).one_or_none()
    if moved is None:
        raise _budget(_row(connection, stream_id)).refusal(money.reserve)
    if new:
        _insert(connection, stream_id, tenant_id, new, moved.next_seq - len(new))
    if moved.parent_id is not None:
        advance(connection, moved.parent_id, tenant_id, [], money)
    return Word(moved.wish, moved.said)


def caps_over(connection: Connection, stream_id: str) -> list[Budget]:
    """The caps of a stream and of those above it, nearest first, as far as they may rise by themselves."""
    line = _line_of(connection, stream_id)
    return [_budget(row) for row in line if row["cap"] is not None]


def own_cap(connection: Connection, stream_id: str) -> Budget | None:
    """The cap that a run has of itself, as it stands."""
    row = _row(connection, stream_id)
    return None if row["cap"] is None else _budget({**row, "auto_cap": None})


def warn(connection: Connection, stream_id: str, tenant_id: str, wait: Wait) -> None:
    """Tell of a run that waits for money: its own caller if that is a program, and the runs above it."""
    if wait.short is None:
        return
    body = BudgetWarning(run_id=stream_id, short=wait.short)
    told = NewEvent(dedupe_key=f"{body.type}/{wait.id}", at=clock.now(), body=body)
    for row in _line_of(connection, stream_id):
        if row["id"] != stream_id or row["budget_mode"] == BudgetMode.WARN:
            advance(connection, row["id"], tenant_id, [told])


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


def event_under(connection: Connection, stream_id: str, dedupe_key: str) -> EventBody | None:
    """What a stream has told under this key."""
    of_event = events.c.stream_id == stream_id, events.c.dedupe_key == dedupe_key
    row = connection.execute(select(events).where(*of_event)).mappings().first()
    return None if row is None else Event.model_validate(dict(row)).body


def events_after(connection: Connection, stream_id: str, seq: int, limit: int) -> list[Event]:
    """The next events of a stream in order."""
    query = (
        select(events)
        .where(events.c.stream_id == stream_id, events.c.seq > seq)
        .order_by(events.c.seq)
        .limit(limit)
    )
    return [Event.model_validate(dict(row)) for row in connection.execute(query).mappings()]


# ---- money -----------------------------------------------------------------------------------


def _proceeds(connection: Connection, stream_id: str, tenant_id: str, money: Movement) -> bool:
    """Raise a stream's cap as far as its caller has allowed, if that makes room for a call."""
    row = _row(connection, stream_id)
    if connection.execute(_PROCEED, {"stream": stream_id, **_amounts(money)}).rowcount == 0:
        return False
    short = _budget({**row, "auto_cap": None}).shortfall(money.reserve)
    bodies = (
        BudgetWarning(run_id=stream_id, short=short),
        BudgetRaised(cap_usd=row["auto_cap"], by=AUTO_PROCEED),
    )
    at = clock.now()
    told = [NewEvent(dedupe_key=f"{body.type}/{AUTO_PROCEED}", at=at, body=body) for body in bodies]
    advance(connection, stream_id, tenant_id, told)
    return True


def _amounts(money: Movement) -> dict[str, Decimal]:
    return {
        "to_reserve": money.reserve,
        "to_release": money.release,
        "to_settle": money.settle,
        "to_overrun": money.overrun,
    }


def _line_of(connection: Connection, stream_id: str | None) -> list[dict[str, Any]]:
    """A stream and those above it, nearest first."""
    line = []
    while stream_id is not None:
        line.append(_row(connection, stream_id))
        stream_id = line[-1]["parent_id"]
    return line


def _row(connection: Connection, stream_id: str) -> dict[str, Any]:
    return dict(connection.execute(_STREAM, {"stream": stream_id}).mappings().one())


def _budget(row: Mapping[str, Any]) -> Budget:
    """A stream's cap, as far as it may rise by itself, and what has been taken of it."""
    return Budget(
        Scope.RUN,
        row["id"],
        Period.EVER,
        max(row["cap"], row["auto_cap"] or row["cap"]),
        reserved=row["reserved"],
        settled=row["settled"],
        overrun=row["overrun"],
    )
