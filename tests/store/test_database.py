"""Transactions on both databases: one snapshot to read, all or nothing to write."""

import asyncio
import contextlib
import sqlite3
import threading
from pathlib import Path

import pytest
from sqlalchemy import Connection, func, insert, select, text
from sqlalchemy.exc import IntegrityError

from omniforge import clock
from omniforge.errors import StorageUnavailable
from omniforge.identity import new_id
from omniforge.store import bootstrap
from omniforge.store.database import SqliteDatabase, Work, open_database
from omniforge.store.store import Store, open_store
from omniforge.store.tables import users
from tests.support.postgres import PostgresServer


class Register:
    """Users whose names start alike, so that tests on one database do not see each other's."""

    def __init__(self) -> None:
        self._prefix = new_id("test")

    def adding(self, name: str) -> Work[str]:
        def work(connection: Connection) -> str:
            row = {"id": f"{self._prefix}-{name}", "name": self._prefix, "created_at": clock.now()}
            connection.execute(insert(users), [row])
            return name

        return work

    def count(self, connection: Connection) -> int:
        query = select(func.count()).where(users.c.name == self._prefix)
        return connection.execute(query).scalar_one()

    def failing(self, connection: Connection) -> str:
        self.adding("half")(connection)
        raise ValueError("the work changed its mind")


@pytest.fixture
def register() -> Register:
    return Register()


async def test_work_that_raises_leaves_nothing_behind(store: Store, register: Register) -> None:
    with pytest.raises(ValueError, match="changed its mind"):
        await store.database.write(register.failing)

    assert await store.database.read(register.count) == 0


async def test_a_reader_sees_one_moment_also_over_several_statements(
    store: Store, register: Register
) -> None:
    has_looked, has_written = threading.Event(), threading.Event()
    loop = asyncio.get_running_loop()

    def look_twice(connection: Connection) -> tuple[int, int]:
        first = register.count(connection)
        if isinstance(store.database, SqliteDatabase):  # works in a thread of its own
            has_looked.set()
            assert has_written.wait(5)
        else:  # works in the event loop
            from sqlalchemy.util import await_only

            await_only(write())
        return first, register.count(connection)

    async def write() -> None:
        await store.database.write(register.adding("new"))
        has_written.set()

    reading = asyncio.create_task(store.database.read(look_twice))
    if isinstance(store.database, SqliteDatabase):
        await loop.run_in_executor(None, has_looked.wait, 5)
        await write()

    assert await reading == (0, 0)
    assert await store.database.read(register.count) == 1


async def test_writers_that_read_first_do_not_overwrite_each_other(
    store: Store, register: Register
) -> None:
    async def add(number: int) -> str:
        return await store.database.write(register.adding(f"u{number}"))

    names = await asyncio.gather(*(add(number) for number in range(60)))

    assert len(set(names)) == 60
    assert await store.database.read(register.count) == 60


async def test_one_failing_work_does_not_spoil_the_others_of_its_batch(
    store: Store, register: Register
) -> None:
    works = [register.adding(f"u{number}") for number in range(20)]
    works[7], works[13] = register.failing, register.adding("u0")

    outcomes = await asyncio.gather(
        *(store.database.write(work) for work in works), return_exceptions=True
    )

    failures = {place: each for place, each in enumerate(outcomes) if isinstance(each, Exception)}
    assert isinstance(failures.pop(7), ValueError)
    assert isinstance(failures.popitem()[1], IntegrityError)  # u0 or its double, not both
    assert failures == {}
    assert await store.database.read(register.count) == 18


async def test_a_caller_that_stops_waiting_holds_up_nobody(
    store: Store, register: Register
) -> None:
    tasks = [asyncio.create_task(store.database.write(register.adding(f"u{n}"))) for n in range(10)]
    await asyncio.sleep(0)
    tasks[3].cancel()
    done = await asyncio.gather(*tasks, return_exceptions=True)

    assert isinstance(done.pop(3), asyncio.CancelledError)
    assert [isinstance(name, str) for name in done] == [True] * 9
    assert await store.database.write(register.adding("afterwards")) == "afterwards"


async def test_an_address_that_leads_nowhere_is_storage_unavailable(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").write_text("not a folder")
    (tmp_path / "text.db").write_text("not a database, and long enough to look at\n" * 20)
    for name in ("folder", "file/below.db", "text.db"):
        with pytest.raises(StorageUnavailable):
            await _ask(f"sqlite:///{tmp_path / name}")


async def test_a_file_that_somebody_else_keeps_locked_is_storage_unavailable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("omniforge.store.database.BUSY_S", 0.05)
    file = tmp_path / "locked.db"
    database = open_database(f"sqlite:///{file}")
    await database.write(lambda c: c.execute(text("CREATE TABLE t (x INTEGER)")))
    with contextlib.closing(sqlite3.connect(file)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StorageUnavailable, match="locked"):
            await database.write(lambda c: c.execute(text("INSERT INTO t VALUES (1)")))
    await database.close()


async def test_a_server_that_is_not_there_is_storage_unavailable() -> None:
    with pytest.raises(StorageUnavailable):
        await _ask("postgresql+asyncpg://nobody@127.0.0.1:1/none")


@pytest.mark.postgres
async def test_a_database_that_the_server_does_not_have_is_storage_unavailable(
    postgres: PostgresServer,
) -> None:
    url = postgres.new_database()
    with pytest.raises(StorageUnavailable):
        await _ask(url.replace("/test_", "/missing_"))


async def _ask(url: str) -> None:
    database = open_database(url)
    try:
        await database.read(lambda c: c.execute(text("SELECT 1")).all())
    finally:
        await database.close()


@pytest.mark.postgres
async def test_a_connection_that_the_server_cut_is_storage_unavailable_and_the_next_one_works(
    postgres: PostgresServer,
) -> None:
    database = open_database(postgres.new_database())

    def cut(connection: Connection) -> None:
        connection.execute(text("SELECT pg_terminate_backend(pg_backend_pid())"))

    with pytest.raises(StorageUnavailable):
        await database.write(cut)
    assert await database.write(lambda c: c.execute(text("SELECT 1")).scalar_one()) == 1
    await database.close()


async def test_a_full_disk_is_storage_unavailable_and_nothing_is_half_written(
    tmp_path: Path,
) -> None:
    database = open_database(f"sqlite:///{tmp_path / 'small.db'}")
    await database.write(lambda c: c.execute(text("CREATE TABLE t (a TEXT)")))

    def fill(connection: Connection) -> None:
        connection.execute(text("PRAGMA max_page_count = 20"))
        for _ in range(100):
            connection.execute(text("INSERT INTO t VALUES (:a)"), {"a": "x" * 4_000})

    with pytest.raises(StorageUnavailable, match="full"):
        await database.write(fill)
    assert await database.read(_rows) == 0

    await database.write(lambda c: c.execute(text("INSERT INTO t VALUES ('fits')")))
    assert await database.read(_rows) == 1
    await database.close()


def _rows(connection: Connection) -> int:
    return int(connection.execute(text("SELECT count(*) FROM t")).scalar_one())


async def test_a_broken_statement_stays_what_it_is(store: Store) -> None:
    with pytest.raises(Exception, match="no_such_column") as failure:
        await store.database.write(lambda c: c.execute(text("SELECT no_such_column FROM users")))

    assert not isinstance(failure.value, StorageUnavailable)


async def test_who_writes_after_the_end_is_told_so_and_does_not_wait_forever(
    tmp_path: Path,
) -> None:
    database = open_database(f"sqlite:///{tmp_path / 'test.db'}")
    await database.write(lambda c: c.execute(text("CREATE TABLE t (a TEXT)")))
    await database.close()

    async with asyncio.timeout(5):
        with pytest.raises(RuntimeError):
            await database.write(_rows)


async def test_a_database_that_nobody_migrated_is_storage_unavailable(
    database_url: str, tmp_path: Path
) -> None:
    store = open_store(database_url, tmp_path)
    with pytest.raises(StorageUnavailable):
        await store.check()
    await bootstrap.prepare(database_url)

    await store.check()
    await store.close()


async def test_the_first_connections_to_a_new_file_wait_for_each_other(tmp_path: Path) -> None:
    file = tmp_path / "new.db"
    other = sqlite3.connect(file, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")  # what another process holds while it switches the file

    database = open_database(f"sqlite:///{file}")
    opening = asyncio.create_task(database.write(lambda connection: "written"))
    await asyncio.sleep(0.2)
    assert not opening.done()
    other.close()

    assert await opening == "written"
    await database.close()
