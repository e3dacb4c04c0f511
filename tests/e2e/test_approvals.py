"""Who decides, once, when, and what happens when nobody does."""

import asyncio

from activities.payloads import Wished
from omniforge.journal.steps import Wish
from tests.e2e.asking import (
    ASKS_FIRST,
    approval,
    asking,
    decide,
    listed,
    observed,
    posting,
    tool_steps,
)
from tests.support.platform import PATIENCE, Platform, skill
from tests.support.requirements import requirement
from tests.support.scripted import answer, calling
from workflows.attributes import WISH

# ---- nobody answers ----------------------------------------------------------------------------


@requirement("DUR-4")
async def test_no_answer_is_told_to_the_model_as_what_it_is_and_late_decisions_are_refused(
    platform: Platform,
) -> None:
    question = await asking(platform, limits={"patience": {"give_up_after_s": 0.5}})

    run = await platform.ended(question["execution_id"])
    late = await decide(platform, question, "approve")
    (step,) = await tool_steps(platform, run["id"])
    found = await approval(platform, question["id"])

    assert run["status"] == "completed"
    assert "Nobody answered within" in run["result"]["answer"]
    assert "That is not a refusal" in run["result"]["answer"]
    assert (step["status"], step["error"]["code"]) == ("failed", "no_answer")
    assert (found["decision"], found["decided_by"]) == ("no_answer", "omniforge")
    assert found["gives_up_at"] is not None
    assert (late.status_code, late.json()["code"]) == (409, "already_decided")
    assert "no_answer by omniforge, 20" in late.json()["detail"]
    assert platform.service.posts == []


async def test_a_question_that_nobody_answers_is_given_up_likewise(platform: Platform) -> None:
    platform.model.calls(("ask_user", {"question": "Which quarter?"}))
    platform.model.decides(
        lambda request: answer(observed(request)) if len(request.messages) > 1 else None
    )
    limits = {"patience": {"give_up_after_s": 0.3}}

    run = await platform.run(skill("reporter"), limits=limits)

    assert run["status"] == "completed"
    assert "Nobody answered within" in run["result"]["answer"]


@requirement("DUR-2")
async def test_an_effect_of_which_nobody_says_whether_it_happened_stays_in_doubt(
    platform: Platform,
) -> None:
    platform.service.lost_answers = 1
    posting(platform, "post_ask")

    run = await platform.run(skill("poster"), limits={"patience": {"give_up_after_s": 0.3}})
    (step,) = await tool_steps(platform, run["id"])

    assert (step["status"], step["error"]["code"]) == ("failed", "effect_unresolved")
    assert "nobody knows whether it took effect" in run["result"]["answer"]
    assert len(platform.service.posts) == 1


@requirement("DUR-4")
async def test_people_are_reminded_and_others_called_each_once_until_somebody_decides(
    platform: Platform,
) -> None:
    patience = {"remind_after_s": 0.2, "escalate_after_s": 0.4, "escalate_to": "us_boss"}
    question = await asking(platform, limits={"patience": patience})
    execution = question["execution_id"]
    async with asyncio.timeout(PATIENCE):
        while not await listed(platform, execution_id=execution, overdue=True):
            await asyncio.sleep(0.03)
        while (found := await approval(platform, question["id"]))["escalated_at"] is None:
            await asyncio.sleep(0.03)

    await decide(platform, question, "approve")
    await platform.ended(execution)
    told = [event["body"] for event in await platform.events(execution)]

    assert found["decision"] is None
    assert found["reminded_at"] < found["escalated_at"]
    assert found["escalated_to"] == "us_boss"
    assert [event for event in told if event["type"].startswith("approval_")] == [
        {"type": "approval_reminded", "id": question["id"]},
        {"type": "approval_escalated", "id": question["id"], "to": "us_boss"},
    ]


async def test_without_a_name_the_agents_owner_is_called_and_finds_it(platform: Platform) -> None:
    question = await asking(platform, limits={"patience": {"escalate_after_s": 0.1}})

    async with asyncio.timeout(PATIENCE):
        while not (mine := await listed(platform, escalated_to_me=True, open=True)):
            await asyncio.sleep(0.03)
    await decide(platform, question, "reject")
    await platform.ended(question["execution_id"])

    assert [one["id"] for one in mine] == [question["id"]]
    assert await listed(platform, escalated_to_me=True) == []


# ---- one decision ------------------------------------------------------------------------------


@requirement("DUR-4")
async def test_of_two_people_at_once_the_second_is_told_who_decided_and_when(
    platform: Platform,
) -> None:
    question = await asking(platform)

    both = await asyncio.gather(
        decide(platform, question, "edit", arguments={"text": "HELLO"}),
        decide(platform, question, "edit", arguments={"text": "Hi"}),
    )
    run = await platform.ended(question["execution_id"])

    (won,) = [one.json() for one in both if one.status_code == 200]
    (late,) = [one.json() for one in both if one.status_code == 409]
    assert late["code"] == "already_decided"
    assert f"edit by {won['decided_by']}, 20" in late["detail"]
    assert [text for _, text in platform.service.posts] == [won["edited_arguments"]["text"]]
    assert run["status"] == "completed"


@requirement("DUR-4")
async def test_the_same_decision_by_the_same_person_is_answered_as_the_first_time(
    platform: Platform,
) -> None:
    question = await asking(platform)

    first = await decide(platform, question, "edit", arguments={"text": "HELLO"})
    await platform.ended(question["execution_id"])
    again = await decide(platform, question, "edit", arguments={"text": "HELLO"})
    other = await decide(platform, question, "approve")

    assert again.status_code == 200
    assert again.json() == first.json()
    assert (other.status_code, other.json()["code"]) == (409, "already_decided")
    assert len(platform.service.posts) == 1


async def test_a_decision_on_a_run_that_has_ended_is_refused(platform: Platform) -> None:
    question = await asking(platform)
    await platform.api.post(f"/api/v1/executions/{question['execution_id']}/cancel")
    await platform.ended(question["execution_id"])

    late = await decide(platform, question, "approve")

    assert (late.status_code, late.json()["code"]) == (409, "run_finished")
    assert (await approval(platform, question["id"]))["decision"] is None
    assert platform.service.posts == []


async def test_a_decision_in_the_same_moment_as_a_cancel_counts_or_is_refused_but_never_both(
    platform: Platform,
) -> None:
    for _ in range(5):
        question = await asking(platform)
        execution = question["execution_id"]

        decided, _ = await asyncio.gather(
            decide(platform, question, "approve"),
            platform.api.post(f"/api/v1/executions/{execution}/cancel"),
        )
        run = await platform.ended(execution)
        found = await approval(platform, question["id"])

        assert run["status"] in {"cancelled", "completed"}
        assert decided.status_code in {200, 409}, decided.text
        assert found["decision"] == ("approve" if decided.status_code == 200 else None)
    assert len(platform.service.posts) <= 5


async def test_a_decision_in_the_moment_of_giving_up_is_one_or_the_other(
    platform: Platform,
) -> None:
    limits = {"patience": {"give_up_after_s": 0.4}}
    for pause in (0.2, 0.3, 0.35, 0.4):
        before = len(platform.service.posts)
        question = await asking(platform, limits=limits)
        await asyncio.sleep(pause)  # not for an outcome: to come close to the timer from both sides

        decided = await decide(platform, question, "approve")
        await platform.ended(question["execution_id"])
        found = await approval(platform, question["id"])

        won = decided.status_code == 200
        assert decided.status_code in {200, 409}, decided.text
        assert found["decision"] == ("approve" if won else "no_answer")
        assert len(platform.service.posts) - before == (1 if won else 0)


async def test_what_is_decided_while_a_run_is_paused_stays_decided_until_it_goes_on(
    platform: Platform,
) -> None:
    question = await asking(platform)
    execution = question["execution_id"]
    await wish(platform, execution, "pause")

    decided = await decide(platform, question, "approve")
    paused = await platform.execution(execution)
    posted = list(platform.service.posts)
    await wish(platform, execution, None)
    run = await platform.ended(execution)

    assert decided.status_code == 200, decided.text
    assert [wait["kind"] for wait in paused["waits"]] == ["pause"]
    assert posted == []
    assert (run["status"], len(platform.service.posts)) == ("completed", 1)


async def wish(platform: Platform, execution: str, what: Wish | None) -> None:
    handle = platform.temporal.get_workflow_handle(platform.workflow_id(execution))
    wished = Wished(execution_id=execution, tenant_id=platform.tenant_id, wish=what, by="us_anna")
    await handle.execute_update(WISH, wished)


# ---- what is shown -----------------------------------------------------------------------------


async def test_a_run_shows_all_that_it_waits_for(platform: Platform) -> None:
    platform.model.decides(
        lambda request: (
            calling(("post_keyed", {"text": "hello"}), ("ask_user", {"question": "Which?"}))
            if len(request.messages) == 1
            else answer("{}")
        )
    )
    execution = await platform.start(await platform.agent(skill("poster"), **ASKS_FIRST))
    waiting = await platform.until(execution, {"waiting"})
    for question in await listed(platform, execution_id=execution, kind="tool_call"):
        await decide(platform, question, "reject")
    one_less = await platform.execution(execution)
    await platform.api.post(f"/api/v1/executions/{execution}/answer", json={"answer": "This."})
    run = await platform.ended(execution)

    assert waiting["waiting_for"] == "approval"
    assert [(one["kind"], one["node"], one["tool"]) for one in waiting["waits"]] == [
        ("approval", "poster", "post_keyed"),
        ("input", "poster", "ask_user"),
    ]
    assert waiting["waits"][1]["question"] == "Which?"
    assert all(one["since"] >= waiting["started_at"] for one in waiting["waits"])
    assert [one["kind"] for one in one_less["waits"]] == ["input"]
    assert run["waits"] == []


async def test_approvals_are_found_by_run_agent_and_kind_and_say_whose_they_are(
    platform: Platform,
) -> None:
    question = await asking(platform, name="weekly poster")
    execution, agent = question["execution_id"], question["agent_id"]

    by_agent = await listed(platform, agent_id=agent)
    of_another = await listed(platform, agent_id="ag_other")
    by_kind = await listed(platform, execution_id=execution, kind="input")
    overdue = await listed(platform, execution_id=execution, overdue=True)
    unknown = await platform.api.get("/api/v1/approvals/ask-unknown")
    await decide(platform, question, "reject")
    await platform.ended(execution)
    closed = await listed(platform, execution_id=execution, open=False)

    assert [one["id"] for one in by_agent] == [question["id"]]
    assert (of_another, by_kind, overdue) == ([], [], [])
    assert (question["agent_name"], question["age_s"] >= 0) == ("weekly poster", True)
    assert [one["decision"] for one in closed] == ["reject"]
    assert (unknown.status_code, unknown.json()["code"]) == (404, "approval_not_found")
