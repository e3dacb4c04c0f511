"""An agent whose skill has other agents do a part of its work."""

import asyncio
import json
from typing import Any

import pytest

from omniforge.llm.protocol import Completion, Turn
from omniforge.llm.sections import outside_text
from tests.e2e.test_runs import looking_around
from tests.support.platform import PATIENCE, Platform, skill
from tests.support.requirements import requirement
from tests.support.scripted import answer, calling


def delegating(platform: Platform, agent: str, child: Turn, **given: Any) -> None:
    """A model whose first skill runs an agent and answers with what came back."""

    def decide(request: Completion) -> Turn:
        if "work of another" in request.messages[0].text:
            return child
        if len(request.messages) == 1:
            return calling(
                ("run_agent", {"agent": agent, "input": {"for": "work of another"} | given})
            )
        return answer(outside_text(request.messages[-1].answers[0].content))

    platform.model.decides(decide)


async def children_of(platform: Platform, execution: str) -> list[dict[str, Any]]:
    runs = (await platform.api.get("/api/v1/executions")).json()["executions"]
    return [run for run in runs if run["parent_id"] == execution]


async def first_child_of(platform: Platform, execution: str) -> dict[str, Any]:
    """A child that is about to begin."""
    async with asyncio.timeout(PATIENCE):
        while not (found := await children_of(platform, execution)):
            await asyncio.sleep(0.03)
    return found[0]


@requirement("TOOL-3")
async def test_a_skill_has_another_agent_run_and_goes_on_with_its_result(
    platform: Platform,
) -> None:
    child = await platform.agent(skill("counting"), name="Counter")
    delegating(platform, child, answer('{"count": 3}'), rows=[1, 2, 3])

    run = await platform.run(skill("leading"), sub_agents=[child])
    (other,) = await children_of(platform, run["id"])

    assert run["status"] == "completed"
    assert run["result"] == {"run": other["id"], "result": {"count": 3}}
    assert (other["agent_id"], other["status"]) == (child, "completed")
    offered = {tool.name: tool for tool in platform.model.asked[0].tools}
    assert "Counter" in offered["run_agent"].description


async def test_while_the_child_works_its_parent_waits_without_a_worker(platform: Platform) -> None:
    child = await platform.agent(
        skill("posting"), permissions=[{"action": "ask", "tool": "post_keyed"}]
    )
    delegating(platform, child, calling(("post_keyed", {"text": "hello"})))
    execution = await platform.start(await platform.agent(skill("leading"), sub_agents=[child]))

    waiting = await platform.until(execution, {"waiting"})
    other = await first_child_of(platform, execution)
    await platform.until(other["id"], {"waiting"})
    cancelled = await platform.api.post(f"/api/v1/executions/{execution}/cancel")

    assert waiting["waiting_for"] == "child"
    assert cancelled.status_code == 202
    assert (await platform.ended(execution))["status"] == "cancelled"
    assert (await platform.ended(other["id"]))["status"] == "cancelled"
    assert platform.service.posts == []


async def test_a_child_that_fails_is_an_observation_for_its_parent(platform: Platform) -> None:
    child = await platform.agent(skill("counting"), limits={"max_iterations": 1})
    delegating(platform, child, calling(("clock", {})))

    run = await platform.run(skill("leading"), sub_agents=[child])

    assert run["status"] == "completed"
    assert "ended as failed" in run["result"]["answer"]


async def test_an_agent_that_nobody_allowed_is_not_run(platform: Platform) -> None:
    allowed = await platform.agent(skill("counting"))
    other = await platform.agent(skill("counting"))
    delegating(platform, other, answer("{}"))

    run = await platform.run(skill("leading"), sub_agents=[allowed])

    assert await children_of(platform, run["id"]) == []
    assert "agent" in run["result"]["answer"]


@pytest.mark.parametrize("status", ["pause", "archive"])
async def test_an_agent_that_is_switched_off_is_refused_with_the_reason(
    platform: Platform, status: str
) -> None:
    child = await platform.agent(skill("counting"))
    agent = await platform.agent(skill("leading"), sub_agents=[child])
    await platform.api.post(f"/api/v1/agents/{child}/{status}")
    delegating(platform, child, answer("{}"))

    run = await platform.ended(await platform.start(agent))

    assert await children_of(platform, run["id"]) == []
    assert f"is {status.removesuffix('e')}" in run["result"]["answer"]


async def test_circles_are_refused_when_they_are_saved(platform: Platform) -> None:
    first = await platform.agent(skill("leading"))
    second = await platform.agent(skill("leading"), sub_agents=[first])

    circle = await platform.api.patch(f"/api/v1/agents/{first}", json={"sub_agents": [second]})
    itself = await platform.api.patch(f"/api/v1/agents/{first}", json={"sub_agents": [first]})
    nobody = await platform.api.post(
        "/api/v1/agents",
        json={"name": "x", "skills": [skill("leading")], "sub_agents": ["ag_nobody"]},
    )

    assert {one.json()["code"] for one in (circle, itself, nobody)} == {"agent_invalid"}
    assert "circle" in circle.json()["detail"]
    assert "ag_nobody" in nobody.json()["detail"]


async def test_a_chain_of_agents_ends_at_a_depth_that_people_can_follow(
    platform: Platform,
) -> None:
    line = [await platform.agent(skill("leading"))]
    for _ in range(6):
        line.append(await platform.agent(skill("leading"), sub_agents=[line[-1]]))
    below = dict(zip(line[1:], line, strict=False))

    def decide(request: Completion) -> Turn:
        if len(request.messages) > 1:
            return answer(outside_text(request.messages[-1].answers[0].content))
        (offered,) = (tool for tool in request.tools if tool.name == "run_agent")
        (agent,) = offered.parameters["properties"]["agent"]["enum"]
        assert agent in below.values()
        return calling(("run_agent", {"agent": agent, "input": {}}))

    platform.model.decides(decide)
    run = await platform.ended(await platform.start(line[-1]))

    assert run["status"] == "completed"
    assert "5 deep" in json.dumps(run["result"])


@requirement("BUD-2", "BUD-3")
async def test_what_a_child_spends_it_spends_of_its_parents_budget_which_is_raised_for_both(
    platform: Platform,
) -> None:
    child = await platform.agent(
        skill("costly", allowed="list_files"), limits={"max_iterations": 300}
    )

    def decide(request: Completion) -> Turn:
        if "run_agent" not in [tool.name for tool in request.tools]:
            is_done = len(request.messages) > 60
            return answer('{"seen": 30}') if is_done else looking_around(request)
        if len(request.messages) == 1:
            return calling(("run_agent", {"agent": child, "input": {}}))
        return answer(outside_text(request.messages[-1].answers[0].content))

    platform.model.costs("0.000001").decides(decide)
    leading = skill("leading", allowed="run_agent")
    execution = await platform.start(
        await platform.agent(leading, sub_agents=[child], limits={"budget_usd": "0.04"})
    )
    other = await first_child_of(platform, execution)
    waiting = await platform.until(other["id"], {"waiting", "failed"})
    parent = await platform.execution(execution)
    path = "/api/v1/executions/{}/budget"
    refused = await platform.api.post(path.format(other["id"]), json={"budget_usd": "5"})
    raised = await platform.api.post(path.format(execution), json={"budget_usd": "5"})
    run, other = await platform.ended(execution), await platform.ended(other["id"])

    assert (parent["waiting_for"], waiting["waiting_for"]) == ("child", "budget")
    assert f"omniforge runs raise {execution} " in waiting["waits"][0]["question"]
    assert (refused.status_code, refused.json()["code"]) == (409, "budget_not_raised")
    assert f"of run {execution}, which it works for" in refused.json()["detail"]
    assert (raised.status_code, run["status"], other["status"]) == (200, "completed", "completed")
    events = [event["body"] for event in await platform.events(execution)]
    (warned,) = [body for body in events if body["type"] == "budget_warning"]
    assert (warned["run_id"], warned["short"]["subject"]) == (other["id"], execution)
