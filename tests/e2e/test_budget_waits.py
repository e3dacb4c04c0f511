"""Runs that are short of money: they wait, tell who can help, and go on."""

import asyncio
import re
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from api.launch import Launch
from api.reconciler import Reconciler
from omniforge import clock
from omniforge.agents.budgets import Period, Scope
from omniforge.agents.runs import TokenUsage
from omniforge.llm.protocol import Completion, Turn
from tests.e2e.spending import (
    A_TOKEN,
    after_looking,
    cancel,
    costly,
    held_at,
    parked,
    raise_budget,
    room_for,
    told,
)
from tests.e2e.test_runs import looking_around
from tests.support.platform import PATIENCE, Platform, skill
from tests.support.requirements import requirement
from tests.support.scripted import answer


@requirement("BUD-3")
async def test_a_run_that_has_used_up_its_budget_asks_and_goes_on_when_it_is_raised(
    platform: Platform,
) -> None:
    platform.model.costs(A_TOKEN).decides(after_looking(30))
    execution = await platform.start(await costly(platform, "0.02"))
    run = await parked(platform, execution)

    raised = await raise_budget(platform, execution, "5")
    ended = await platform.ended(execution)
    told = await platform.events(execution)

    (wait,) = run["waits"]
    assert re.search(
        r"up to \$0.01\d*; \$0.0\d* of the \$0.02 of this run is left", wait["question"]
    )
    assert f"omniforge runs raise {execution} --budget-usd USD" in wait["question"]
    assert (raised.status_code, raised.json()["cap_usd"]) == (200, "5")
    assert (ended["status"], ended["error"]) == ("completed", None)
    types = [event["body"]["type"] for event in told]
    assert (types.count("skill_waiting"), types.count("budget_raised")) == (1, 1)
    assert "budget_warning" not in types
    approvals = (await platform.api.get("/api/v1/approvals?open=false")).json()["approvals"]
    assert execution not in [each["execution_id"] for each in approvals]


@requirement("BUD-3")
async def test_a_raise_that_does_not_suffice_is_taken_and_asks_nothing_again(
    platform: Platform,
) -> None:
    platform.model.costs(A_TOKEN).decides(after_looking(30))
    execution = await platform.start(await costly(platform, "0.001"))
    await parked(platform, execution)

    little = await raise_budget(platform, execution, "0.002")
    still = await platform.execution(execution)
    await raise_budget(platform, execution, "5")
    await platform.ended(execution)

    types = [event["body"]["type"] for event in await platform.events(execution)]
    assert (little.status_code, still["waiting_for"]) == (200, "budget")
    assert (types.count("skill_waiting"), types.count("skill_resumed")) == (1, 1)


@pytest.mark.parametrize(
    ("amount", "status", "code"),
    [
        ("0.02", 409, "budget_not_raised"),
        ("0.01", 409, "budget_not_raised"),
        ("0", 409, "budget_not_raised"),
        ("-1", 422, "malformed_request"),
        ("100001", 422, "malformed_request"),
        ("NaN", 422, "malformed_request"),
    ],
)
async def test_what_is_no_raise_is_refused_and_changes_nothing(
    platform: Platform, amount: str, status: int, code: str
) -> None:
    platform.model.costs(A_TOKEN).decides(looking_around)
    execution = await platform.start(await costly(platform, "0.02"))
    await parked(platform, execution)

    refused = await raise_budget(platform, execution, amount)

    assert (refused.status_code, refused.json()["code"]) == (status, code)
    assert (await platform.execution(execution))["waiting_for"] == "budget"
    await cancel(platform, execution)
    late = await raise_budget(platform, execution, "5")
    assert (late.status_code, late.json()["code"]) == (409, "run_finished")


async def test_a_run_without_a_cap_has_none_to_raise(platform: Platform) -> None:
    gate = asyncio.Event()
    platform.model.decides(lambda _: held_at(gate))
    execution = await platform.start(await platform.agent(skill("free")))
    await platform.until(execution, {"running"})

    refused = await raise_budget(platform, execution, "5")
    gate.set()

    assert (refused.status_code, refused.json()["code"]) == (409, "budget_not_raised")
    assert "no cap of its own" in refused.json()["detail"]
    await platform.ended(execution)


async def test_of_two_who_raise_at_once_each_is_told_what_became_of_it(platform: Platform) -> None:
    platform.model.costs(A_TOKEN).decides(after_looking(30))
    execution = await platform.start(await costly(platform, "0.001"))
    await parked(platform, execution)

    answers = await asyncio.gather(*(raise_budget(platform, execution, "0.002") for _ in range(4)))

    statuses = sorted(each.status_code for each in answers)
    assert statuses == [200, 409, 409, 409]
    await raise_budget(platform, execution, "5")
    types = [event["body"]["type"] for event in await platform.events(execution)]
    assert types.count("budget_raised") == 2


@requirement("BUD-3")
async def test_an_agents_budget_for_the_day_is_raised_for_all_its_runs(platform: Platform) -> None:
    platform.model.costs(A_TOKEN).decides(after_looking(8))
    agent = await platform.agent(skill("costly", allowed="list_files"))

    async with room_for(platform, "agent", agent, "0.001"):
        runs = [await platform.start(agent) for _ in range(2)]
        for run in runs:
            await parked(platform, run)
        path = f"/api/v1/budgets/agent/{agent}/day"
        await platform.api.put(path, json={"cap_usd": "1000"})
        ended = [await platform.ended(run) for run in runs]

    assert [run["status"] for run in ended] == ["completed", "completed"]


@requirement("BUD-3")
async def test_parallel_skills_wait_for_money_side_by_side_and_all_go_on(
    platform: Platform,
) -> None:
    platform.model.costs(A_TOKEN).answers("{}").answers("{}").answers("{}")
    skills = [skill(name, allowed="clock") for name in ("left", "middle", "right")]
    execution = await platform.start(await platform.agent(*skills, limits={"budget_usd": "0.001"}))
    async with asyncio.timeout(PATIENCE):
        while len((run := await parked(platform, execution))["waits"]) < 3:
            await asyncio.sleep(0.03)

    await raise_budget(platform, execution, "1")
    ended = await platform.ended(execution)

    assert {wait["node"] for wait in run["waits"]} == {"left", "middle", "right"}
    assert len({wait["id"] for wait in run["waits"]}) == 3
    assert (ended["status"], len(platform.model.asked)) == ("completed", 3)


@requirement("BUD-3")
async def test_a_new_day_lets_a_run_go_on(
    platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    dear = TokenUsage(input_tokens=20_000, model_calls=1)

    def decide(request: Completion) -> Turn:
        is_first = len(request.messages) == 1
        return replace(looking_around(request), usage=dear) if is_first else answer("{}")

    platform.model.costs(A_TOKEN).decides(decide)
    agent = await platform.agent(skill("costly", allowed="list_files"))
    launch = Launch(platform.store, platform.temporal)
    async with room_for(platform, "agent", agent, "0.025"):
        await parked(platform, execution := await platform.start(agent))
        in_vain = await launch.fund(platform.tenant_id)
        today = clock.now
        monkeypatch.setattr(clock, "now", lambda: today() + timedelta(days=1))
        woken = await launch.fund(platform.tenant_id)
        run = await platform.ended(execution)

    assert (in_vain, woken, run["status"]) == (0, 1, "completed")


@requirement("BUD-3")
async def test_a_lower_limit_of_the_agent_leaves_runs_under_way_alone(platform: Platform) -> None:
    platform.model.costs(A_TOKEN).decides(after_looking(5))
    agent = await costly(platform, "0.001")
    await parked(platform, execution := await platform.start(agent))
    changed = await platform.api.patch(
        f"/api/v1/agents/{agent}", json={"limits": {"budget_usd": "0.0001"}}
    )

    raised = await raise_budget(platform, execution, "1")

    assert (changed.status_code, raised.status_code) == (200, 200)
    assert (await platform.ended(execution))["status"] == "completed"


@requirement("BUD-3")
@pytest.mark.parametrize("name", [{"budget_mode": "warn"}, {"mode": "mcp"}])
async def test_a_program_is_warned_and_its_run_waits_all_the_same(
    platform: Platform, name: dict[str, Any]
) -> None:
    platform.model.costs(A_TOKEN).decides(after_looking(5))
    execution = await platform.start(await costly(platform, "0.001"), **name)
    await parked(platform, execution)
    await raise_budget(platform, execution, "1")
    await platform.ended(execution)

    warned = await told(platform, execution, "budget_warning")
    assert [(each["run_id"], each["short"]["cap_usd"]) for each in warned] == [(execution, "0.001")]


@requirement("BUD-3")
async def test_with_auto_proceed_a_run_raises_its_own_cap_once_and_to_the_limit(
    platform: Platform,
) -> None:
    platform.model.costs(A_TOKEN).answers("{}").answers("{}").answers("{}")
    skills = [skill(name, allowed="clock") for name in ("left", "middle", "right")]
    agent = await platform.agent(*skills, limits={"budget_usd": "0.001"})
    run = await platform.ended(
        await platform.start(agent, mode="mcp", auto_proceed=True, auto_proceed_limit_usd="0.1")
    )

    assert (run["status"], run["error"]) == ("completed", None)
    (raised,) = await told(platform, run["id"], "budget_raised")
    (warned,) = await told(platform, run["id"], "budget_warning")
    assert (raised["by"], raised["cap_usd"]) == ("auto_proceed", "0.1")
    assert warned["short"]["cap_usd"] == "0.001"


@requirement("BUD-3")
async def test_auto_proceed_ends_at_its_limit_and_raises_no_other_cap(platform: Platform) -> None:
    platform.model.costs(A_TOKEN).decides(after_looking(30))
    agent = await costly(platform, "0.001")
    terms: dict[str, Any] = {
        "budget_mode": "warn",
        "auto_proceed": True,
        "auto_proceed_limit_usd": "0.02",
    }

    limited = await platform.start(agent, **terms)
    at_limit = await parked(platform, limited)
    await cancel(platform, limited)
    async with room_for(platform, "agent", agent, "0.0001"):
        capped = await platform.start(agent, **terms)
        above = await parked(platform, capped)
        await cancel(platform, capped)

    assert "of the $0.02 of this run is left" in at_limit["waits"][0]["question"]
    assert f"of agent {agent} for this day" in above["waits"][0]["question"]
    assert len(await told(platform, limited, "budget_raised")) == 1
    assert await told(platform, capped, "budget_raised") == []


@pytest.mark.parametrize(
    "terms",
    [
        {"mode": "mcp", "auto_proceed": True},
        {"mode": "mcp", "auto_proceed_limit_usd": "1"},
        {"mode": "cli", "auto_proceed": True, "auto_proceed_limit_usd": "1"},
        {"mode": "mcp", "auto_proceed": True, "auto_proceed_limit_usd": "-1"},
        {"mode": "later"},
        {"mode": "cli", "budget_mode": "warn"},
    ],
)
async def test_terms_that_contradict_each_other_are_refused(
    platform: Platform, terms: dict[str, object]
) -> None:
    agent = await platform.agent(skill("one"))
    refused = await platform.api.post(f"/api/v1/agents/{agent}/run", json=terms)
    assert refused.status_code == 422, refused.text


@requirement("BUD-3")
async def test_room_that_nobody_was_told_of_is_found_by_the_reconciler(platform: Platform) -> None:
    platform.model.costs(A_TOKEN).answers("{}")
    agent = await platform.agent(skill("one", allowed="clock"))
    launch = Launch(platform.store, platform.temporal)
    reconciler = Reconciler(platform.store, platform.temporal, launch)
    async with room_for(platform, "agent", agent, "0.0001"):
        await parked(platform, execution := await platform.start(agent))
        await reconciler.reconcile(timedelta())
        still = await platform.execution(execution)
        await platform.mine.write(
            lambda db: db.budgets.set(Scope.AGENT, agent, Period.DAY, Decimal(1000))
        )
        await reconciler.reconcile(timedelta())
        run = await platform.ended(execution)

    assert (still["waiting_for"], run["status"]) == ("budget", "completed")
