"""What the tests of control do again and again."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from omniforge.llm.protocol import Completion
from tests.support.platform import PATIENCE, Platform
from tests.support.scripted import Reply, answer, calling


async def told(platform: Platform, execution: str, what: str, **body: Any) -> dict[str, Any]:
    """The answer to something that was asked of a run."""
    response = await platform.api.post(f"/api/v1/executions/{execution}/{what}", json=body)
    assert response.status_code in {200, 202}, response.text
    found: dict[str, Any] = response.json()
    return found


async def refused(platform: Platform, execution: str, what: str, **body: Any) -> tuple[int, str]:
    response = await platform.api.post(f"/api/v1/executions/{execution}/{what}", json=body)
    problem = response.json()
    assert problem["detail"].endswith("."), problem
    return response.status_code, problem["code"]


async def paused(platform: Platform, execution: str) -> dict[str, Any]:
    """A run, once the steps under way have ended."""
    async with asyncio.timeout(PATIENCE):
        while (run := await platform.execution(execution))["waiting_for"] != "pause":
            await asyncio.sleep(0.02)
    return run


async def hears(platform: Platform, execution: str, wish: str) -> None:
    """Wait until a run knows what is wished of it: a child hears it some moments after its parent."""
    async with asyncio.timeout(PATIENCE):
        while (await platform.execution(execution))["wish"] != wish:
            await asyncio.sleep(0.02)


async def bodies(platform: Platform, execution: str, kind: str) -> list[dict[str, Any]]:
    events = [event["body"] for event in await platform.events(execution)]
    return [body for body in events if body["type"] == kind]


class Gate:
    """A model whose turns wait to be let through, so that a test acts while one is under way."""

    def __init__(self, decide: Callable[[Completion], Reply]) -> None:
        self._decide = decide
        self._open = asyncio.Event()
        self.asked = asyncio.Semaphore(0)

    def __call__(self, request: Completion) -> Awaitable[Reply]:
        return self._reply(request)

    async def _reply(self, request: Completion) -> Reply:
        self.asked.release()
        await self._open.wait()
        return self._decide(request)

    async def is_asked(self, times: int = 1) -> None:
        async with asyncio.timeout(PATIENCE):
            for _ in range(times):
                await self.asked.acquire()

    def open(self) -> None:
        self._open.set()


def turns_of(request: Completion) -> int:
    return sum(message.author == "assistant" for message in request.messages)


def writing(count: int) -> Callable[[Completion], Reply]:
    """A model that writes a line to a file in each of its turns, and then answers."""

    def decide(request: Completion) -> Reply:
        said = turns_of(request)
        if said >= count:
            return answer('{"lines": ' + str(count) + "}")
        line = {"path": "log.txt", "mode": "append", "content": f"{said} "}
        return calling(("write_file", line))

    return decide
