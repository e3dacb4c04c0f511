"""Caps and costs over HTTP."""

from typing import Any

import httpx2
import pytest

from omniforge.store.access import create_key, create_tenant
from tests.support.platform import Platform, skill
from tests.support.requirements import requirement
from tests.support.scripted import answer

BUDGETS = "/api/v1/budgets"


async def put(platform: Platform, path: str, cap: object) -> httpx2.Response:
    return await platform.api.put(f"{BUDGETS}/{path}", json={"cap_usd": cap})


async def listed(platform: Platform, subject: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = (await platform.api.get(BUDGETS)).json()["budgets"]
    return [each for each in found if each["subject"] == subject]


async def test_a_cap_is_set_raised_listed_and_cleared(platform: Platform) -> None:
    agent = await platform.agent(skill("one"))

    made = await put(platform, f"agent/{agent}/day", "0.000000001")
    raised = await put(platform, f"agent/{agent}/day", 12.5)
    before = await listed(platform, agent)
    cleared = await platform.api.delete(f"{BUDGETS}/agent/{agent}/day")
    again = await platform.api.delete(f"{BUDGETS}/agent/{agent}/day")

    assert (made.status_code, made.json()["cap_usd"]) == (200, "0.000000001")
    assert before == [raised.json()]
    assert raised.json()["left_usd"] == raised.json()["cap_usd"] == "12.5"
    assert raised.json()["starts_on"] < raised.json()["ends_on"]
    assert (cleared.status_code, again.status_code) == (204, 404)
    assert again.json()["code"] == "budget_not_found"
    assert await listed(platform, agent) == []


async def test_me_is_the_caller_and_the_callers_own_tenant(platform: Platform) -> None:
    mine = (await put(platform, "user/me/month", "5")).json()
    ours = (await put(platform, "tenant/me/ever", "5000")).json()
    same = await platform.api.delete(f"{BUDGETS}/user/{mine['subject']}/month")

    assert (ours["subject"], ours["starts_on"], ours["ends_on"]) == (platform.tenant_id, None, None)
    assert same.status_code == 204
    await platform.api.delete(f"{BUDGETS}/tenant/{platform.tenant_id}/ever")


@pytest.mark.parametrize("cap", ["-1", "NaN", "a lot", "0.0000000001", "1e12", None])
async def test_what_is_no_amount_is_refused(platform: Platform, cap: object) -> None:
    refused = await put(platform, "tenant/me/day", cap)

    assert (refused.status_code, refused.json()["code"]) == (422, "malformed_request")


@requirement("SEC-3")
async def test_nobody_caps_or_sees_what_is_anothers(platform: Platform) -> None:
    agent = await platform.agent(skill("one"))
    await put(platform, f"agent/{agent}/day", "1")
    stranger = await platform.store.database.write(lambda c: create_tenant(c, "Other", "Eve"))
    key = await platform.store.database.write(lambda c: create_key(c, stranger, "test"))
    headers = {"Authorization": f"Bearer {key}"}

    answers = [
        await platform.api.put(f"{BUDGETS}/{path}", json={"cap_usd": "0"}, headers=headers)
        for path in (f"agent/{agent}/day", f"tenant/{platform.tenant_id}/day", "user/us_x/day")
    ]
    cleared = await platform.api.delete(f"{BUDGETS}/agent/{agent}/day", headers=headers)
    seen = (await platform.api.get(BUDGETS, headers=headers)).json()["budgets"]

    assert [each.json()["code"] for each in answers] == [
        "agent_not_found",
        "budget_not_found",
        "member_not_found",
    ]
    assert (cleared.status_code, seen) == (404, [])
    assert len(await listed(platform, agent)) == 1


@requirement("BUD-1")
async def test_what_calls_cost_is_told_by_step_run_agent_person_and_day(platform: Platform) -> None:
    platform.model.costs("0.0000025").decides(lambda _: answer("done"))
    run = await platform.run(skill("one"))
    day = run["created_at"][:10]

    async def cost(by: str, key: str, **days: str) -> list[tuple[str, int, str]]:
        asked = await platform.api.get("/api/v1/costs", params={"by": by, **days})
        costs = asked.json()["costs"]
        return [
            (each["cost_usd"], each["calls"], each["reserved_usd"])
            for each in costs
            if each["key"] == key
        ]

    (step,) = [each for each in await platform.steps(run["id"]) if each["kind"] == "model"]
    assert float(step["cost_usd"]) == float(run["cost_usd"]) == 0.00005
    assert await cost("agent", run["agent_id"]) == [("0.00005", 1, "0")]
    assert await cost("agent", run["agent_id"], since=day, until=day) == [("0.00005", 1, "0")]
    assert await cost("agent", run["agent_id"], until="2020-01-01") == []
    assert len(await cost("day", day)) == len(await cost("tenant", platform.tenant_id)) == 1
    assert len(await cost("user", run["triggered_by"])) == 1
