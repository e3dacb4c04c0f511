"""One platform with an app at a service, wiped for each test."""

from collections.abc import AsyncIterator

import pytest

from tests.connections.connecting import Town, town
from tests.support.platform import temporal_server


@pytest.fixture(scope="package")
async def _town(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Town]:
    async with (
        temporal_server() as temporal,
        town(tmp_path_factory.mktemp("town"), temporal) as running,
    ):
        yield running


@pytest.fixture
async def at_home(_town: Town) -> AsyncIterator[Town]:
    yield _town
    _town.forget()
    await _town.disconnect_all()
