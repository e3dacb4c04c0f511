"""Many runs at once: steps of a second side by side, a crowd, a thousand that wait, a noisy tenant."""

import asyncio
import os
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Iterable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from benchmarks.platform import Up, caller, resident_mb, up
from benchmarks.raw import raw_worker
from benchmarks.runs import Start, create_agent, our_start, raw_seconds_start, result, skill
from omniforge.settings import Settings
from omniforge.store.access import create_key, create_tenant
from omniforge.store.database import open_database

AT_ONCE, CROWD, WAITING, NOISE, SIDE_BY_SIDE = 100, 500, 1_000, 2_000, 8
CAP = 50
"""Runs of one tenant under way at once, where there is a cap."""
STEP = 1.0
"""Seconds that an answer of the offline model takes here."""
SAMPLES = 5
WARM = 20
"""Runs after which a fresh worker has loaded all it needs."""
PATIENCE = 300.0
ASKS = '1. Ask: `ask_user {"question": "Go on?"}`\n2. Answer: done'


async def load(home: Path) -> dict[str, float]:
    """All figures of this page, on platforms of their own."""
    async with up(_settings(home / "uncapped")) as it:
        with raw_worker():
            found = await _seconds(it)
        found |= await _crowd(it)
        found |= await _noise(it, "all under way")
        found |= await _waiting(it)
    async with up(_settings(home / "capped", max_concurrent_runs=CAP)) as it:
        return found | await _noise(it, f"{CAP} under way")


def _settings(home: Path, **more: Any) -> Settings:
    return Settings(
        home=home,
        llm_provider="offline",
        offline_pace=STEP,
        log_level="WARNING",
        rate_limit=0,
        tenant_rate_limit=0,
        **more,
    )


async def _seconds(it: Up) -> dict[str, float]:
    """Steps of a second: many runs of three in a row, and one run of many side by side."""
    row = _ours(it, await create_agent(it.api, *(skill(f"step-{n}", n) for n in (1, 2, 3))))
    fan = _ours(
        it, await create_agent(it.api, *(skill(f"side-{n}", 1) for n in range(SIDE_BY_SIDE)))
    )
    raw_row, raw_fan = (raw_seconds_start(it.raw, n) for n in ([1, 1, 1], [SIDE_BY_SIDE]))
    for start in (row, raw_row):
        await _took(it, [start])
    theirs, ours = await _took(it, [raw_row] * AT_ONCE), await _took(it, [row] * AT_ONCE)
    their_fan, our_fan = await _took(it, [raw_fan]), await _took(it, [fan])
    return {
        f"raw, {AT_ONCE} workflows at once of three activities of 1 s, s": theirs,
        f"{AT_ONCE} runs at once of three steps of 1 s, s (target: under 6)": ours,
        f"ratio of {AT_ONCE} at once": ours / theirs,
        f"raw, {SIDE_BY_SIDE} activities of 1 s side by side, s": their_fan,
        f"{SIDE_BY_SIDE} skills of 1 s side by side, s (target: under 2.5)": our_fan,
    }


async def _crowd(it: Up) -> dict[str, float]:
    agent = await create_agent(it.api, skill("crowded", 1))
    seconds = await _took(it, [_ours(it, agent)] * CROWD)
    return {
        f"{CROWD} runs at once of one step of 1 s, s": seconds,
        f"lost of {CROWD} runs at once (target: 0)": CROWD - await _count(it, agent, "completed"),
    }


async def _noise(it: Up, how: str) -> dict[str, float]:
    """How much later a tenant's run ends while another tenant has started thousands."""
    noisy = await create_agent(it.api, skill("noisy", 1))
    async with _other_tenant(it) as quiet:
        idle = statistics.median([await _took(it, [quiet]) for _ in range(SAMPLES)])
        await _all(_ours(it, noisy)() for _ in range(NOISE))
        delays = [await _took(it, [quiet]) - idle for _ in range(SAMPLES)]
        left = NOISE - await _count(it, noisy, "completed")
        await _until_count(it, noisy, "completed", NOISE)
    return {
        f"longest delay beside {NOISE} runs of a tenant, {how}, s (target: under 2)": max(delays),
        f"median of {SAMPLES} delays, {how}, s": statistics.median(delays),
        f"of those {NOISE}, {how}, not ended by then": left,
    }


@asynccontextmanager
async def _other_tenant(it: Up) -> AsyncIterator[Start]:
    """Starts runs of another tenant, which is made in the database."""
    database = open_database(it.platform.settings.database)
    try:
        owner = await database.write(lambda c: create_tenant(c, "Quiet", "Owner"))
        key = await database.write(lambda c: create_key(c, owner, "bench"))
    finally:
        await database.close()
    async with caller(it.platform.api_url, key) as api:
        yield our_start(api, await create_agent(api, skill("quiet", 1)), owner.tenant_id)


async def _waiting(it: Up) -> dict[str, float]:
    """What runs that wait for a person cost a worker that has them all in its cache."""
    agent = await create_agent(it.api, skill("asking", 1, ASKS))
    it.platform.kill("worker")  # so that it is a fresh one, whose memory nothing else has grown
    await _all(_ours(it, agent)() for _ in range(WARM))
    await _until_count(it, agent, "waiting", WARM)
    before = resident_mb(it.platform.pid("worker"))
    await _all(_ours(it, agent)() for _ in range(WAITING))
    await _until_count(it, agent, "waiting", WARM + WAITING)
    cost = resident_mb(it.platform.pid("worker")) - before
    return {f"{WAITING} runs that wait for people, MB of their worker (target: under 50)": cost}


# ---- how it is measured ------------------------------------------------------------------------


def _ours(it: Up, agent: str) -> Start:
    return our_start(it.api, agent, it.platform.credentials.tenant_id)


async def _took(it: Up, starts: Sequence[Start]) -> float:
    """Seconds from the first start of all these at once to the last end."""

    async def one(start: Start) -> None:
        await result(it.temporal, await start())

    began = time.perf_counter()
    await _all(one(start) for start in starts)
    return time.perf_counter() - began


async def _all(works: Iterable[Awaitable[object]]) -> None:
    async with asyncio.timeout(PATIENCE):
        await asyncio.gather(*works)


async def _count(it: Up, agent: str, status: str) -> int:
    """How many runs of an agent have a status."""
    count, asked = 0, {"status": status, "limit": "200"}
    while True:
        answer = await it.api.get(f"/api/v1/agents/{agent}/executions", params=asked)
        page = answer.raise_for_status().json()
        count += len(page["executions"])
        if page["next_cursor"] is None:
            return count
        asked["cursor"] = page["next_cursor"]


async def _until_count(it: Up, agent: str, status: str, count: int) -> None:
    async with asyncio.timeout(PATIENCE):
        while await _count(it, agent, status) < count:  # noqa: ASYNC110 - not our process
            await asyncio.sleep(0.5)


def main() -> int:
    with tempfile.TemporaryDirectory(prefix="omniforge-bench-") as folder:
        for name, value in asyncio.run(load(Path(folder))).items():
            print(f"{value:10.2f}  {name}")
    return 0


if __name__ == "__main__":
    code = main()
    sys.stdout.flush()
    os._exit(code)
