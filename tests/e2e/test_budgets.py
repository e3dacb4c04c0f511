"""Caps through the whole product: they stop runs before a call, and calls wait for each other."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal
from pathlib import Path

import pytest
from pydantic import SecretStr

from dev.platform import Platform as Processes
from omniforge.llm.protocol import Completion, Turn
from omniforge.settings import Settings
from tests.e2e.test_runs import looking_around
from tests.support.model_server import ModelServer
from tests.support.platform import Platform, skill
from tests.support.ports import free_port
from tests.support.processes import api_of, ended, patiently, started, steps_of
from tests.support.requirements import requirement
from tests.support.scripted import answer

# With few tools in its prompt and the longest answer, one call may cost about a cent.
A_TOKEN = "0.000001"
ROOM_FOR_ONE = "0.015"


@asynccontextmanager
async def room_for(platform: Platform, scope: str, subject: str, amount: str) -> AsyncIterator[str]:
    """A day's cap that leaves an amount beside what other tests have spent; its subject."""
    path = f"/api/v1/budgets/{scope}/{subject}/day"
    made = (await platform.api.put(path, json={"cap_usd": "1000"})).json()
    room = Decimal(1000) - Decimal(made["left_usd"]) + Decimal(amount)
    await platform.api.put(path, json={"cap_usd": str(room)})
    yield made["subject"]
    await platform.api.delete(path)


@requirement("BUD-2")
@pytest.mark.parametrize("scope", ["agent", "user", "tenant"])
async def test_a_cap_stops_a_run_before_the_call_that_could_pass_it(
    platform: Platform, scope: str
) -> None:
    platform.model.costs(A_TOKEN).decides(looking_around)
    agent = await platform.agent(
        skill("costly", allowed="list_files"), limits={"max_iterations": 300}
    )

    async with room_for(platform, scope, agent if scope == "agent" else "me", "0.02") as subject:
        run = await platform.ended(await platform.start(agent))
        found = (await platform.api.get("/api/v1/budgets")).json()["budgets"]

    (budget,) = [each for each in found if each["subject"] == subject]
    assert (run["status"], run["error_code"]) == ("failed", "budget_exceeded")
    owner = "the workspace" if scope == "tenant" else f"{scope} {subject}"
    assert f" of {owner} for this day is left" in run["error"]
    assert len(platform.model.asked) > 1
    assert 0 < Decimal(run["cost_usd"]) <= Decimal("0.02")
    assert (budget["reserved_usd"], budget["overrun_usd"]) == ("0", "0")
    assert Decimal(budget["settled_usd"]) <= Decimal(budget["cap_usd"])


@requirement("BUD-2")
async def test_a_run_without_room_for_one_call_makes_none(platform: Platform) -> None:
    platform.model.costs(A_TOKEN).decides(looking_around)
    agent = await platform.agent(skill("costly", allowed="list_files"))

    async with room_for(platform, "agent", agent, "0.005"):
        run = await platform.ended(await platform.start(agent))

    assert (run["error_code"], run["cost_usd"]) == ("budget_exceeded", "0")
    assert platform.model.asked == []


@requirement("BUD-2", "FR-11")
async def test_parallel_skills_under_one_cap_wait_for_each_other(platform: Platform) -> None:
    """There is room for one worst case at a time, and for what all three calls really cost."""
    under_way = most = 0

    async def think(request: Completion) -> Turn:
        nonlocal under_way, most
        under_way += 1
        most = max(most, under_way)
        await asyncio.sleep(0.05)
        under_way -= 1
        return answer('{"done": true}')

    platform.model.costs(A_TOKEN).decides(think)
    skills = [skill(name, allowed="clock") for name in ("left", "middle", "right")]

    run = await platform.run(*skills, limits={"budget_usd": ROOM_FOR_ONE})

    assert (run["status"], run["error"]) == ("completed", None)
    assert most == 1
    assert len(platform.model.asked) == 3


async def test_who_waits_for_money_ends_with_its_own_time(platform: Platform) -> None:
    gate = asyncio.Event()

    async def think(request: Completion) -> Turn:
        await gate.wait()
        return answer("done")

    platform.model.costs(A_TOKEN).decides(think)
    skills = [skill(name, allowed="clock", timeout_s=2) for name in ("left", "right")]

    run = await platform.run(*skills, limits={"budget_usd": ROOM_FOR_ONE})

    assert (run["status"], run["error_code"]) == ("timed_out", "skill_timed_out")
    assert len(platform.model.asked) == 1


@requirement("BUD-2", "DUR-1")
async def test_what_a_killed_worker_had_set_aside_is_settled(tmp_path: Path) -> None:
    async with ModelServer() as model:
        model.hangs()
        model.answers('{"done": true}')
        settings = Settings(
            _env_file=None,
            home=tmp_path,
            port=free_port(),
            llm_provider="anthropic",
            ANTHROPIC_API_KEY=SecretStr("sk-test"),
            ANTHROPIC_BASE_URL=model.url,
        )
        async with Processes.start(settings) as processes, api_of(processes) as api:
            path = "/api/v1/budgets/tenant/me/day"
            await patiently(api, "PUT", path, json={"cap_usd": "10"})
            execution = await started(api, "Say that you are done.")
            async with asyncio.timeout(40):
                while not model.requests:
                    await asyncio.sleep(0.05)
            (held,) = (await patiently(api, "GET", "/api/v1/budgets"))["budgets"]

            processes.kill("worker")
            run = await ended(api, execution)
            (free,) = (await patiently(api, "GET", "/api/v1/budgets"))["budgets"]
            (step,) = [s for s in await steps_of(api, execution) if s["kind"] == "model"]

    assert run["result"] == {"done": True}
    assert (held["settled_usd"], free["reserved_usd"]) == ("0", "0")
    assert step["is_cost_assumed"]
    assert Decimal(held["reserved_usd"]) < Decimal(step["cost_usd"])
    assert Decimal(free["settled_usd"]) == Decimal(step["cost_usd"]) == Decimal(run["cost_usd"])
