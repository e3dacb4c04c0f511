"""Many deliveries at once, with repeats, to real processes; and the API is killed among them."""

import asyncio
import random
from collections import defaultdict
from collections.abc import AsyncIterator, Iterator

import httpx2
import pytest

from dev.platform import Platform as Processes
from omniforge import clock
from omniforge.agents.triggers.events import DeliveryStatus, Trigger
from omniforge.settings import Settings
from omniforge.store.sealed import seal_secret
from omniforge.store.store import Repositories, TenantStore, open_store
from tests.store.sending import a_trigger
from tests.support.platform import skill
from tests.support.ports import free_port
from tests.support.processes import api_of, patiently
from tests.support.requirements import requirement
from tests.webhooks.senders import SECRET, custom

SENDERS = 20
PATIENCE = 240.0

pytestmark = pytest.mark.long


@pytest.fixture
async def processes(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Processes]:
    home = tmp_path_factory.mktemp("flood")
    settings = Settings(_env_file=None, home=home, port=free_port(), llm_provider="offline")
    async with Processes.start(settings) as running:
        yield running


@pytest.fixture
async def mine(processes: Processes) -> AsyncIterator[TenantStore]:
    opened = open_store(processes.settings.database, processes.settings.storage_path)
    yield opened.for_tenant(processes.credentials.tenant_id)
    await opened.close()


class Senders:
    """Services that send each delivery until it is acknowledged, and some of them once more."""

    def __init__(self, processes: Processes, trigger: Trigger) -> None:
        self._path, self._url = f"/api/v1/hooks/{trigger.id}", processes.api_url
        self.told: dict[str, set[str]] = defaultdict(set)
        """The runs that were promised for each delivery id."""
        self.acknowledged = 0
        self.unanswered = 0

    async def send(self, ids: list[str]) -> None:
        left = iter(ids)
        limits = httpx2.Limits(max_connections=SENDERS)
        async with httpx2.AsyncClient(base_url=self._url, timeout=10, limits=limits) as client:
            await asyncio.gather(*(self._send(client, left) for _ in range(SENDERS)))

    async def _send(self, client: httpx2.AsyncClient, left: Iterator[str]) -> None:
        for delivery_id in left:
            while not await self._is_acknowledged(client, delivery_id):
                self.unanswered += 1
                await asyncio.sleep(0.1)
            self.acknowledged += 1

    async def _is_acknowledged(self, client: httpx2.AsyncClient, delivery_id: str) -> bool:
        event = custom(delivery_id=delivery_id, at=clock.now())
        try:
            answer = await client.post(self._path, content=event.body, headers=dict(event.headers))
        except httpx2.TransportError:
            return False
        if answer.is_success:
            self.told[delivery_id].add(answer.json()["execution_id"])
        return answer.is_success


@requirement("FR-10")
@pytest.mark.parametrize("count", [60, 1_000])
async def test_a_killed_api_loses_and_doubles_no_delivery(
    processes: Processes, mine: TenantStore, count: int
) -> None:
    trigger = await _trigger(processes, mine)
    ids = [f"msg-{number}" for number in range(count)]
    repeats = random.sample(ids, count // 3)
    senders = Senders(processes, trigger)

    sending = asyncio.create_task(senders.send([*ids, *repeats]))
    async with asyncio.timeout(PATIENCE):
        for share in (0.2, 0.6):
            while senders.acknowledged < share * count:
                await asyncio.sleep(0.01)
            processes.kill("api")
        await sending
        while await mine.read(lambda db: _is_waiting(db, trigger)):
            await asyncio.sleep(0.1)
    page = await mine.read(lambda db: db.runs.page(2 * count, None, trigger.agent_id, None))

    assert senders.unanswered > 0
    assert set(senders.told) == set(ids)
    assert {len(promised) for promised in senders.told.values()} == {1}
    assert sorted(run.id for run in page.items) == sorted(
        run for promised in senders.told.values() for run in promised
    )


async def _trigger(processes: Processes, mine: TenantStore) -> Trigger:
    """A trigger whose secret is known here, and of which thousands may come in a minute."""
    async with api_of(processes) as api:
        agent = {"name": "told", "status": "active", "skills": [skill("told")]}
        created = await patiently(api, "POST", "/api/v1/agents", json=agent)
    trigger = a_trigger(mine.tenant_id, created["id"], max_per_minute=10_000)
    sealed = seal_secret(processes.settings.key_ring, mine.tenant_id, trigger.id, SECRET)
    await mine.write(lambda db: db.triggers.add(trigger, [sealed]))
    return trigger


def _is_waiting(db: Repositories, trigger: Trigger) -> bool:
    return bool(db.deliveries.page(trigger.id, 1, None, DeliveryStatus.ACCEPTED).items)
