"""A platform with keys for secrets, for the tests of who may do what."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from omniforge.store import bootstrap
from omniforge.store.store import open_store
from tests.access.filling import Workspace
from tests.store.making import Tenant
from tests.support.platform import Platform, temporal_server
from tests.triggers.hooked import Hooked, hooked_platform


@pytest.fixture(scope="package")
async def guarded(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Hooked]:
    async with (
        temporal_server() as temporal,
        hooked_platform(tmp_path_factory.mktemp("guarded"), temporal) as running,
    ):
        yield running


@pytest.fixture
async def tenant(database_url: str, tmp_path: Path) -> AsyncIterator[Tenant]:
    """A tenant in a fresh store, on each database."""
    await bootstrap.prepare(database_url)
    store = open_store(database_url, tmp_path / "storage")
    yield await Tenant.new(store)
    await store.close()


@pytest.fixture
async def workspace(platform: Platform) -> Workspace:
    return await Workspace.new(platform)
