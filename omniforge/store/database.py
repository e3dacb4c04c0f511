"""Transactions. Work is a plain function of a connection, so one piece of code serves both databases.

SQLite runs it in threads of its own: one writer whose waiting transactions share a commit, and a few
readers. PostgreSQL runs it through asyncpg. The hop to a thread is paid once a transaction, not once
a statement (docs/decisions/0005 has the numbers).
"""

import asyncio
import contextlib
import sqlite3
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Protocol, TypeVar

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError, InterfaceError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from omniforge.errors import StorageUnavailable

T = TypeVar("T")
Work = Callable[[Connection], T]

# Measured: beyond this a longer batch no longer lowers the cost a transaction.
MAX_BATCH = 64
READERS = 4
# How long a transaction waits for another process's before it says that the database is locked.
BUSY_S = 5

_SQLITE_TROUBLE = frozenset(
    {
        sqlite3.SQLITE_BUSY,
        sqlite3.SQLITE_CANTOPEN,
        sqlite3.SQLITE_CORRUPT,
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_LOCKED,
        sqlite3.SQLITE_NOMEM,
        sqlite3.SQLITE_NOTADB,
        sqlite3.SQLITE_PERM,
        sqlite3.SQLITE_PROTOCOL,
        sqlite3.SQLITE_READONLY,
    }
)
# Beginnings of SQLSTATE: connection, log-in, no such database, lost a race, out of disk, memory or
# connections, lock not to be had, stopped by an operator, the system under the server failed; a
# server that has become read-only; a database that nobody migrated.
_POSTGRES_TROUBLE = ("08", "28", "3D", "40", "53", "55P03", "57", "58", "25006", "42P01")


class Database(Protocol):
    """Where transactions run. Work must be repeatable: it may run again when its batch is split."""

    url: str

    async def read(self, work: Work[T]) -> T:
        """Run work that only reads, on one consistent snapshot."""
        ...

    async def write(self, work: Work[T]) -> T:
        """Run work in a transaction; it is committed when this returns and undone when work raises.

        Raises:
            StorageUnavailable: The database cannot be reached, or the disk is full.
        """
        ...

    async def close(self) -> None: ...


def open_database(url: str) -> Database:
    """Open the database of a URL: `sqlite:///file` or `postgresql://...`. Connects on first use."""
    parsed = make_url(url)
    if parsed.get_backend_name() == "sqlite":
        path = Path(parsed.database or "")
        with _storage_errors():
            path.parent.mkdir(parents=True, exist_ok=True)
        return SqliteDatabase(url, path)
    return PostgresDatabase(url)


class SqliteDatabase:
    def __init__(self, url: str, path: Path) -> None:
        self.url, self.path = url, path
        self._writer_thread = ThreadPoolExecutor(1, thread_name_prefix="sqlite-writer")
        self._reader_threads = ThreadPoolExecutor(READERS, thread_name_prefix="sqlite-reader")
        self._writer = _engine(path, "BEGIN IMMEDIATE", 1)
        self._reader = _engine(path, "BEGIN", READERS)
        self._waiting: list[tuple[Work[Any], asyncio.Future[Any]]] = []
        self._draining: asyncio.Task[None] | None = None

    async def read(self, work: Work[T]) -> T:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._reader_threads, self._read, work)

    async def write(self, work: Work[T]) -> T:
        future: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._waiting.append((work, future))
        if self._draining is None or self._draining.done():
            self._draining = asyncio.create_task(self._drain())
        return await future

    @contextlib.asynccontextmanager
    async def watching(self) -> AsyncIterator[Callable[[], Awaitable[int]]]:
        """A function whose answer changes whenever any other connection has committed."""
        loop, thread = asyncio.get_running_loop(), ThreadPoolExecutor(1, "sqlite-watcher")
        connection = await loop.run_in_executor(thread, sqlite3.connect, self.path)

        def version() -> int:
            return int(connection.execute("PRAGMA data_version").fetchone()[0])

        async def ask() -> int:
            return await loop.run_in_executor(thread, version)

        try:
            yield ask
        finally:
            await loop.run_in_executor(thread, connection.close)
            thread.shutdown()

    async def close(self) -> None:
        if self._draining is not None:
            await self._draining
        self._writer_thread.shutdown()
        self._reader_threads.shutdown()
        self._writer.dispose()
        self._reader.dispose()

    def _read(self, work: Work[T]) -> T:
        with _storage_errors(), self._reader.begin() as connection:
            return work(connection)

    async def _drain(self) -> None:
        loop = asyncio.get_running_loop()
        while self._waiting:
            batch, self._waiting = self._waiting[:MAX_BATCH], self._waiting[MAX_BATCH:]
            works = [work for work, _ in batch]
            try:
                outcomes = await loop.run_in_executor(self._writer_thread, self._commit, works)
            except RuntimeError as closed:  # the database was closed under them
                outcomes = [(None, closed)] * len(batch)
            for (_, future), (result, error) in zip(batch, outcomes, strict=True):
                if future.done():
                    continue  # the caller was cancelled; what it asked for is committed all the same
                if error is None:
                    future.set_result(result)
                else:
                    future.set_exception(error)

    def _commit(self, works: Sequence[Work[Any]]) -> list[tuple[Any, BaseException | None]]:
        """Commit all works together; when one fails, each again on its own."""
        try:
            with _storage_errors(), self._writer.begin() as connection:
                return [(work(connection), None) for work in works]
        except Exception as error:
            if len(works) == 1:
                return [(None, error)]
        return [outcome for work in works for outcome in self._commit([work])]


class PostgresDatabase:
    def __init__(self, url: str) -> None:
        self.url = url
        self._engine = create_async_engine(url, pool_size=20, max_overflow=20, pool_pre_ping=True)
        # By itself PostgreSQL gives every statement of a transaction a snapshot of its own.
        self._reader = self._engine.execution_options(
            isolation_level="REPEATABLE READ", postgresql_readonly=True
        )

    async def read(self, work: Work[T]) -> T:
        return await _transaction(self._reader, work)

    async def write(self, work: Work[T]) -> T:
        return await _transaction(self._engine, work)

    async def close(self) -> None:
        await self._engine.dispose()


async def _transaction(engine: AsyncEngine, work: Work[T]) -> T:
    with _storage_errors():
        async with engine.begin() as connection:
            return await connection.run_sync(work)


def _engine(path: Path, begin: str, connections: int) -> Engine:
    engine = create_engine(
        f"sqlite:///{path}",
        connect_args={"check_same_thread": False},
        pool_size=connections,
        max_overflow=0,
    )

    @event.listens_for(engine, "connect")
    def set_up(connection: sqlite3.Connection, _: Any) -> None:
        # The driver must not begin transactions by itself, or BEGIN IMMEDIATE would come too late.
        connection.isolation_level = None
        connection.execute(f"PRAGMA busy_timeout={BUSY_S * 1000}")
        _write_ahead(connection)
        # NORMAL survives the death of any process; a power cut may lose the last commits.
        connection.execute("PRAGMA synchronous=NORMAL")
        connection.execute("PRAGMA foreign_keys=ON")

    @event.listens_for(engine, "begin")
    def begin_transaction(connection: Connection) -> None:
        # Straight to the driver: as a statement of the toolkit it would cost ten times as much.
        connection.connection.cursor().execute(begin)

    return engine


def _write_ahead(connection: sqlite3.Connection) -> None:
    """Switch the file to a write-ahead log. Only a new file's first connections have to.

    They wait for each other here: for this one statement SQLite ignores the busy time-out.
    """
    give_up_at = time.monotonic() + BUSY_S
    while True:
        try:
            connection.execute("PRAGMA journal_mode=WAL")
            return
        except sqlite3.OperationalError as error:
            is_busy = error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_BUSY
            if not is_busy or time.monotonic() > give_up_at:
                raise
        time.sleep(0.01)


@contextlib.contextmanager
def _storage_errors() -> Iterator[None]:
    """Turns the drivers' "cannot" into our error; a broken statement stays what it is: a bug."""
    try:
        yield
    except DBAPIError as error:
        if _is_trouble(error):
            raise StorageUnavailable(
                f"The database does not answer as it should: {error.orig}"
            ) from error
        raise
    except (OSError, PoolTimeout, sqlite3.OperationalError) as error:
        # SQLite's own error: what begins a transaction goes past the toolkit, straight to the driver.
        raise StorageUnavailable(f"The database cannot be reached: {error}") from error


def _is_trouble(error: DBAPIError) -> bool:
    cause = error.orig
    if isinstance(cause, sqlite3.Error):
        code = getattr(cause, "sqlite_errorcode", sqlite3.SQLITE_ERROR)
        is_migrated = not str(cause).startswith("no such table")
        # The low byte is the kind; the others say more precisely what.
        return not is_migrated or (code & 0xFF) in _SQLITE_TROUBLE
    if error.connection_invalidated or isinstance(error, InterfaceError):
        return True
    state = getattr(cause, "sqlstate", None) or ""
    return state.startswith(_POSTGRES_TROUBLE)
