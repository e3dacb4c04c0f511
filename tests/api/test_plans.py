"""Plans over HTTP: what is refused when an agent is saved, how they are drawn, and strategies."""

from typing import Any

import pytest

from tests.support.platform import Platform, skill
from tests.support.requirements import requirement

SCHEMA = '{"type": "object", "properties": {"rows": {"type": "array"}, "city": {"type": "string"}}}'


def declaring(name: str, schema: str = SCHEMA) -> dict[str, Any]:
    """A skill that says what it gives."""
    body = skill(name)
    front = f"description: Does it.\nmetadata:\n  omniforge.output-schema: '{schema}'\n---"
    body["files"]["SKILL.md"] = f"---\nname: {name}\n{front}\n\n1. Answer: done\n"
    return body


@requirement("FR-12")
@pytest.mark.parametrize(
    ("more", "place", "message"),
    [
        ({"when": "steps.fund.output == 1"}, "skills[1].when", "There is no step 'fund'."),
        ({"when": "steps.find.output.town == 1"}, "skills[1].when", "fields there are: city, rows"),
        ({"when": "false"}, "skills[1].when", "could not be reached"),
        ({"for_each": "steps.find.output.city"}, "skills[1].for_each", "a list is needed"),
        ({"input": "{"}, "skills[1].input", "It ends too early."),
    ],
)
async def test_an_agent_whose_plan_is_unsound_is_refused_with_the_place(
    platform: Platform, more: dict[str, Any], place: str, message: str
) -> None:
    skills = [declaring("find"), skill("post", order=2, **more)]

    refused = await platform.api.post("/api/v1/agents", json={"name": "x", "skills": skills})

    problem = refused.json()
    assert (refused.status_code, problem["code"]) == (400, "plan_invalid")
    assert problem["detail"].startswith(f"{place}: ")
    assert problem["findings"][0]["place"] == place
    assert message in problem["findings"][0]["message"]


async def test_a_change_is_checked_against_the_skills_that_stay(platform: Platform) -> None:
    agent = await platform.agent(declaring("find"), skill("post", order=2))
    path = f"/api/v1/agents/{agent}"

    def changed(when: str) -> dict[str, Any]:
        return {"skills": [{"name": "find"}, {"name": "post", "order": 2, "when": when}]}

    refused = await platform.api.patch(path, json=changed("steps.find.output.town == 'x'"))
    kept = (await platform.api.get(path)).json()
    accepted = await platform.api.patch(path, json=changed("steps.find.output.city == 'x'"))

    assert (refused.status_code, refused.json()["code"]) == (400, "plan_invalid")
    assert kept["version"] == 1
    assert accepted.json()["version"] == 2


@pytest.mark.parametrize(
    ("skills", "code"),
    [
        ([skill("a", depends_on=["b"]), skill("b", depends_on=["a"])], "plan_invalid"),
        ([skill("a", on_failure="fallback:b")], "plan_invalid"),
        ([skill("a", on_failure="retry")], "malformed_request"),
        ([skill("a", when="x" * 501)], "malformed_request"),
        ([skill("a", when="")], "malformed_request"),
    ],
)
async def test_a_plan_that_is_no_graph_or_no_plan_is_refused(
    platform: Platform, skills: list[dict[str, Any]], code: str
) -> None:
    refused = await platform.api.post("/api/v1/agents", json={"name": "x", "skills": skills})

    assert (refused.status_code, refused.json()["code"]) == (
        400 if code == "plan_invalid" else 422,
        code,
    )


@requirement("FR-11")
async def test_a_plan_is_told_as_a_graph_and_as_mermaid(platform: Platform) -> None:
    agent = await platform.agent(
        declaring("find"), skill("post", order=2, when="steps.find.output.city == 'x'")
    )
    path = f"/api/v1/agents/{agent}/plan"

    graph = (await platform.api.get(path)).json()
    drawn = await platform.api.get(f"{path}?format=mermaid")
    missing = await platform.api.get("/api/v1/agents/ag_no/plan")

    assert [node["level"] for node in graph["nodes"]] == [0, 1]
    assert graph["edges"] == [{"source": "find", "target": "post", "kind": "then"}]
    assert graph["max_parallel"] == 10
    assert drawn.headers["content-type"].startswith("text/plain")
    assert drawn.text.startswith('flowchart TD\n    n0["find"]\n')
    assert (missing.status_code, missing.json()["code"]) == (404, "agent_not_found")


@requirement("ENG-6")
async def test_an_agent_is_wired_by_a_strategy_and_told_which_and_why(platform: Platform) -> None:
    roles = [skill(role) for role in ("reviewer", "developer", "architect")]
    body = {"name": "team", "skills": roles, "strategy": "auto"}

    created = (await platform.api.post("/api/v1/agents", json=body)).json()
    graph = (await platform.api.get(f"/api/v1/agents/{created['id']}/plan")).json()

    assert (created["strategy"], created["because"]) == (
        "multi",
        "each skill has a role in the chain",
    )
    assert [(edge["source"], edge["target"]) for edge in graph["edges"]] == [
        ("architect", "developer"),
        ("developer", "reviewer"),
    ]


@requirement("ENG-6")
async def test_a_chain_of_roles_hands_on_on_the_platform(platform: Platform) -> None:
    roles = [skill(role) for role in ("architect", "developer")]

    run = await platform.run(*roles, strategy="multi", input_data={"wish": "a shop"})

    assert run["status"] == "completed"
    task = next(
        asked.messages[0].text
        for asked in platform.model.asked
        if '<skill name="developer">' in asked.system
    )
    assert '"task": {"wish": "a shop"}' in task
    assert '"architect": {' in task


async def test_a_strategy_that_does_not_fit_is_refused(platform: Platform) -> None:
    body = {"name": "x", "skills": [skill("a"), skill("b")], "strategy": "single"}

    refused = await platform.api.post("/api/v1/agents", json=body)

    assert (refused.status_code, refused.json()["code"]) == (400, "plan_invalid")
    assert "takes one skill" in refused.json()["detail"]
