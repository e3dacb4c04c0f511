"""Workers killed with SIGKILL while somebody controls a run: it ends as if nobody had been killed."""

import asyncio
import random
from collections.abc import AsyncIterator
from typing import Any

import httpx2
import pytest

from dev.platform import Platform as Processes
from omniforge.settings import Settings
from tests.support.platform import FINAL
from tests.support.ports import free_port
from tests.support.processes import (
    PATIENCE,
    SIX_STEPS,
    api_of,
    assert_each_step_once,
    ended,
    patiently,
    started,
    steps_of,
    until_steps,
)
from tests.support.requirements import requirement

ALL = {"log": "1 2 3 4 5 6 "}


@pytest.fixture(scope="module")
async def processes(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Processes]:
    settings = Settings(
        _env_file=None,
        home=tmp_path_factory.mktemp("processes"),
        port=free_port(),
        llm_provider="offline",
        offline_pace=0.25,
    )
    async with Processes.start(settings) as running:
        yield running


@pytest.fixture
async def api(processes: Processes) -> AsyncIterator[httpx2.AsyncClient]:
    async with api_of(processes) as client:
        yield client


async def told(api: httpx2.AsyncClient, execution: str, what: str, **body: Any) -> dict[str, Any]:
    answer = await api.post(f"/api/v1/executions/{execution}/{what}", json=body, timeout=30)
    assert answer.status_code in {200, 202}, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def paused(api: httpx2.AsyncClient, execution: str) -> None:
    async with asyncio.timeout(PATIENCE):
        while True:
            run = await patiently(api, "GET", f"/api/v1/executions/{execution}")
            if run["waiting_for"] == "pause":
                return
            await asyncio.sleep(0.05)


@pytest.mark.long
@requirement("DUR-1", "DUR-3")
async def test_a_worker_killed_right_after_a_pause_was_accepted(
    processes: Processes, api: httpx2.AsyncClient
) -> None:
    execution = await started(api, SIX_STEPS)
    before = await until_steps(api, execution, 4)

    await told(api, execution, "pause")
    processes.kill("worker")
    await paused(api, execution)
    held = await steps_of(api, execution)
    await told(api, execution, "resume")
    run = await ended(api, execution)

    assert run["result"] == ALL
    assert len(held) <= len(before) + 2
    assert_each_step_once(held, await steps_of(api, execution))


@pytest.mark.long
@requirement("DUR-1", "DUR-3")
async def test_a_worker_killed_while_a_run_is_paused(
    processes: Processes, api: httpx2.AsyncClient
) -> None:
    execution = await started(api, SIX_STEPS)
    await until_steps(api, execution, 4)
    await told(api, execution, "pause")
    await paused(api, execution)
    held = await steps_of(api, execution)

    processes.kill("worker")
    await told(api, execution, "resume")
    run = await ended(api, execution)

    assert run["result"] == ALL
    assert_each_step_once(held, await steps_of(api, execution))


@pytest.mark.long
@requirement("DUR-1", "DUR-3")
async def test_a_worker_killed_right_after_a_message_was_taken_in(
    processes: Processes, api: httpx2.AsyncClient
) -> None:
    execution = await started(api, SIX_STEPS)
    await until_steps(api, execution, 3)
    await told(api, execution, "steer", message="mind the gap", message_id="m1")
    async with asyncio.timeout(PATIENCE):
        while not any(step["kind"] == "message" for step in await steps_of(api, execution)):
            await asyncio.sleep(0.02)

    processes.kill("worker")
    await told(api, execution, "steer", message="mind the gap", message_id="m1")
    run = await ended(api, execution)
    after = await steps_of(api, execution)

    assert run["result"] == ALL
    assert [step["answer"]["text"] for step in after if step["kind"] == "message"] == [
        "mind the gap"
    ]
    assert_each_step_once([], after)


@pytest.mark.long
@requirement("DUR-1", "DUR-3")
async def test_a_worker_killed_in_the_middle_of_a_retry(
    processes: Processes, api: httpx2.AsyncClient
) -> None:
    execution = await started(api, SIX_STEPS)
    await until_steps(api, execution, 5)
    await told(api, execution, "interrupt")
    stopped = await ended(api, execution)
    before = await steps_of(api, execution)

    await told(api, execution, "retry")
    async with asyncio.timeout(PATIENCE):
        while not any(step["generation"] for step in await steps_of(api, execution)):
            await asyncio.sleep(0.02)
    processes.kill("worker")
    run = await ended(api, execution)

    assert stopped["error_code"] == "interrupted"
    assert run["result"] == ALL
    assert_each_step_once(before, await steps_of(api, execution))
    assert {step["generation"] for step in await steps_of(api, execution)} == {0, 1}


@pytest.mark.long
@requirement("DUR-1", "DUR-3")
@pytest.mark.parametrize("seed", range(2))
async def test_whatever_is_asked_and_killed_the_run_comes_to_the_same(
    processes: Processes, api: httpx2.AsyncClient, seed: int
) -> None:
    dice = random.Random(seed)  # noqa: S311 - makes up tests
    execution, said = await started(api, SIX_STEPS), list[str]()
    asked = ["pause", "resume", "steer", "steer", "interrupt", "retry", "kill"]
    for _ in range(8):
        if (what := dice.choice(asked)) == "kill":
            processes.kill("worker")
        elif await obeyed(api, execution, what, f"word {len(said)}") and what == "steer":
            said.append(f"word {len(said)}")
        await asyncio.sleep(dice.random() / 2)
    async with asyncio.timeout(PATIENCE):
        while (run := await run_of(api, execution))["status"] != "completed":
            if run["status"] in FINAL or run["wish"]:
                await obeyed(api, execution, "resume" if run["wish"] else "retry")
            await asyncio.sleep(0.1)
    after = await steps_of(api, execution)

    assert run["result"] == ALL
    assert [step["answer"]["text"] for step in after if step["kind"] == "message"] == said
    assert_each_step_once([], after)


async def run_of(api: httpx2.AsyncClient, execution: str) -> dict[str, Any]:
    run: dict[str, Any] = await patiently(api, "GET", f"/api/v1/executions/{execution}")
    return run


async def obeyed(api: httpx2.AsyncClient, execution: str, what: str, message: str = "") -> bool:
    """Whether the run did it; asked again as long as no worker answers."""
    body = {"message": message, "message_id": message} if what == "steer" else {}
    path = f"/api/v1/executions/{execution}/{what}"
    async with asyncio.timeout(PATIENCE):
        while (answer := await api.post(path, json=body, timeout=30)).status_code == 503:
            pass
    assert answer.status_code in {200, 202, 409}, answer.text
    return answer.status_code != 409
