"""A run of three skills that only answer, beside the raw workflow."""

import asyncio
import statistics
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from uuid import uuid4

import httpx2
from temporalio.client import Client

from benchmarks.raw import PAYLOAD, QUEUE, RawRun
from workflows.wire import run_workflow_id

Start = Callable[[], Awaitable[None]]

# Enough at a time to keep the server busy, few enough to measure it and not the client.
CONCURRENCY = 100


@dataclass(frozen=True, slots=True)
class Numbers:
    latency_ms: float
    runs_per_second: float


async def measure(one: Start, sequential: int, at_once: int) -> Numbers:
    """Median of runs one after another, and the rate of many at once, from start to result."""
    for _ in range(5):
        await one()
    return Numbers(await _latency(one, sequential), await _rate(one, at_once))


async def _latency(one: Start, count: int) -> float:
    times = []
    for _ in range(count):
        started = time.perf_counter()
        await one()
        times.append((time.perf_counter() - started) * 1000)
    return statistics.median(times)


async def _rate(one: Start, count: int) -> float:
    started = time.perf_counter()
    await asyncio.gather(*(one() for _ in range(count)))
    return count / (time.perf_counter() - started)


def raw_run(temporal: Client) -> Start:
    async def one() -> None:
        await temporal.execute_workflow(RawRun.run, PAYLOAD, id=str(uuid4()), task_queue=QUEUE)

    return one


def our_run(temporal: Client, api: httpx2.AsyncClient, agent_id: str, tenant_id: str) -> Start:
    """Through the API, as a caller starts it; the end is seen where the raw one's end is seen."""

    async def one() -> None:
        response = await api.post(f"/api/v1/agents/{agent_id}/run", json={})
        response.raise_for_status()
        workflow_id = run_workflow_id(tenant_id, response.json()["execution_id"])
        outcome = await temporal.get_workflow_handle(workflow_id).result()
        assert outcome["status"] == "completed", outcome

    return one


def skill_that_answers(name: str, order: int) -> dict[str, object]:
    text = f"---\nname: {name}\ndescription: Answers. Use when measuring.\n---\n\n1. Answer: done\n"
    return {"name": name, "order": order, "files": {"SKILL.md": text}}


async def three_skills(api: httpx2.AsyncClient) -> str:
    """An agent of three skills that do nothing but answer; its id."""
    skills = [skill_that_answers(f"skill-{n}", n) for n in (1, 2, 3)]
    body = {"name": "bench", "status": "active", "skills": skills}
    response = await api.post("/api/v1/agents", json=body)
    response.raise_for_status()
    return str(response.json()["id"])
