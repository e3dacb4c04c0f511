"""A store on each database, prepared as the platform does it."""

import asyncio
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from omniforge.store import bootstrap
from omniforge.store.store import Store, open_store
from tests.store.making import Tenant
from tests.support.postgres import PostgresServer


@pytest.fixture(scope="session")
def prepared_postgres(postgres: PostgresServer) -> str:
    """One migrated PostgreSQL database for all tests that keep to a tenant of their own."""
    url = postgres.new_database()
    asyncio.run(bootstrap.prepare(url))
    return url


@pytest.fixture(scope="session")
def prepared_sqlite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated SQLite file to make copies of."""
    file = tmp_path_factory.mktemp("prepared") / "empty.db"
    asyncio.run(bootstrap.prepare(f"sqlite:///{file}"))
    return file


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def prepared_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A migrated database: a fresh SQLite file, or the PostgreSQL one that tests share."""
    return _prepared(request, tmp_path)


@pytest.fixture(params=["memory", "sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def journal_url(request: pytest.FixtureRequest, tmp_path: Path) -> str | None:
    """Where a journal is kept: None for memory, else a migrated database."""
    return None if request.param == "memory" else _prepared(request, tmp_path)


def _prepared(request: pytest.FixtureRequest, folder: Path) -> str:
    if request.param == "postgres":
        shared: str = request.getfixturevalue("prepared_postgres")
        return shared
    file: Path = request.getfixturevalue("prepared_sqlite")
    return f"sqlite:///{shutil.copy(file, folder / 'test.db')}"


@pytest.fixture
async def store(prepared_url: str, tmp_path: Path) -> AsyncIterator[Store]:
    opened = open_store(prepared_url, tmp_path / "storage")
    yield opened
    await opened.close()


@pytest.fixture
async def tenant(store: Store) -> Tenant:
    return await Tenant.new(store)
