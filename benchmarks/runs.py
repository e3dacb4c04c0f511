"""A run of three skills that only answer, beside a raw workflow of three activities."""

import asyncio
import statistics
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import httpx2
from temporalio.client import Client

from benchmarks.raw import PAYLOAD, QUEUE, RawRun, RawSeconds
from workflows.attributes import run_workflow_id

Start = Callable[[], Awaitable[str]]
"""Starts one run and gives its workflow id as soon as the run is accepted."""


@dataclass(frozen=True, slots=True)
class Latency:
    """Milliseconds at the median: from the accepted start, and from the call that asked for it."""

    accepted_to_result: float
    call_to_result: float


async def latencies(temporal: Client, a: Start, b: Start, count: int) -> tuple[Latency, Latency]:
    """Two ways of running in turn, A B A B, so that a neighbour's load falls on both alike."""
    for start in (a, b) * 10:
        await _one(temporal, start)
    pairs = [(await _one(temporal, a), await _one(temporal, b)) for _ in range(count)]
    first, second = zip(*pairs, strict=True)
    return _median(first), _median(second)


def _median(times: Sequence[tuple[float, float]]) -> Latency:
    return Latency(
        statistics.median(accepted for accepted, _ in times),
        statistics.median(called for _, called in times),
    )


async def _one(temporal: Client, start: Start) -> tuple[float, float]:
    called = time.perf_counter()
    workflow_id = await start()
    accepted = time.perf_counter()
    await result(temporal, workflow_id)
    ended = time.perf_counter()
    return (ended - accepted) * 1000, (ended - called) * 1000


async def rate(temporal: Client, start: Start, count: int) -> float:
    """Runs a second, of many started at once."""

    async def one() -> None:
        await result(temporal, await start())

    started = time.perf_counter()
    await asyncio.gather(*(one() for _ in range(count)))
    return count / (time.perf_counter() - started)


async def result(temporal: Client, workflow_id: str) -> None:
    """Wait for the end of a workflow, which has to be a good one."""
    result: Any = await temporal.get_workflow_handle(workflow_id).result()
    if isinstance(result, dict) and result["status"] != "completed":
        raise RuntimeError(f"{workflow_id} ended as {result}")


def raw_start(temporal: Client) -> Start:
    async def start() -> str:
        handle = await temporal.start_workflow(
            RawRun.run, PAYLOAD, id=str(uuid4()), task_queue=QUEUE
        )
        return handle.id

    return start


def raw_seconds_start(temporal: Client, turns: Sequence[int]) -> Start:
    """Turns of activities of a second: how many side by side in each."""

    async def start() -> str:
        handle = await temporal.start_workflow(
            RawSeconds.run, list(turns), id=str(uuid4()), task_queue=QUEUE
        )
        return handle.id

    return start


def our_start(api: httpx2.AsyncClient, agent_id: str, tenant_id: str) -> Start:
    """Through the HTTP API, as a caller starts it."""

    async def start() -> str:
        response = await api.post(f"/api/v1/agents/{agent_id}/run", json={})
        response.raise_for_status()
        return run_workflow_id(tenant_id, response.json()["execution_id"])

    return start


def skill(name: str, order: int, steps: str = "1. Answer: done") -> dict[str, object]:
    text = f"---\nname: {name}\ndescription: Answers. Use when measuring.\n---\n\n{steps}\n"
    return {"name": name, "order": order, "files": {"SKILL.md": text}}


async def create_agent(api: httpx2.AsyncClient, *skills: dict[str, object], **more: object) -> str:
    """An active agent; its id."""
    body = {"name": "bench", "status": "active", "skills": list(skills), **more}
    response = await api.post("/api/v1/agents", json=body)
    response.raise_for_status()
    return str(response.json()["id"])
