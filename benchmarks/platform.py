"""What the processes cost by themselves: start, memory, recovery, the size of a history."""

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
from temporalio.client import Client

from benchmarks.runs import create_agent, skill
from dev.platform import Platform
from omniforge.settings import Settings
from workflows.attributes import run_workflow_id
from workflows.wire import connect

PATIENCE = 60.0


@dataclass(frozen=True, slots=True)
class Up:
    """A platform that is up, its HTTP API, and its Temporal server: as we use it, and plainly."""

    platform: Platform
    api: httpx2.AsyncClient
    temporal: Client
    raw: Client


@asynccontextmanager
async def up(settings: Settings) -> AsyncIterator[Up]:
    """Everything up until the block ends; what this process starts meanwhile uses its server, too."""
    async with (
        Platform.start(settings) as platform,
        caller(platform.api_url, platform.credentials.api_key) as api,
    ):
        os.environ["TEMPORAL_ADDRESS"] = platform.temporal_address  # noqa: TID251 - for the SDK
        try:
            yield Up(platform, api, await connect(platform.settings.key_ring), await connect())
        finally:
            del os.environ["TEMPORAL_ADDRESS"]  # noqa: TID251


def caller(url: str, key: str) -> httpx2.AsyncClient:
    return httpx2.AsyncClient(
        base_url=url,
        headers={"Authorization": f"Bearer {key}"},
        timeout=120,
        limits=httpx2.Limits(max_connections=100),
    )


def resident_mb(pid: int) -> float:
    """Memory of a process in MB (Linux)."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    raise RuntimeError(f"/proc/{pid}/status has no VmRSS")


def help_seconds() -> float:
    """`omniforge --help`, the best of five."""
    program = str(Path(sys.executable).with_name("omniforge"))
    times = []
    for _ in range(5):
        started = time.perf_counter()
        subprocess.run([program, "--help"], check=True, capture_output=True)
        times.append(time.perf_counter() - started)
    return min(times)


async def history_kb(
    platform: Platform, api: httpx2.AsyncClient, temporal: Client, calls: int = 100
) -> float:
    """The history of a run with that many model calls and over 1,000 tokens of transcript for each.

    Each call writes 2,700 characters into a file, so both the call and its text pass the model again.
    """
    line = "word " * 540
    steps = "\n".join(
        f'{n}. Note: `write_file {{"path": "{n % 90}.txt", "content": "{line}"}}`'
        for n in range(1, calls)
    )
    agent = await create_agent(
        api, skill("long", 1, f"{steps}\n{calls}. Answer: done"), limits={"max_iterations": 500}
    )
    execution = await _start(api, agent)
    run = await _ended(api, execution)
    if run["status"] != "completed":
        raise RuntimeError(f"the long run ended as {run['status']}: {run['error']}")
    workflow_id = run_workflow_id(platform.credentials.tenant_id, execution)
    history = await temporal.get_workflow_handle(workflow_id).fetch_history()
    return sum(event.ByteSize() for event in history.events) / 1024


async def recovery_seconds(platform: Platform, api: httpx2.AsyncClient, part: str) -> float:
    """From the SIGKILL of worker or API to the next recorded step of a run under way."""
    execution = await _busy_run(api)
    platform.kill(part)
    killed = time.perf_counter()
    await asyncio.sleep(0.05)  # what was on its way into the database has arrived
    before = len((await _get(api, f"/api/v1/executions/{execution}/steps"))["steps"])
    await _more_steps(api, execution, before)
    recovered = time.perf_counter() - killed
    await api.post(f"/api/v1/executions/{execution}/cancel")
    await _ended(api, execution)
    return recovered


async def outage_seconds(platform: Platform, api: httpx2.AsyncClient) -> float:
    """From the SIGKILL of the Temporal server to the completed end of the run under way."""
    execution = await _busy_run(api)
    platform.kill("temporal")
    killed = time.perf_counter()
    run = await _ended(api, execution)
    if run["status"] != "completed":
        raise RuntimeError(f"the run ended as {run['status']}: {run['error']}")
    return time.perf_counter() - killed


async def _busy_run(api: httpx2.AsyncClient) -> str:
    """A run in the middle of 900 steps."""
    steps = "\n".join(
        f'{n}. Note: `write_file {{"path": "{n % 20}.txt", "content": "{n}"}}`'
        for n in range(1, 450)
    )
    agent = await create_agent(api, skill("busy", 1, steps), limits={"max_iterations": 500})
    execution = await _start(api, agent)
    await _more_steps(api, execution, 3)
    return execution


async def _more_steps(api: httpx2.AsyncClient, execution: str, than: int) -> int:
    """Wait until a run has recorded more steps than that; how many it has."""
    async with asyncio.timeout(PATIENCE):
        while True:
            steps = (await _get(api, f"/api/v1/executions/{execution}/steps"))["steps"]
            if len(steps) > than:
                return len(steps)
            await asyncio.sleep(0.02)


async def _start(api: httpx2.AsyncClient, agent: str) -> str:
    response = await api.post(f"/api/v1/agents/{agent}/run", json={})
    response.raise_for_status()
    return str(response.json()["execution_id"])


async def _ended(api: httpx2.AsyncClient, execution: str) -> Any:
    async with asyncio.timeout(PATIENCE):
        while True:
            run = await _get(api, f"/api/v1/executions/{execution}")
            if run["completed_at"] is not None:
                return run
            await asyncio.sleep(0.05)


async def _get(api: httpx2.AsyncClient, path: str) -> Any:
    """The JSON at a path, asked for again while the API is away."""
    async with asyncio.timeout(PATIENCE):
        while True:
            try:
                return (await api.get(path)).raise_for_status().json()
            except httpx2.HTTPError:
                await asyncio.sleep(0.05)
