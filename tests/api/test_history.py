"""Records, statistics and estimates over HTTP."""

from decimal import Decimal
from typing import Any

import pytest

from omniforge.errors import ModelRefused
from omniforge.store.access import create_key, create_tenant
from tests.support.platform import Platform, skill
from tests.support.requirements import requirement
from tests.support.scripted import answer

A_TOKEN = "0.000001"


async def got(platform: Platform, path: str, **params: Any) -> dict[str, Any]:
    response = await platform.api.get(f"/api/v1/{path}", params=params)
    assert response.status_code == 200, response.text
    body: dict[str, Any] = response.json()
    return body


@requirement("ENG-8", "BUD-1")
async def test_each_run_has_a_record_and_the_totals_are_those_of_all_pages(
    platform: Platform,
) -> None:
    platform.model.costs(A_TOKEN).decides(lambda _: answer("done", tokens=500))
    agent = await platform.agent(skill("one"), skill("two"))
    runs = [await platform.ended(await platform.start(agent)) for _ in range(3)]

    first = await got(platform, f"agents/{agent}/history", limit=2)
    cursor = first["next_cursor"]
    second = await got(platform, f"agents/{agent}/history", limit=2, cursor=cursor)

    records = [*first["records"], *second["records"]]
    assert [each["run_id"] for each in records] == [run["id"] for run in reversed(runs)]
    assert {each["cost_usd"] for each in records} == {"0.002"}
    assert {each["tokens"] for each in records} == {2000}
    assert {tuple(each["models"]) for each in records} == {("scripted-1",)}
    assert all(each["duration_s"] > 0 for each in records)
    assert [each["including_children"]["cost_usd"] for each in records] == ["0.002"] * 3
    assert first["totals"] == second["totals"]
    assert (first["totals"]["runs"], first["totals"]["cost_usd"]) == (3, "0.006")
    assert first["totals"]["usage"]["model_calls"] == 6


@requirement("ENG-8")
async def test_the_workspace_has_a_history_too_in_days(platform: Platform) -> None:
    run = await platform.run(skill("one"))
    today = run["created_at"][:10]

    known = await got(platform, "history", since=today, limit=1)
    nothing = await got(platform, "history", until="2020-01-01")

    assert known["records"][0]["run_id"] == run["id"]
    assert known["totals"]["runs"] >= 1
    assert (nothing["records"], nothing["totals"]["runs"]) == ([], 0)


@requirement("STA-1")
async def test_statistics_tell_how_the_runs_went(platform: Platform) -> None:
    platform.model.costs(A_TOKEN).decides(lambda _: answer("done", tokens=500))
    agent = await platform.agent(skill("one"))
    await platform.ended(await platform.start(agent))
    platform.model.decides(lambda _: ModelRefused("Not that."))
    await platform.ended(await platform.start(agent))
    tried = await platform.api.post(f"/api/v1/agents/{agent}/test", json={})
    await platform.ended(tried.json()["execution_id"])

    figures = await got(platform, f"agents/{agent}/statistics")
    tests = await got(platform, f"agents/{agent}/history", mode="dry_run")

    assert (figures["runs"], figures["successes"], figures["success_rate"]) == (2, 1, 0.5)
    assert figures["failures"] == {"model_refused": 1}
    assert (figures["mean_cost_usd"], figures["p95_cost_usd"]) == ("0.0005", "0.001")
    assert (figures["total_cost_usd"], figures["total_tokens"]) == ("0.001", 1000)
    assert 0 < figures["median_duration_s"] <= figures["p95_duration_s"]
    assert figures["last_run"] is not None
    assert [each["mode"] for each in tests["records"]] == ["dry_run"]


@requirement("BUD-4")
async def test_a_draft_is_estimated_before_it_is_activated(platform: Platform) -> None:
    agent = await platform.agent(skill("one"), status="draft")

    made = await got(platform, f"agents/{agent}/estimate", runs_per_month=40)

    assert (made["run"]["expected_usd"], made["month"]["most_usd"]) == ("0", "0")
    assert (made["runs_per_month"], made["past_runs"], made["rests_on"]) == (40, 0, "plan")
    assert "Skill 'one' costs nothing: offline has a price of 0." in made["assumptions"]
    assert [each["models"] for each in made["skills"]] == [["offline"]]


@requirement("BUD-4")
async def test_a_price_is_known_without_a_key_and_none_is_made_up(platform: Platform) -> None:
    """The platform of the tests has no key for Claude; its workers may have one."""
    priced = await platform.agent(skill("one", model="anthropic/claude-sonnet-4-5"))
    unknown = await platform.agent(skill("one", model="anthropic/nobody-knows-1"))

    known = await got(platform, f"agents/{priced}/estimate")
    nothing = await got(platform, f"agents/{unknown}/estimate")

    assert 0 < Decimal(known["run"]["least_usd"]) < Decimal(known["run"]["expected_usd"])
    assert Decimal(known["run"]["expected_usd"]) < Decimal(known["run"]["most_usd"])
    assert nothing["run"]["expected_usd"] is nothing["run"]["most_usd"] is None
    assert nothing["run"]["most_because"] == "The price of a model is not known."


@pytest.mark.parametrize(
    "params", [{"runs_per_month": -1}, {"runs_per_month": "many"}, {"items": 1001}]
)
async def test_numbers_that_mean_nothing_are_refused(
    platform: Platform, params: dict[str, Any]
) -> None:
    agent = await platform.agent(skill("one"))

    refused = await platform.api.get(f"/api/v1/agents/{agent}/estimate", params=params)

    assert (refused.status_code, refused.json()["code"]) == (422, "malformed_request")


@requirement("SEC-3")
@pytest.mark.parametrize("what", ["history", "statistics", "estimate"])
async def test_a_strangers_agent_has_no_figures(platform: Platform, what: str) -> None:
    agent = await platform.agent(skill("one"))
    stranger = await platform.store.database.write(lambda c: create_tenant(c, "Other", "Eve"))
    key = await platform.store.database.write(lambda c: create_key(c, stranger, "test"))
    headers = {"Authorization": f"Bearer {key}"}

    refused = await platform.api.get(f"/api/v1/agents/{agent}/{what}", headers=headers)
    empty = (await platform.api.get("/api/v1/history", headers=headers)).json()

    assert (refused.status_code, refused.json()["code"]) == (404, "agent_not_found")
    assert (empty["records"], empty["totals"]["cost_usd"]) == ([], "0")
