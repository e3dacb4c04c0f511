"""One platform with keys for the tests of events, and an agent for those of schedules."""

from collections.abc import AsyncIterator

import pytest
from temporalio.client import Client

from api.triggers import projection
from api.triggers.clocks import asked_in
from omniforge.agents.triggers.cron import Cron
from tests.support.platform import Platform, temporal_server
from tests.support.ports import free_port
from tests.triggers.hooked import Hooked, hooked_platform
from tests.triggers.scheduling import Desk
from workflows.wire import data_converter


@pytest.fixture(scope="package")
async def hooked(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Hooked]:
    async with (
        temporal_server() as temporal,
        hooked_platform(tmp_path_factory.mktemp("hooked"), temporal) as running,
    ):
        yield running


@pytest.fixture
async def desk(platform: Platform) -> AsyncIterator[Desk]:
    async with Desk.open(platform) as desk:
        yield desk


@pytest.fixture
async def nobody(monkeypatch: pytest.MonkeyPatch) -> Client:
    """A client of a Temporal server that is down."""
    monkeypatch.setattr(projection, "CALL_TIMEOUT", 0.2)
    return await Client.connect(
        f"127.0.0.1:{free_port()}", lazy=True, data_converter=data_converter()
    )


@pytest.fixture
def newer_zone(monkeypatch: pytest.MonkeyPatch) -> str:
    """A time zone that we know and Temporal does not."""

    def unknown(cron: Cron, zone: str) -> str:
        return "Mars/Olympus" if zone == "Pacific/Apia" else asked_in(cron, zone)

    monkeypatch.setattr(projection, "asked_in", unknown)
    return "Pacific/Apia"
