"""A call that a person changes, and a person who asks back first."""

from typing import Any

import pytest

from tests.e2e.asking import (
    ASKS_FIRST,
    approval,
    asking,
    decide,
    observed,
    posting,
    question_of,
    said,
    tool_steps,
)
from tests.e2e.test_sub_agents import children_of, delegating
from tests.modes.driving import comparison, forked, replayed
from tests.support.platform import Platform, skill
from tests.support.requirements import requirement
from tests.support.scripted import answer, calling


def nested(depth: int) -> Any:
    inner: Any = []
    for _ in range(depth):
        inner = [inner]
    return inner


@requirement("DUR-4")
@pytest.mark.parametrize("tool", ["post_keyed", "post_findable", "post_ask"])
async def test_a_call_is_made_with_what_a_person_made_of_it_and_stays_the_one_that_was_asked_for(
    platform: Platform, tool: str
) -> None:
    question = await asking(platform, tool)

    decided = await decide(platform, question, "edit", "politely", arguments={"text": "HELLO"})
    run = await platform.ended(question["execution_id"])
    (step,) = await tool_steps(platform, run["id"])
    events = [event["body"] for event in await platform.events(run["id"])]

    assert decided.status_code == 200, decided.text
    assert decided.json()["edited_arguments"] == {"text": "HELLO"}
    assert decided.json()["arguments"] == {"text": "hello"}
    assert [text for _, text in platform.service.posts] == ["HELLO"]
    edit = {"arguments": {"text": "HELLO"}, "by": decided.json()["decided_by"], "note": "politely"}
    assert (step["arguments"], step["edit"]) == ({"text": "hello"}, edit)
    (told,) = [event for event in events if event["type"] == "tool_answered"]
    assert told["edit"] == edit
    heard = observed(platform.model.asked[-1])
    assert f'{edit["by"]} changed the arguments of this call to {{"text": "HELLO"}}.' in heard
    assert "They say: politely" in heard
    assert '{"posted": "HELLO"}' in heard


@requirement("DUR-4")
@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        ({"txt": "HELLO"}, "'txt' is not a field (did you mean 'text'?)"),
        ({"text": 7}, "'text' must be a string"),
        ({}, "'text' is missing"),
        ({"text": "a secret"}, "This agent may not call 'post_keyed' with these arguments"),
        ({"text": "x" * 200_000}, "longer than 200,000 characters"),
        ({"text": nested(200)}, "nested too deep"),
    ],
)
async def test_an_edit_that_may_not_be_sent_is_refused_and_nothing_is_decided(
    platform: Platform, arguments: dict[str, Any], why: str
) -> None:
    rules = [
        {"action": "deny", "tool": "post_*", "arguments": {"text": "*secret*"}},
        {"action": "ask", "tool": "post_*"},
    ]
    question = await asking(platform, permissions=rules)

    refused = await decide(platform, question, "edit", arguments=arguments)
    still = await question_of(platform, question["execution_id"])

    assert (refused.status_code, refused.json()["code"]) == (400, "edit_refused")
    assert why in refused.json()["detail"]
    assert (still["id"], still["decision"], still["edited_arguments"]) == (
        question["id"],
        None,
        None,
    )
    await decide(platform, question, "reject")
    await platform.ended(question["execution_id"])
    assert platform.service.posts == []


async def test_an_edit_may_not_pass_the_skills_own_limits(platform: Platform) -> None:
    platform.model.decides(
        lambda request: (
            calling(("write_file", {"path": "out/a.txt", "content": "draft"}))
            if len(request.messages) == 1
            else answer(observed(request))
        )
    )
    agent = await platform.agent(
        skill("writer", allowed="write_file(out/:*)"),
        permissions=[{"action": "ask", "tool": "write_file"}],
    )
    question = await question_of(platform, await platform.start(agent))

    refused = await decide(
        platform, question, "edit", arguments={"path": "etc/a.txt", "content": "draft"}
    )
    allowed = await decide(
        platform, question, "edit", arguments={"path": "out/b.txt", "content": "final"}
    )
    run = await platform.ended(question["execution_id"])
    files = await platform.api.get(f"/api/v1/executions/{run['id']}/artifacts")

    assert (refused.status_code, refused.json()["code"]) == (400, "edit_refused")
    assert "(allowed-tools)" in refused.json()["detail"]
    assert allowed.status_code == 200, allowed.text
    assert [one["path"] for one in files.json()["artifacts"]] == ["out/b.txt"]


@pytest.mark.parametrize(
    ("decision", "more", "why"),
    [
        ("edit", {}, "'edit' goes with `arguments`"),
        ("approve", {"arguments": {"text": "HELLO"}}, "`arguments` go with the decision 'edit'"),
        ("ask", {}, "'ask' needs what you want to know"),
        ("no_answer", {}, "'no_answer' does not decide"),
        ("ended", {}, "'ended' does not decide"),
    ],
)
async def test_half_a_decision_decides_nothing(
    platform: Platform, decision: str, more: dict[str, Any], why: str
) -> None:
    question = await asking(platform)

    refused = await decide(platform, question, decision, **more)
    still = await approval(platform, question["id"])

    assert refused.status_code == 400
    assert why in refused.json()["detail"]
    assert still["decision"] is None
    await decide(platform, question, "reject")
    await platform.ended(question["execution_id"])


async def test_replays_and_forks_take_an_edit_over(platform: Platform) -> None:
    question = await asking(platform)
    await decide(platform, question, "edit", arguments={"text": "HELLO"})
    run = await platform.ended(question["execution_id"])

    replay = await replayed(platform, run["id"])
    posting(platform)
    fork = await forked(platform, run["id"], node="poster", step=3)
    edits = [(await tool_steps(platform, one["id"]))[0]["edit"] for one in (run, replay, fork)]

    assert (await comparison(platform, replay["id"]))["identical"]
    assert (await comparison(platform, fork["id"]))["identical"]
    assert edits[0]["arguments"] == {"text": "HELLO"}
    assert edits == [edits[0]] * 3
    assert [text for _, text in platform.service.posts] == ["HELLO"]


async def test_another_agent_gets_what_a_person_made_of_its_input(platform: Platform) -> None:
    child = await platform.agent(skill("counting"), name="Counter")
    delegating(platform, child, answer('{"count": 3}'), rows=[1, 2, 3])
    rules = [{"action": "ask", "tool": "run_agent"}]
    leading = await platform.agent(skill("leading"), sub_agents=[child], permissions=rules)
    question = await question_of(platform, await platform.start(leading))

    edited = {"agent": child, "input": {"for": "work of another", "rows": []}}
    unknown = await decide(platform, question, "edit", arguments={"agent": "ag_other", "input": {}})
    await decide(platform, question, "edit", arguments=edited)
    run = await platform.ended(question["execution_id"])
    (other,) = await children_of(platform, run["id"])
    (order,) = [one for one in platform.model.asked if "work of another" in one.messages[0].text]

    assert unknown.json()["code"] == "edit_refused"
    assert run["status"] == other["status"] == "completed"
    assert "[1, 2, 3]" not in order.messages[0].text


# ---- questions back ----------------------------------------------------------------------------


@requirement("DUR-4")
async def test_a_person_asks_back_and_sees_the_models_answer_with_its_next_call(
    platform: Platform,
) -> None:
    replies = [said("", "hello"), said("Because it is Monday.", "Hello!"), answer("{}")]
    platform.model.decides(lambda request: replies[len(request.messages) // 2])
    agent = await platform.agent(skill("poster"), **ASKS_FIRST)
    execution = await platform.start(agent)
    first = await question_of(platform, execution)

    back = await decide(platform, first, "ask", "Why today?")
    second = await question_of(platform, execution, after=first["id"])
    shown = await approval(platform, second["id"])
    await decide(platform, second, "approve")
    run = await platform.ended(execution)
    refused, made = await tool_steps(platform, execution)
    heard = observed(platform.model.asked[1])

    assert back.json()["decision"] == "ask"
    assert (second["said"], second["follows"]) == ("Because it is Monday.", first["id"])
    assert [(one["id"], one["note"]) for one in shown["thread"]] == [(first["id"], "Why today?")]
    assert "Nothing is decided and the call was not made" in heard
    assert "asks you first: Why today?" in heard
    assert (refused["error"]["code"], made["answer"]) == ("asked_back", {"posted": "Hello!"})
    assert run["status"] == "completed"
    assert [text for _, text in platform.service.posts] == ["Hello!"]


async def test_a_person_may_ask_the_same_as_often_as_they_like(platform: Platform) -> None:
    platform.model.decides(
        lambda request: (
            said("Because.", "hello") if len(request.messages) < 15 else answer('{"done": true}')
        )
    )
    agent = await platform.agent(skill("poster"), **ASKS_FIRST)
    execution = await platform.start(agent)
    last = ""
    for _ in range(7):
        question = await question_of(platform, execution, after=last)
        assert question["follows"] == (last or None)
        await decide(platform, question, "ask", "Why?")
        last = question["id"]

    run = await platform.ended(execution)

    assert (run["status"], run["result"]) == ("completed", {"done": True})
    assert platform.service.posts == []
