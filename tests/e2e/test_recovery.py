"""Real processes, killed with SIGKILL at bad moments. Nothing is lost and nothing is done twice."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import httpx2
import pytest

from dev.platform import Platform as Processes
from omniforge.settings import Settings
from tests.support.http_service import CountingHttpService
from tests.support.ports import free_port
from tests.support.processes import (
    PATIENCE,
    SIX_STEPS,
    api_of,
    assert_each_step_once,
    ended,
    started,
    steps_of,
    until_steps,
)
from tests.support.requirements import requirement


@pytest.fixture(scope="module")
async def processes(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Processes]:
    settings = Settings(
        _env_file=None,
        home=tmp_path_factory.mktemp("processes"),
        port=free_port(),
        llm_provider="offline",
        offline_pace=0.25,
        http_allow_private=("127.0.0.1",),
        http_timeout_s=4,
    )
    async with Processes.start(settings) as running:
        yield running


@pytest.fixture
async def api(processes: Processes) -> AsyncIterator[httpx2.AsyncClient]:
    async with api_of(processes) as client:
        yield client


@requirement("DUR-1")
async def test_a_killed_worker_costs_no_step(processes: Processes, api: httpx2.AsyncClient) -> None:
    execution = await started(api, SIX_STEPS)
    before = await until_steps(api, execution, 6)

    processes.kill("worker")
    run = await ended(api, execution)
    after = await steps_of(api, execution)

    assert run["result"] == {"log": "1 2 3 4 5 6 "}
    assert_each_step_once(before, after)
    assert {step["attempt"] for step in after} == {1, 2}


@requirement("DUR-1")
async def test_a_killed_api_loses_no_accepted_run_and_watchers_go_on(
    processes: Processes, api: httpx2.AsyncClient
) -> None:
    runs = [await started(api, SIX_STEPS) for _ in range(3)]
    await until_steps(api, runs[0], 3)

    processes.kill("api")
    results = [await ended(api, execution) for execution in runs]
    events = await _events(api, runs[0])

    assert [run["result"] for run in results] == [{"log": "1 2 3 4 5 6 "}] * 3
    assert [event["seq"] for event in events] == list(range(1, len(events) + 1))


@requirement("DUR-1")
async def test_a_killed_temporal_server_loses_nothing(
    processes: Processes, api: httpx2.AsyncClient
) -> None:
    execution = await started(api, SIX_STEPS)
    before = await until_steps(api, execution, 4)

    processes.kill("temporal")
    run = await ended(api, execution)

    assert run["result"] == {"log": "1 2 3 4 5 6 "}
    assert_each_step_once(before, await steps_of(api, execution))


@requirement("DUR-1", "DUR-2")
async def test_a_worker_killed_after_an_effect_arrived_sends_it_again_under_its_key(
    processes: Processes, api: httpx2.AsyncClient
) -> None:
    async with CountingHttpService() as service:
        post = {"url": service.url, "json": {"a": 1}, "idempotency_header": "Idempotency-Key"}
        body = f'1. Post: `http_post {json.dumps(post)}`\n2. Answer: `{{"status": "${{steps.1.status}}"}}`'
        service.hold_next()
        execution = await started(api, body)
        await service.arrived(1)

        processes.kill("worker")
        run = await ended(api, execution)

    assert run["status"] == "completed", run["error"]
    assert len(service.requests) == 2
    assert len(service.commits) == 1


async def _events(api: httpx2.AsyncClient, execution: str) -> list[dict[str, Any]]:
    path = f"/api/v1/executions/{execution}/events"
    async with asyncio.timeout(PATIENCE), api.stream("GET", path) as answer:
        return [
            json.loads(line.removeprefix("data: "))
            async for line in answer.aiter_lines()
            if line.startswith("data: ")
        ]
