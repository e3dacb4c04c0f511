"""Tells whoever tails events that there may be new ones."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

from sqlalchemy.engine import make_url

from omniforge.store.database import Database, SqliteDatabase
from omniforge.store.streams import CHANNEL

# A glance at one counter in memory; an event is seen this much later at most.
SQLITE_POLL = 0.05
# Behind both wake-ups, for the day one of them fails: a reader is never more than this behind.
SLOW_POLL = 2.0


class Bell:
    """Rings after a commit somewhere wrote events. May ring too often, never too late by `SLOW_POLL`."""

    def __init__(self) -> None:
        self._rung = asyncio.Event()

    def ring(self) -> None:
        rung, self._rung = self._rung, asyncio.Event()
        rung.set()

    def next_ring(self) -> asyncio.Event:
        """Ask for it before looking at the database, so that no ring falls in between."""
        return self._rung

    async def wait(self, rung: asyncio.Event) -> None:
        """Sleep until that ring, or until the slow poll is due."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(rung.wait(), SLOW_POLL)


@contextlib.asynccontextmanager
async def listening(database: Database) -> AsyncIterator[Bell]:
    """A bell that hears commits of every process on this database."""
    bell = Bell()
    if isinstance(database, SqliteDatabase):
        task = asyncio.create_task(_watch_sqlite(database, bell))
    else:
        task = asyncio.create_task(_listen_postgres(database.url, bell))
    try:
        yield bell
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def _watch_sqlite(database: SqliteDatabase, bell: Bell) -> None:
    seen = None
    async with database.watching() as data_version:
        while True:
            if (version := await data_version()) != seen:
                seen = version
                bell.ring()
            await asyncio.sleep(SQLITE_POLL)


async def _listen_postgres(database_url: str, bell: Bell) -> None:
    import asyncpg

    url = make_url(database_url).set(drivername="postgresql").render_as_string(hide_password=False)
    while True:
        with contextlib.suppress(OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
            connection = await asyncpg.connect(url)
            try:
                await _until_closed(connection, bell)
            finally:
                await connection.close(timeout=1)
        await asyncio.sleep(SLOW_POLL)


async def _until_closed(connection: Any, bell: Bell) -> None:
    closed = asyncio.Event()
    connection.add_termination_listener(lambda _: closed.set())
    await connection.add_listener(CHANNEL, lambda *_: bell.ring())
    bell.ring()
    await closed.wait()
