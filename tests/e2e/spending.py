"""Runs that cost money, and what tests do with their caps."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import Any

from httpx2 import Response

from omniforge.llm.protocol import Completion, Turn
from tests.e2e.test_runs import looking_around
from tests.support.platform import FINAL, Platform, skill
from tests.support.scripted import answer

# With few tools in its prompt and the longest answer, one call may cost about a cent.
A_TOKEN = "0.000001"


@asynccontextmanager
async def room_for(platform: Platform, scope: str, subject: str, amount: str) -> AsyncIterator[str]:
    """A day's cap that leaves an amount beside what other tests have spent; its subject."""
    path = f"/api/v1/budgets/{scope}/{subject}/day"
    made = (await platform.api.put(path, json={"cap_usd": "1000"})).json()
    room = Decimal(1000) - Decimal(made["left_usd"]) + Decimal(amount)
    await platform.api.put(path, json={"cap_usd": str(room)})
    yield made["subject"]
    await platform.api.delete(path)


def after_looking(times: int) -> Callable[[Completion], Turn]:
    """A model that looks around so often, and then is done."""

    def decide(request: Completion) -> Turn:
        has_looked = sum(bool(message.calls) for message in request.messages)
        return looking_around(request) if has_looked < times else answer('{"done": true}')

    return decide


async def costly(platform: Platform, cap: str) -> str:
    limits = {"budget_usd": cap, "max_iterations": 300}
    return await platform.agent(skill("costly", allowed="list_files"), limits=limits)


async def parked(platform: Platform, execution: str) -> dict[str, Any]:
    run = await platform.until(execution, {"waiting", *FINAL})
    assert (run["status"], run["waiting_for"]) == ("waiting", "budget"), run
    return run


async def raise_budget(platform: Platform, execution: str, amount: str) -> Response:
    path = f"/api/v1/executions/{execution}/budget"
    return await platform.api.post(path, json={"budget_usd": amount})


async def cancel(platform: Platform, execution: str) -> dict[str, Any]:
    await platform.api.post(f"/api/v1/executions/{execution}/cancel")
    return await platform.ended(execution)


async def told(platform: Platform, execution: str, kind: str) -> list[dict[str, Any]]:
    """The events of a kind, of a run that has ended."""
    bodies = [event["body"] for event in await platform.events(execution)]
    return [body for body in bodies if body["type"] == kind]


async def held_at(gate: asyncio.Event) -> Turn:
    await gate.wait()
    return answer("{}")
