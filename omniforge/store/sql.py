"""The few statements that the two databases spell differently, and paging."""

import base64
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from typing import Any, Generic, TypeVar

from sqlalchemy import Connection, RowMapping, Select, Table, tuple_
from sqlalchemy.dialects import postgresql, sqlite

from omniforge.errors import Rejected

T = TypeVar("T")

Insert = sqlite.Insert | postgresql.Insert


def insert_into(connection: Connection, table: Table) -> Insert:
    """An insert that knows `on_conflict_do_...` in the connection's dialect."""
    return _insert(connection.dialect.name, table)


def _insert(dialect: str, table: Table) -> Insert:
    return sqlite.insert(table) if dialect == "sqlite" else postgresql.insert(table)


def insert_new(connection: Connection, table: Table, row: Mapping[str, Any]) -> bool:
    """Insert a row unless one with its key is there already; whether it was inserted."""
    return connection.execute(_insert_new(connection.dialect.name, table), [row]).rowcount == 1


@cache
def _insert_new(dialect: str, table: Table) -> Insert:
    return _insert(dialect, table).on_conflict_do_nothing()


def upsert(connection: Connection, table: Table, rows: Sequence[Mapping[str, Any]]) -> None:
    """Insert rows; where the primary key is taken, overwrite."""
    connection.execute(_upsert(connection.dialect.name, table), list(rows))


@cache
def _upsert(dialect: str, table: Table) -> Insert:
    """Built once: putting the statement together costs more than running it."""
    statement = _insert(dialect, table)
    keys = [column.name for column in table.primary_key]
    others = {
        column.name: statement.excluded[column.name]
        for column in table.columns
        if column.name not in keys
    }
    return statement.on_conflict_do_update(index_elements=keys, set_=others)


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """Part of a list, newest first, and where the next part starts (None at the end)."""

    items: list[T]
    next_cursor: str | None


def page_of(
    connection: Connection,
    query: Select[Any],
    table: Table,
    limit: int,
    cursor: str | None,
    read: Callable[[RowMapping], T],
) -> Page[T]:
    """Newest first by `created_at` and id, which every listed table has."""
    place = tuple_(table.c.created_at, table.c.id)
    if cursor is not None:
        query = query.where(place < tuple_(*_read_cursor(cursor)))
    query = query.order_by(table.c.created_at.desc(), table.c.id.desc()).limit(limit + 1)
    rows = connection.execute(query).mappings().all()
    more = len(rows) > limit
    last = rows[limit - 1] if more else None
    return Page(
        [read(row) for row in rows[:limit]],
        _write_cursor(last["created_at"], last["id"]) if last else None,
    )


def _write_cursor(at: datetime, row_id: str) -> str:
    return base64.urlsafe_b64encode(json.dumps([at.isoformat(), row_id]).encode()).decode()


def _read_cursor(cursor: str) -> tuple[datetime, str]:
    try:
        at, row_id = json.loads(base64.urlsafe_b64decode(cursor))
        moment = datetime.fromisoformat(at)
        if moment.utcoffset() == timedelta(0) and row_id.isascii() and row_id.isprintable():
            return moment, str(row_id)
    except (ValueError, TypeError, AttributeError, RecursionError):
        pass
    raise Rejected("The cursor is not one of ours; take `next_cursor` of the page before.")
