"""Deliveries of outside services at once, a third of them repeats: how soon they are acknowledged."""

import asyncio
import base64
import hashlib
import hmac
import json
import random
import statistics
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Collection, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.platform import Up, up
from benchmarks.runs import create_agent, skill
from omniforge import clock
from omniforge.agents.triggers.events import DeliveryStatus, Trigger
from omniforge.identity import new_id
from omniforge.settings import Settings
from omniforge.store.sealed import seal_secret
from omniforge.store.store import Repositories, TenantStore, open_store
from omniforge.webhooks.secrets import key_of, new_secret

DELIVERIES, DISTINCT = 10_000, 6_667
SENDERS = 50
"""Requests under way at once: services keep a few connections to one address."""
# A run of the embedded platform on a busy machine: about 20 a second.
PATIENCE = 1_200.0
BODY = b'{"type":"order.paid","data":{"total":12,"note":"' + b"x" * 1_000 + b'"}}'


@dataclass(slots=True)
class Told:
    """What a crowd of senders was answered, and how soon."""

    ms: list[float] = field(default_factory=list)
    runs: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))


async def hooks(home: Path) -> dict[str, float]:
    settings = Settings(home=home, llm_provider="offline", log_level="WARNING")
    async with up(settings) as it, _tenant(it) as mine:
        secret = new_secret()
        trigger = await _trigger(it, mine, secret)
        requests = list(_requests(trigger, secret))
        started = time.perf_counter()
        told = await _send(it, requests)
        sent = time.perf_counter() - started
        async with asyncio.timeout(PATIENCE):
            while await mine.read(lambda db: _is_waiting(db, trigger)):  # noqa: ASYNC110  # others work
                await asyncio.sleep(0.5)
        begun = time.perf_counter() - started
        page = await mine.read(lambda db: db.runs.page(DELIVERIES, None, trigger.agent_id, None))
        runs = [run.id for run in page.items]
    times, what = sorted(told.ms), f"of {DELIVERIES} deliveries, {SENDERS} at once"
    return {
        f"acknowledged, median {what}, ms": statistics.median(times),
        f"acknowledged, p99 {what}, ms (target: under 200)": times[len(times) * 99 // 100],
        f"acknowledged {what}, deliveries/s": DELIVERIES / sent,
        f"begun {what}, runs/s": len(runs) / begun,
        "delivery ids without exactly one run (target: 0)": _wrong(told, runs),
    }


def _wrong(told: Told, runs: Collection[str]) -> int:
    """Ids that were promised no run or several, and runs that are not there or were not promised."""
    promised = {run for each in told.runs.values() for run in each}
    several = sum(len(each) != 1 for each in told.runs.values())
    return DISTINCT - len(told.runs) + several + len(promised ^ set(runs))


def _is_waiting(db: Repositories, trigger: Trigger) -> bool:
    return bool(db.deliveries.page(trigger.id, 1, None, DeliveryStatus.ACCEPTED).items)


@asynccontextmanager
async def _tenant(it: Up) -> AsyncIterator[TenantStore]:
    settings = it.platform.settings
    store = open_store(settings.database, settings.storage_path)
    yield store.for_tenant(it.platform.credentials.tenant_id)
    await store.close()


async def _trigger(it: Up, mine: TenantStore, secret: str) -> Trigger:
    """A trigger with a secret that is known here, made in the database."""
    at = clock.now()
    trigger = Trigger(
        id=new_id("tr"),
        agent_id=await create_agent(it.api, skill("told", 1)),
        tenant_id=mine.tenant_id,
        provider="custom",
        max_per_minute=10_000,
        created_by="bench",
        created_at=at,
        updated_at=at,
    )
    sealed = seal_secret(it.platform.settings.key_ring, mine.tenant_id, trigger.id, secret)
    await mine.write(lambda db: db.triggers.add(trigger, [sealed]))
    return trigger


def _requests(trigger: Trigger, secret: str) -> Iterator[tuple[str, bytes]]:
    """Whole requests in any order, so that sending them costs this process little."""
    ids = [f"msg-{number}" for number in range(DISTINCT)]
    ids += random.sample(ids, DELIVERIES - DISTINCT)
    random.shuffle(ids)
    key, stamp = key_of(secret) or b"", int(clock.now().timestamp())
    for one in ids:
        digest = hmac.new(key, f"{one}.{stamp}.".encode() + BODY, hashlib.sha256).digest()
        head = (
            f"POST /api/v1/hooks/{trigger.id} HTTP/1.1\r\nHost: localhost\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(BODY)}\r\n"
            f"webhook-id: {one}\r\nwebhook-timestamp: {stamp}\r\n"
            f"webhook-signature: v1,{base64.b64encode(digest).decode()}\r\n\r\n"
        )
        yield one, head.encode() + BODY


async def _send(it: Up, requests: Sequence[tuple[str, bytes]]) -> Told:
    told, left = Told(), iter(requests)
    port = int(it.platform.api_url.rpartition(":")[2])

    async def send() -> None:
        reader, writer = await asyncio.open_connection("localhost", port)
        for delivery_id, request in left:
            at = time.perf_counter()
            writer.write(request)
            head = await reader.readuntil(b"\r\n\r\n")
            length = int(head.lower().partition(b"content-length: ")[2].split(b"\r\n")[0])
            answer = json.loads(await reader.readexactly(length))
            told.ms.append((time.perf_counter() - at) * 1_000)
            told.runs[delivery_id].add(answer["execution_id"])
        writer.close()

    await asyncio.gather(*(send() for _ in range(SENDERS)))
    return told
