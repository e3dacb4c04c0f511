"""A run that needs somebody: leave for a call, or an answer that only a person has."""

import asyncio
from typing import Any

import pytest

from tests.support.platform import Platform, skill
from tests.support.requirements import requirement
from tests.support.scripted import answer, calling

ASKS_FIRST = {"permissions": [{"action": "ask", "tool": "post_*"}]}


def posting(platform: Platform) -> None:
    """A model that posts once and then says what came of it."""
    platform.model.decides(
        lambda request: (
            calling(("post_keyed", {"text": "hello"}))
            if len(request.messages) == 1
            else answer(request.messages[-1].answers[0].content)
        )
    )


async def question_of(platform: Platform, execution: str) -> dict[str, Any]:
    await platform.until(execution, {"waiting"})
    approvals = (await platform.api.get("/api/v1/approvals")).json()["approvals"]
    (question,) = [one for one in approvals if one["execution_id"] == execution]
    found: dict[str, Any] = question
    return found


async def decide(
    platform: Platform, question: dict[str, Any], decision: str, reason: str = ""
) -> Any:
    return await platform.api.post(
        f"/api/v1/approvals/{question['id']}", json={"decision": decision, "reason": reason}
    )


@requirement("DUR-4")
async def test_a_call_that_needs_leave_is_shown_as_it_would_be_and_made_once_it_has_it(
    platform: Platform,
) -> None:
    posting(platform)
    execution = await platform.start(await platform.agent(skill("poster"), **ASKS_FIRST))
    question = await question_of(platform, execution)
    waiting = await platform.execution(execution)
    before = list(platform.service.posts)

    decided = await decide(platform, question, "approve")
    run = await platform.ended(execution)

    assert (question["kind"], question["tool"]) == ("tool_call", "post_keyed")
    assert question["arguments"] == {"text": "hello"}
    assert waiting["waiting_for"] == "approval"
    assert before == []
    assert decided.status_code == 200, decided.text
    assert run["result"] == {"posted": "hello"}
    assert len(platform.service.posts) == 1


@requirement("DUR-4")
async def test_a_refused_call_is_not_made_and_the_model_hears_why(platform: Platform) -> None:
    posting(platform)
    execution = await platform.start(await platform.agent(skill("poster"), **ASKS_FIRST))

    await decide(platform, await question_of(platform, execution), "reject", "not on a Sunday")
    run = await platform.ended(execution)

    assert "did not allow this call: not on a Sunday" in run["result"]["answer"]
    assert platform.service.posts == []


async def test_what_does_not_decide_such_a_question_is_refused_and_it_stays_open(
    platform: Platform,
) -> None:
    posting(platform)
    execution = await platform.start(await platform.agent(skill("poster"), **ASKS_FIRST))
    question = await question_of(platform, execution)

    wrong = await decide(platform, question, "happened")

    assert (wrong.status_code, wrong.json()["code"]) == (400, "rejected")
    assert "approve, edit, reject, ask" in wrong.json()["detail"]
    assert (await question_of(platform, execution))["decision"] is None
    await decide(platform, question, "reject")
    await platform.ended(execution)


@requirement("RAC-4")
async def test_a_skill_can_ask_a_person_and_goes_on_with_the_answer(platform: Platform) -> None:
    platform.model.calls(("ask_user", {"question": "Which quarter?"}))
    platform.model.decides(
        lambda request: (
            answer(request.messages[-1].answers[0].content) if len(request.messages) > 1 else None
        )
    )
    execution = await platform.start(await platform.agent(skill("reporter")))
    question = await question_of(platform, execution)
    waiting = await platform.execution(execution)

    answered = await platform.api.post(
        f"/api/v1/executions/{execution}/answer", json={"answer": "The third."}
    )
    run = await platform.ended(execution)
    again = await platform.api.post(
        f"/api/v1/executions/{execution}/answer", json={"answer": "The fourth."}
    )

    assert (question["kind"], question["question"]) == ("input", "Which quarter?")
    assert waiting["waiting_for"] == "input"
    assert answered.json()["note"] == "The third."
    assert run["result"]["answer"] == "The third."
    assert (again.status_code, again.json()["code"]) == (404, "approval_not_found")


async def test_calls_that_need_nobody_are_made_while_others_of_the_turn_wait(
    platform: Platform,
) -> None:
    rules = [{"action": "ask", "tool": "post_keyed", "arguments": {"text": "*Monday*"}}]
    posts = [("post_keyed", {"text": text}) for text in ("See you Monday", "See you Friday")]
    platform.model.decides(
        lambda request: calling(*posts) if len(request.messages) == 1 else answer("{}")
    )
    execution = await platform.start(await platform.agent(skill("poster"), permissions=rules))

    question = await question_of(platform, execution)
    before = [text for _, text in platform.service.posts]
    await decide(platform, question, "approve")
    await platform.ended(execution)

    assert before == ["See you Friday"]
    assert sorted(text for _, text in platform.service.posts) == [
        "See you Friday",
        "See you Monday",
    ]


async def test_of_two_people_who_decide_at_once_one_is_told_that_it_was_too_late(
    platform: Platform,
) -> None:
    posting(platform)
    execution = await platform.start(await platform.agent(skill("poster"), **ASKS_FIRST))
    question = await question_of(platform, execution)

    both = await asyncio.gather(
        decide(platform, question, "approve"), decide(platform, question, "reject")
    )
    run = await platform.ended(execution)

    assert sorted(one.status_code for one in both) == [200, 409]
    (late,) = [one.json() for one in both if one.status_code == 409]
    assert late["code"] == "already_decided"
    assert len(platform.service.posts) == (1 if "posted" in run["result"] else 0)


@pytest.mark.parametrize("tool", ["post_keyed", "clock"])
async def test_a_denied_call_is_never_made_and_a_tool_without_any_leave_is_not_offered(
    platform: Platform, tool: str
) -> None:
    arguments = {"text": "hello"} if tool == "post_keyed" else {}
    platform.model.calls((tool, arguments)).answers("{}")
    rules = [{"action": "deny", "tool": tool}]

    execution = await platform.start(await platform.agent(skill("poster"), permissions=rules))
    run = await platform.ended(execution)
    (refused,) = [step for step in await platform.steps(execution) if step["kind"] == "tool"]

    assert run["status"] == "completed"
    assert tool not in [offered.name for offered in platform.model.asked[0].tools]
    assert "its permissions" in refused["error"]["message"]
    assert platform.service.posts == []


async def test_new_permissions_are_a_new_version_and_spare_the_runs_under_way(
    platform: Platform,
) -> None:
    posting(platform)
    agent = await platform.agent(skill("poster"), **ASKS_FIRST)
    execution = await platform.start(agent)
    question = await question_of(platform, execution)

    changed = await platform.api.patch(f"/api/v1/agents/{agent}", json={"permissions": []})
    await decide(platform, question, "approve")
    await platform.ended(execution)
    free = await platform.ended(await platform.start(agent))

    assert (changed.json()["version"], changed.json()["permissions"]) == (2, [])
    assert free["status"] == "completed"
    assert len(platform.service.posts) == 2
