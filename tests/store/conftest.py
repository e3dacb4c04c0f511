"""A store on each database, prepared as the platform does it."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from omniforge.store import bootstrap
from omniforge.store.store import Store, open_store
from tests.store.making import Tenant


@pytest.fixture
async def store(database_url: str, tmp_path: Path) -> AsyncIterator[Store]:
    await bootstrap.prepare(database_url)
    opened = open_store(database_url, tmp_path / "storage")
    yield opened
    await opened.close()


@pytest.fixture
async def tenant(store: Store) -> Tenant:
    return await Tenant.new(store)
