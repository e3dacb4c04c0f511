"""A run of three skills that only answer, beside a raw workflow of three activities."""

import asyncio
import statistics
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import httpx2
from temporalio.client import Client

from benchmarks.raw import PAYLOAD, QUEUE, RawRun
from workflows.wire import run_workflow_id

Start = Callable[[], Awaitable[str]]
"""Starts one run and gives its workflow id as soon as the run is accepted."""


@dataclass(frozen=True, slots=True)
class Numbers:
    """Milliseconds at the median of runs one after another, and runs a second of many at once."""

    accepted_to_result_ms: float
    call_to_result_ms: float
    runs_per_second: float


async def measure(temporal: Client, start: Start, sequential: int, at_once: int) -> Numbers:
    for _ in range(10):
        await _one(temporal, start)
    times = [await _one(temporal, start) for _ in range(sequential)]
    return Numbers(
        statistics.median(accepted for accepted, _ in times),
        statistics.median(called for _, called in times),
        await _rate(temporal, start, at_once),
    )


async def _one(temporal: Client, start: Start) -> tuple[float, float]:
    called = time.perf_counter()
    workflow_id = await start()
    accepted = time.perf_counter()
    await _result(temporal, workflow_id)
    ended = time.perf_counter()
    return (ended - accepted) * 1000, (ended - called) * 1000


async def _rate(temporal: Client, start: Start, count: int) -> float:
    async def one() -> None:
        await _result(temporal, await start())

    started = time.perf_counter()
    await asyncio.gather(*(one() for _ in range(count)))
    return count / (time.perf_counter() - started)


async def _result(temporal: Client, workflow_id: str) -> None:
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
