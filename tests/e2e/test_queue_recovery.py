"""Real processes, killed while runs are queued. No run is lost, and no more begin than may."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import httpx2
import pytest

from dev.platform import Platform as Processes
from omniforge.settings import Settings
from tests.support.platform import skill
from tests.support.ports import free_port
from tests.support.processes import api_of, ended, patiently, until
from tests.support.requirements import requirement

CAP, RUNS = 2, 8
THREE_STEPS = "\n".join(
    [
        *(f'{n}. Note: `write_file {{"path": "{n}", "content": ""}}`' for n in (1, 2)),
        "3. Answer: done",
    ]
)

pytestmark = pytest.mark.long


@pytest.fixture(scope="module")
async def processes(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Processes]:
    settings = Settings(
        _env_file=None,
        home=tmp_path_factory.mktemp("queued"),
        port=free_port(),
        llm_provider="offline",
        offline_pace=0.3,
        max_concurrent_runs=CAP,
    )
    async with Processes.start(settings) as running:
        yield running


@pytest.fixture
async def api(processes: Processes) -> AsyncIterator[httpx2.AsyncClient]:
    async with api_of(processes) as client:
        yield client


async def started(api: httpx2.AsyncClient) -> list[str]:
    """More runs than may be under way."""
    agent = {"name": "queued", "status": "active", "skills": [skill("one", THREE_STEPS)]}
    created = await patiently(api, "POST", "/api/v1/agents", json=agent)
    path = f"/api/v1/agents/{created['id']}/run"
    answers = [await patiently(api, "POST", path, json={}) for _ in range(RUNS)]
    return [answer["execution_id"] for answer in answers]


def most_at_once(runs: list[dict[str, Any]]) -> int:
    """How many were between their beginning and their end at the same moment."""
    spans = [(run["started_at"], run["completed_at"]) for run in runs]
    counts: list[int] = [
        sum(begun <= moment < done for begun, done in spans) for moment, _ in spans
    ]
    return max(counts)


@requirement("NFR-5", "DUR-1")
@pytest.mark.parametrize("victim", ["worker", "api", "temporal"])
async def test_a_process_killed_while_runs_are_queued_costs_none_of_them(
    processes: Processes, api: httpx2.AsyncClient, victim: str
) -> None:
    executions = await started(api)
    await until(api, executions[-1], {"queued"})

    processes.kill(victim)
    runs = await asyncio.gather(*(ended(api, execution) for execution in executions))

    assert {run["status"] for run in runs} == {"completed"}
    assert most_at_once(runs) <= CAP
