"""`python -m benchmarks.fires`: many schedules due within a few minutes, a worker killed meanwhile.

Everything is a process of its own, on a database and a Temporal server in files. The exit status
says whether each time led to exactly one run.
"""

import argparse
import asyncio
import os
import statistics
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

from benchmarks.platform import Up, up
from benchmarks.runs import create_agent, skill
from omniforge.settings import Settings

T = TypeVar("T")
R = TypeVar("R")

AT_ONCE = 16
# Two cores create some tens a second; all are there before the first is due.
CREATED_EACH_SECOND = 10
MINUTE = timedelta(minutes=1)
# After its last minute: the backlog of a killed worker, and all runs to their ends.
PATIENCE = 300.0


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of the times of all schedules. Lateness is in seconds."""

    expected: int
    fired: Counter[str]
    runs: Counter[str]
    lateness: list[float]

    @property
    def missed(self) -> int:
        return self.expected - len(self.fired)

    @property
    def doubled(self) -> int:
        return sum(count - 1 for count in (*self.fired.values(), *self.runs.values()))

    @property
    def is_reached(self) -> bool:
        return self.missed == 0 == self.doubled and len(self.runs) == self.expected

    def report(self) -> str:
        p50, p99 = (statistics.quantiles(self.lateness, n=100)[at] for at in (49, 98))
        return (
            f"{len(self.fired)} of {self.expected} fired, {self.missed} missed, {self.doubled} doubled,"
            f" {len(self.runs)} runs completed; late by {p50:.2f} s at the median, {p99:.2f} s at p99"
            f" (target: under 2), {max(self.lateness):.2f} s at most"
        )


async def fires(it: Up, schedules: int, minutes: int, jitter: int) -> Verdict:
    """Schedules that are due once each, spread over some minutes, and the worker killed at the second."""
    agent = await create_agent(it.api, skill("one", 1))
    first = _next_minute(timedelta(seconds=schedules / CREATED_EACH_SECOND))
    due = [first + (number % minutes) * MINUTE for number in range(schedules)]
    began = time.perf_counter()
    ids = await _all(due, lambda at: _schedule(it, agent, at, jitter))
    print(f"{schedules} schedules created in {time.perf_counter() - began:.1f} s")
    await _until(first + min(1, minutes - 1) * MINUTE + timedelta(seconds=1))
    it.platform.kill("worker")
    print("the worker was killed")
    await _until(due[-1] if minutes == 1 else first + (minutes - 1) * MINUTE)
    runs = await _completed(it, agent, schedules)
    found = await _fires(it, ids)
    while None in (lateness for _, lateness in found):
        await asyncio.sleep(5)  # with jitter, the healer asks the server when they were due
        found = await _fires(it, ids)
    return Verdict(
        expected=schedules,
        fired=Counter(one for one, _ in found),
        runs=Counter(run["trigger_id"] for run in runs),
        lateness=[lateness or 0 for _, lateness in found],
    )


async def _fires(it: Up, ids: list[str]) -> list[tuple[str, float | None]]:
    """The schedule of each fire, and how late it was; None as long as that is not known."""
    histories = await _all(ids, lambda one: _get(it, f"/api/v1/schedules/{one}/fires"))
    return [
        (one, fire["lateness_s"])
        for one, history in zip(ids, histories, strict=True)
        for fire in history["fires"]
    ]


def _next_minute(after: timedelta) -> datetime:
    return (datetime.now(UTC) + after + MINUTE).replace(second=0, microsecond=0)  # noqa: TID251


async def _schedule(it: Up, agent: str, at: datetime, jitter: int) -> str:
    cron = f"{at.minute} {at.hour} {at.day} {at.month} *"
    body = {"agent_id": agent, "cron_expression": cron, "jitter_s": jitter}
    answer = await it.api.post("/api/v1/schedules", json=body)
    answer.raise_for_status()
    return str(answer.json()["id"])


async def _completed(it: Up, agent: str, count: int) -> list[dict[str, Any]]:
    """The runs of the agent once all have come to their end, or time is up."""
    deadline = time.monotonic() + PATIENCE
    while True:
        runs = await _runs(it, agent)
        if len(runs) >= count or time.monotonic() > deadline:
            return runs
        await asyncio.sleep(2)


async def _runs(it: Up, agent: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    cursor = ""
    while True:
        query = f"status=completed&limit=200{cursor}"
        page = await _get(it, f"/api/v1/agents/{agent}/executions?{query}")
        found += page["executions"]
        if page["next_cursor"] is None:
            return found
        cursor = f"&cursor={page['next_cursor']}"


async def _get(it: Up, path: str) -> dict[str, Any]:
    answer = await it.api.get(path)
    answer.raise_for_status()
    body: dict[str, Any] = answer.json()
    return body


async def _all(items: Iterable[T], work: Callable[[T], Awaitable[R]]) -> list[R]:
    few = asyncio.Semaphore(AT_ONCE)

    async def one(item: T) -> R:
        async with few:
            return await work(item)

    return await asyncio.gather(*map(one, items))


async def _until(moment: datetime) -> None:
    await asyncio.sleep(max(0.0, (moment - datetime.now(UTC)).total_seconds()))  # noqa: TID251


async def _measured(schedules: int, minutes: int, jitter: int) -> Verdict:
    with tempfile.TemporaryDirectory(prefix="omniforge-fires-") as home:
        settings = Settings(home=Path(home), llm_provider="offline", log_level="WARNING")
        async with up(settings) as it:
            return await fires(it, schedules, minutes, jitter)


def main() -> int:
    words = argparse.ArgumentParser(prog="python -m benchmarks.fires", description=__doc__)
    words.add_argument("--schedules", type=int, default=1_000)
    words.add_argument("--minutes", type=int, default=4)
    words.add_argument("--jitter", type=int, default=0, help="seconds; lateness counts after it")
    given = words.parse_args()
    verdict = asyncio.run(_measured(given.schedules, given.minutes, given.jitter))
    print(verdict.report())
    return 0 if verdict.is_reached else 1


if __name__ == "__main__":
    code = main()
    sys.stdout.flush()
    os._exit(code)
