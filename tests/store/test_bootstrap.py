"""From an empty database to one that a person can use."""

import asyncio
from pathlib import Path

import pytest
from sqlalchemy import Connection, inspect, select

from omniforge.errors import Rejected
from omniforge.identity import Role
from omniforge.store import bootstrap
from omniforge.store.bootstrap import Credentials
from omniforge.store.database import open_database
from omniforge.store.store import open_store
from omniforge.store.tables import metadata, tenants
from tests.support.requirements import requirement

URL = "http://localhost:8000"


@requirement("DUR-1")
async def test_preparing_a_database_twice_or_at_once_changes_nothing(database_url: str) -> None:
    await asyncio.gather(*(bootstrap.prepare(database_url) for _ in range(3)))
    await bootstrap.prepare(database_url)

    database = open_database(database_url)
    names = await database.read(lambda c: set(inspect(c).get_table_names()))
    await database.close()
    assert names == {*metadata.tables, "alembic_version"}


async def test_the_migrations_make_exactly_the_tables_of_the_code(database_url: str) -> None:
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext

    def difference(connection: Connection) -> list[object]:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        found: list[object] = compare_metadata(context, metadata)
        return found

    await bootstrap.prepare(database_url)
    database = open_database(database_url)
    try:
        assert await database.read(difference) == []
    finally:
        await database.close()


async def first(database_url: str, path: Path, url: str = URL) -> Credentials:
    return await bootstrap.first_credentials(database_url, url, path)


async def test_the_first_start_makes_a_tenant_its_owner_and_a_key(
    database_url: str, tmp_path: Path
) -> None:
    await bootstrap.prepare(database_url)
    credentials = await first(database_url, tmp_path / "home" / "credentials.json")

    store = open_store(database_url, tmp_path)
    principal = await store.authenticate(credentials.api_key)
    await store.close()
    assert (principal.tenant_id, principal.role) == (credentials.tenant_id, Role.OWNER)
    assert bootstrap.read_credentials(tmp_path / "home" / "credentials.json") == credentials


async def test_later_starts_keep_the_key_and_take_the_new_address(
    prepared: str, file: Path
) -> None:
    before = await first(prepared, file)
    after = await first(prepared, file, "http://localhost:9000")

    assert after == before.model_copy(update={"api_url": "http://localhost:9000"})
    assert bootstrap.read_credentials(file) == after


async def test_the_file_is_for_its_owner_only(prepared: str, file: Path) -> None:
    for _ in range(2):
        await first(prepared, file)
        assert file.stat().st_mode & 0o777 == 0o600

    assert [path.name for path in file.parent.iterdir() if "credentials" in path.name] == [
        file.name
    ]


async def test_a_file_of_before_that_others_could_read_is_closed(prepared: str, file: Path) -> None:
    file.with_suffix(".new").touch(mode=0o644)  # left by a start that was killed

    await first(prepared, file)

    assert file.stat().st_mode & 0o777 == 0o600


async def test_a_lost_file_gives_a_new_key_for_the_same_tenant(prepared: str, file: Path) -> None:
    before = await first(prepared, file)
    file.unlink()

    after = await first(prepared, file)

    assert after.tenant_id == before.tenant_id
    assert after.api_key != before.api_key
    assert await _tenants(prepared) == [before.tenant_id]


async def test_a_deleted_database_gives_a_new_key_under_the_old_file(
    prepared: str, file: Path, tmp_path: Path
) -> None:
    before = await first(prepared, file)
    fresh = f"sqlite:///{tmp_path / 'fresh.db'}"
    await bootstrap.prepare(fresh)

    after = await first(fresh, file)

    assert after.api_key != before.api_key
    assert await _tenants(fresh) == [after.tenant_id]


@pytest.mark.parametrize("content", ["", "not json", "{}", '{"api_key": 5}', "\udcff"])
async def test_a_broken_file_is_refused_and_left_as_it_is(
    prepared: str, file: Path, content: str
) -> None:
    file.write_bytes(content.encode(errors="surrogateescape"))
    before = file.read_bytes()

    with pytest.raises(Rejected, match="Move it away"):
        await first(prepared, file)
    assert file.read_bytes() == before


def test_no_file_is_no_credentials(tmp_path: Path) -> None:
    assert bootstrap.read_credentials(tmp_path / "none.json") is None


@pytest.fixture
async def prepared(tmp_path: Path) -> str:
    url = f"sqlite:///{tmp_path / 'test.db'}"
    await bootstrap.prepare(url)
    return url


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "credentials.json"


async def _tenants(url: str) -> list[str]:
    database = open_database(url)
    found = await database.read(lambda c: list(c.execute(select(tenants.c.id)).scalars()))
    await database.close()
    return found
