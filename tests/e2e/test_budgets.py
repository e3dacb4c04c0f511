"""Caps through the whole product: they stop runs before a call, and calls wait for each other."""

import asyncio
from decimal import Decimal
from pathlib import Path

import pytest
from pydantic import SecretStr

from dev.platform import Platform as Processes
from omniforge.llm.protocol import Completion, Turn
from omniforge.settings import Settings
from tests.e2e.spending import (
    A_TOKEN,
    after_looking,
    cancel,
    parked,
    room_for,
)
from tests.e2e.test_runs import looking_around
from tests.support.model_server import ModelServer
from tests.support.platform import FINAL, Platform, skill
from tests.support.ports import free_port
from tests.support.processes import api_of, ended, patiently, started, steps_of, until
from tests.support.requirements import requirement
from tests.support.scripted import answer

ROOM_FOR_ONE = "0.015"


@requirement("BUD-2", "BUD-3")
@pytest.mark.parametrize("scope", ["agent", "user", "tenant"])
async def test_a_run_waits_before_the_call_that_could_pass_a_cap_and_goes_on_when_that_is_cleared(
    platform: Platform, scope: str
) -> None:
    platform.model.costs(A_TOKEN).decides(after_looking(40))
    agent = await platform.agent(
        skill("costly", allowed="list_files"), limits={"max_iterations": 300}
    )

    async with room_for(platform, scope, agent if scope == "agent" else "me", "0.02") as subject:
        execution = await platform.start(agent)
        run = await parked(platform, execution)
        found = (await platform.api.get("/api/v1/budgets")).json()["budgets"]
        asked = len(platform.model.asked)

    ended = await platform.ended(execution)
    (budget,) = [each for each in found if each["subject"] == subject]
    (wait,) = run["waits"]
    owner = "the workspace" if scope == "tenant" else f"{scope} {subject}"
    whose = "" if scope == "tenant" else f" --{scope} {subject}"
    assert f" of {owner} for this day is left" in wait["question"]
    assert f"omniforge budgets set USD{whose} --per day" in wait["question"]
    assert "goes on when a new day begins" in wait["question"]
    assert (budget["reserved_usd"], budget["overrun_usd"]) == ("0", "0")
    assert 0 < Decimal(budget["settled_usd"]) <= Decimal(budget["cap_usd"])
    assert 1 < asked < len(platform.model.asked) == 41
    assert (ended["status"], ended["error"]) == ("completed", None)


@requirement("BUD-2")
async def test_a_run_without_room_for_one_call_makes_none(platform: Platform) -> None:
    platform.model.costs(A_TOKEN).decides(looking_around)
    agent = await platform.agent(skill("costly", allowed="list_files"))

    async with room_for(platform, "agent", agent, "0.005"):
        run = await parked(platform, execution := await platform.start(agent))
        assert (await cancel(platform, execution))["status"] == "cancelled"

    assert run["cost_usd"] == "0"
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


def asking(model: ModelServer, home: Path) -> Settings:
    """Of a platform in processes of its own, whose models cost money."""
    return Settings(
        _env_file=None,
        home=home,
        port=free_port(),
        llm_provider="anthropic",
        ANTHROPIC_API_KEY=SecretStr("sk-test"),
        ANTHROPIC_BASE_URL=model.url,
    )


@pytest.mark.long
@requirement("BUD-2", "DUR-1")
async def test_what_a_killed_worker_had_set_aside_is_settled(tmp_path: Path) -> None:
    async with ModelServer() as model:
        model.hangs()
        model.answers('{"done": true}')
        async with Processes.start(asking(model, tmp_path)) as processes, api_of(processes) as api:
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


@pytest.mark.long
@requirement("BUD-3", "DUR-1")
async def test_a_run_that_waits_for_money_outlives_its_worker_and_a_raise_meanwhile(
    tmp_path: Path,
) -> None:
    async with ModelServer() as model:
        model.answers('{"done": true}')
        async with Processes.start(asking(model, tmp_path)) as processes, api_of(processes) as api:
            limits = {"budget_usd": "0.000001"}
            execution = await started(api, "Say that you are done.", limits=limits)
            waiting = await until(api, execution, {"waiting", *FINAL})
            processes.kill("worker")
            path = f"/api/v1/executions/{execution}/budget"
            raising = asyncio.create_task(patiently(api, "POST", path, json={"budget_usd": "9"}))
            await asyncio.sleep(0)
            processes.kill("worker")
            await raising
            run = await ended(api, execution)

    assert waiting["waiting_for"] == "budget"
    assert (run["result"], len(model.requests)) == ({"done": True}, 1)
