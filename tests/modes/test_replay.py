"""A run played again from its record: the same in canonical form, and nothing is called."""

import asyncio
from typing import Any

import pytest

from omniforge.errors import ModelAuthFailed
from tests.modes.driving import comparison, ended_as, refused, replayed
from tests.support.platform import Platform, skill
from tests.support.requirements import requirement
from tests.support.scripted import answer, calling, later

WRITE = """\
1. Note it: `write_file {"path": "note.txt", "content": "for ${input.who}"}`
2. Answer: `{"who": "${input.who}"}`"""
READ = """\
1. Read it: `read_file {"path": "note.txt"}`
2. Answer: `{"note": "${steps.1.content}", "who": "${input.who}"}`"""


async def assert_same(platform: Platform, run: dict[str, Any]) -> dict[str, Any]:
    """Replay a run and compare all that can be seen of both."""
    posts = list(platform.service.posts)
    replay = await replayed(platform, run["id"])
    found = await comparison(platform, replay["id"])

    assert found["difference"] is None
    assert found["identical"]
    assert ended_as(replay) == ended_as(run)
    assert (replay["mode"], replay["source_id"]) == ("replay", run["id"])
    assert platform.service.posts == posts
    return replay


@requirement("DUR-5")
async def test_a_replay_does_the_same_without_model_or_tool_and_spends_nothing(
    platform: Platform,
) -> None:
    platform.model.costs("0.00001")
    platform.model.calls(("post_keyed", {"text": "hello"})).answers('{"posted": true}')
    run = await platform.run(skill("poster"), limits={"budget_usd": "5"})

    replay = await assert_same(platform, run)
    steps = await platform.steps(replay["id"])

    assert float(run["cost_usd"]) > 0
    assert (float(replay["cost_usd"]), replay["usage"]["model_calls"]) == (0, 0)
    assert [(step["name"], step["origin"]) for step in steps[1:]] == [
        ("model", "recorded"),
        ("post_keyed", "recorded"),
        ("model", "recorded"),
    ]


@requirement("DUR-5")
async def test_files_and_outputs_are_handed_on_in_a_replay_as_they_were(platform: Platform) -> None:
    run = await platform.run(
        skill("write", WRITE, 1), skill("read", READ, 2), input_data={"who": "Ada"}
    )

    replay = await assert_same(platform, run)
    path = f"/api/v1/executions/{replay['id']}/artifacts/note.txt"

    assert (await platform.api.get(path)).text == "for Ada"


@requirement("DUR-5")
@pytest.mark.parametrize("seconds", [None, 1])
async def test_a_replay_ends_where_a_failure_or_a_time_out_ended_its_original(
    platform: Platform, seconds: int | None
) -> None:
    """Beside the one that ends the run, one skill is stopped in its midst, and one never begins."""

    def decide(request: Any) -> Any:
        if 'name="ending"' in request.system:
            if seconds:
                return later(30, answer("late"))
            return later(0.4, ModelAuthFailed("the key is not accepted"))
        if len(request.messages) == 1:
            return calling(("clock", {}), ("post_ask", {"text": "hi"}), text="Two so far.")
        return later(60, answer("never"))

    platform.model.decides(decide)
    run = await platform.run(
        skill("beside", order=1),
        skill("ending", order=1, timeout_s=seconds),
        skill("after", order=2),
    )

    await assert_same(platform, run)

    assert run["status"] == ("timed_out" if seconds else "failed")
    assert len(run["skill_results"]) == 2


@requirement("DUR-5")
async def test_a_cancelled_run_is_replayed_as_far_as_it_went(platform: Platform) -> None:
    platform.model.decides(
        lambda request: (
            calling(("clock", {})) if len(request.messages) == 1 else later(60, answer("never"))
        )
    )
    execution = await platform.start(await platform.agent(skill("left"), skill("right")))
    async with asyncio.timeout(20):
        while len(await platform.steps(execution)) < 6:
            await asyncio.sleep(0.05)
    await platform.api.post(f"/api/v1/executions/{execution}/cancel")

    await assert_same(platform, await platform.ended(execution))


@requirement("DUR-5")
async def test_what_people_decided_is_played_and_nobody_is_asked_again(platform: Platform) -> None:
    turns = {
        1: calling(("post_ask", {"text": "a"}), ("ask_user", {"question": "Which?"})),
        3: calling(("post_keyed", {"text": "b"})),
    }
    platform.model.decides(lambda request: turns.get(len(request.messages), answer("done")))
    platform.service.lost_answers = 1
    rules = [{"action": "ask", "tool": "post_keyed"}]
    execution = await platform.start(await platform.agent(skill("poster"), permissions=rules))
    decisions = {"effect": "happened", "input": "answer", "tool_call": "reject"}
    while (await platform.until(execution, {"waiting", "completed"}))["status"] == "waiting":
        asked = (await platform.api.get("/api/v1/approvals")).json()["approvals"]
        for one in [one for one in asked if one["execution_id"] == execution]:
            body = {"decision": decisions[one["kind"]], "reason": "because"}
            await platform.api.post(f"/api/v1/approvals/{one['id']}", json=body)

    await assert_same(platform, await platform.ended(execution))


@requirement("DUR-5")
async def test_a_run_that_went_in_circles_does_so_again(platform: Platform) -> None:
    platform.model.decides(lambda _: calling(("clock", {}), ("nonsense", {"a": 1})))

    run = await platform.run(skill("circler"))

    assert run["error_code"] == "repetition"
    await assert_same(platform, run)


async def test_a_replay_of_a_replay_is_the_same_again(platform: Platform) -> None:
    run = await platform.run(skill("once", '1. Look: `clock {}`\n2. Answer: `{"ok": true}`'))

    first = await replayed(platform, run["id"])
    await assert_same(platform, first)


async def test_a_replay_follows_the_version_of_its_original_also_when_the_agent_is_archived(
    platform: Platform,
) -> None:
    run = await platform.run(skill("greet", "1. Answer: `old`"))
    agent = f"/api/v1/agents/{run['agent_id']}"
    await platform.api.patch(agent, json={"skills": [skill("other", "1. Answer: `new`")]})
    await platform.api.post(f"{agent}/archive")

    replay = await assert_same(platform, run)

    assert replay["agent_version"] == 1


async def test_a_run_that_still_goes_on_is_not_replayed(platform: Platform) -> None:
    platform.model.decides(lambda _: later(60, answer("never")))
    execution = await platform.start(await platform.agent(skill("slow")))

    status, code, detail = await refused(platform, f"executions/{execution}/replay")
    await platform.api.post(f"/api/v1/executions/{execution}/cancel")
    await platform.ended(execution)

    assert (status, code) == (409, "run_not_finished")
    assert "Wait for its end" in detail


async def test_only_what_comes_from_another_run_can_be_compared(platform: Platform) -> None:
    run = await platform.run(skill("once"))

    answered = await platform.api.get(f"/api/v1/executions/{run['id']}/comparison")

    assert (answered.status_code, answered.json()["code"]) == (400, "record_unusable")


@requirement("STA-1")
async def test_tests_replays_and_forks_are_no_runs_of_the_agent_in_its_figures(
    platform: Platform,
) -> None:
    run = await platform.run(skill("once"))
    agent, execution = run["agent_id"], run["id"]
    for path, body in (
        (f"executions/{execution}/replay", {}),
        (f"executions/{execution}/fork", {"node": "once", "step": 1}),
        (f"agents/{agent}/test", {}),
        (f"agents/{agent}/test", {"mode": "integration"}),
    ):
        started = await platform.api.post(f"/api/v1/{path}", json=body)
        ended = await platform.ended(started.json()["execution_id"])
        assert ended["status"] == "completed"

    body = (await platform.api.get(f"/api/v1/agents/{agent}")).json()

    assert body["usage_stats"]["total_runs"] == 1
    assert body["last_run"] == run["started_at"]
