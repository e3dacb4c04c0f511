"""The platform as processes of its own, for tests that kill them: how it is talked to meanwhile."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

import httpx2

from dev.platform import Platform as Processes
from tests.support.platform import FINAL, skill

PATIENCE = 60.0

SIX_STEPS = "\n".join(
    [
        *(
            f'{n}. Note: `write_file {{"path": "log.txt", "mode": "append", "content": "{n} "}}`'
            for n in range(1, 7)
        ),
        '7. Read: `read_file {"path": "log.txt"}`',
        '8. Answer: `{"log": "${steps.7.content}"}`',
    ]
)
"""A skill for the offline model that writes a file in six steps and answers with it."""


@contextlib.asynccontextmanager
async def api_of(processes: Processes) -> AsyncIterator[httpx2.AsyncClient]:
    headers = {"Authorization": f"Bearer {processes.credentials.api_key}"}
    async with httpx2.AsyncClient(
        base_url=processes.api_url, headers=headers, timeout=10
    ) as client:
        yield client


async def patiently(client: httpx2.AsyncClient, method: str, path: str, **more: Any) -> Any:
    """The JSON of an answer, asked for until the API is there again."""
    async with asyncio.timeout(PATIENCE):
        while True:
            try:
                answer = await client.request(method, path, **more)
                if answer.status_code < 500:
                    return answer.json()
            except httpx2.TransportError:
                pass
            await asyncio.sleep(0.1)


async def started(
    api: httpx2.AsyncClient,
    one: str | dict[str, Any],
    input_data: dict[str, Any] | None = None,
    **more: Any,
) -> str:
    """Start an agent of one skill, given whole or by its body; the run's id."""
    made = skill("one", one) if isinstance(one, str) else one
    agent = {"name": "survivor", "status": "active", "skills": [made], **more}
    created = await patiently(api, "POST", "/api/v1/agents", json=agent)
    path = f"/api/v1/agents/{created['id']}/run"
    run = await patiently(api, "POST", path, json={"input_data": input_data or {}})
    return str(run["execution_id"])


async def steps_of(api: httpx2.AsyncClient, execution: str) -> list[dict[str, Any]]:
    answer = await patiently(api, "GET", f"/api/v1/executions/{execution}/steps")
    steps: list[dict[str, Any]] = answer["steps"]
    return steps


async def until_steps(api: httpx2.AsyncClient, execution: str, count: int) -> list[dict[str, Any]]:
    async with asyncio.timeout(PATIENCE):
        while len(steps := await steps_of(api, execution)) < count:
            await asyncio.sleep(0.05)
    return steps


async def until(api: httpx2.AsyncClient, execution: str, statuses: set[str]) -> dict[str, Any]:
    async with asyncio.timeout(PATIENCE):
        while True:
            run: dict[str, Any] = await patiently(api, "GET", f"/api/v1/executions/{execution}")
            if run["status"] in statuses:
                return run
            await asyncio.sleep(0.1)


async def ended(api: httpx2.AsyncClient, execution: str) -> dict[str, Any]:
    return await until(api, execution, FINAL)


def assert_each_step_once(before: list[dict[str, Any]], after: list[dict[str, Any]]) -> None:
    numbers = [step["step"] for step in after]
    assert numbers == list(range(len(after)))
    settled = [step for step in before if step["status"] in {"confirmed", "failed"}]
    assert after[: len(settled)] == settled
