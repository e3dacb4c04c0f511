"""A server that misbehaves, and a client of the real platform."""

from collections.abc import AsyncIterator

import pytest

from omniforge.client import OmniForgeClient
from tests.client.wire import Wire, wire_server
from tests.support.platform import Platform


@pytest.fixture
async def wire() -> AsyncIterator[Wire]:
    async with wire_server() as server:
        yield server


@pytest.fixture
async def client(platform: Platform) -> AsyncIterator[OmniForgeClient]:
    key = platform.api.headers["Authorization"].removeprefix("Bearer ")
    async with OmniForgeClient(key, str(platform.api.base_url)) as client:
        yield client
