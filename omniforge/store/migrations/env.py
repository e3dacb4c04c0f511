"""Alembic's entry. The connection is handed in by `omniforge.store.bootstrap.migrate`."""

from typing import Any, Literal

from alembic import context
from sqlalchemy import JSON, Connection

from omniforge.store.columns import Money, Timestamp
from omniforge.store.tables import metadata


def render_type(kind: str, item: Any, _: Any) -> str | Literal[False]:
    """Our column types under their own names, instead of what they are made of."""
    if kind != "type":
        return False
    if isinstance(item, JSON):
        return "Document"
    return f"{type(item).__name__}()" if isinstance(item, Timestamp | Money) else False


def run(connection: Connection) -> None:
    context.configure(
        connection=connection,
        target_metadata=metadata,
        render_item=render_type,
        # SQLite cannot alter most things in place; Alembic then copies the table.
        render_as_batch=connection.dialect.name == "sqlite",
    )
    context.run_migrations()


run(context.config.attributes["connection"])
