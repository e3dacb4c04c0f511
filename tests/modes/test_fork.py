"""A run gone on from one of its steps, with something changed."""

from typing import Any

import pytest

from omniforge.llm.protocol import Completion
from tests.modes.driving import comparison, ended_as, forked, held, refused, replayed, tried
from tests.support.platform import Platform, skill
from tests.support.requirements import requirement
from tests.support.scripted import Reply, answer, calling, later


def last_answer(request: Completion) -> Reply:
    return answer(request.messages[-1].answers[-1].content)


def posting_twice(request: Completion) -> Reply:
    """Posts `first`, then what its task says, and answers with what came of it."""
    said = len(request.messages)
    if said == 1:
        return calling(("post_keyed", {"text": "first"}))
    if said == 3:
        return calling(("post_ask", {"text": "second"}))
    return last_answer(request)


@requirement("DUR-5")
async def test_a_fork_repeats_no_effect_before_its_step_and_does_all_after_it(
    platform: Platform,
) -> None:
    platform.model.costs("0.00001").decides(posting_twice)
    run = await platform.run(skill("poster"))
    before = len(platform.model.asked)
    platform.model.decides(
        lambda request: (
            calling(("post_ask", {"text": "other"}))
            if len(request.messages) == 3
            else last_answer(request)
        )
    )

    fork = await forked(platform, run["id"], node="poster", step=3)
    steps = await platform.steps(fork["id"])
    found = await comparison(platform, fork["id"])

    assert [text for _, text in platform.service.posts] == ["first", "second", "other"]
    assert (fork["mode"], fork["source_id"]) == ("fork", run["id"])
    assert (fork["fork"]["node"], fork["fork"]["step"]) == ("poster", 3)
    assert fork["result"] == {"posted": "other"}
    assert [step["origin"] for step in steps[1:]] == ["recorded"] * 2 + ["real"] * 3
    assert len(platform.model.asked) - before == 2
    assert fork["usage"]["model_calls"] == 2
    assert 0 < float(fork["cost_usd"]) < float(run["cost_usd"])
    assert (found["identical"], found["difference"]["node"]) == (False, "poster")


@requirement("DUR-5")
async def test_skills_before_are_played_and_skills_after_are_done_anew(platform: Platform) -> None:
    def decide(request: Completion) -> Reply:
        name = request.system.split('<skill name="')[1].split('"')[0]
        said = [answer(f'{{"from": "{name} {len(platform.model.asked)}"}}')]
        calls = [calling(("post_keyed", {"text": name}))]
        return (calls + said)[len(request.messages) // 2]

    platform.model.decides(decide)
    names = ["first", "beside", "middle", "last"]
    skills = [
        skill("first", order=1),
        skill("beside", order=1),
        skill("middle", depends_on=["first"]),
        skill("last", depends_on=["middle", "beside"]),
    ]
    run = await platform.run(*skills)
    sent = len(platform.service.posts)

    fork = await forked(platform, run["id"], node="middle", step=1)

    outputs = [{one["id"]: one["output"] for one in each["skill_results"]} for each in (run, fork)]
    assert {name for name in names if outputs[0][name] == outputs[1][name]} == {"first", "beside"}
    assert [text for _, text in platform.service.posts[sent:]] == ["middle", "last"]


@requirement("DUR-5")
async def test_another_text_model_or_input_is_used_while_the_turns_before_are_kept(
    platform: Platform,
) -> None:
    platform.model.decides(posting_twice)
    agent = await platform.agent(skill("poster", "Post it."))
    run = await platform.ended(await platform.start(agent, {"week": 1}))
    changed = skill("poster", "Post it politely.")["files"]

    fork = await forked(
        platform,
        run["id"],
        node="poster",
        step=3,
        input_data={"week": 2},
        model="scripted-2",
        skills={"poster": {"files": changed}},
    )
    asked = platform.model.asked[-1]
    versions = (await platform.api.get(f"/api/v1/agents/{agent}")).json()["version"]

    assert fork["status"] == "completed"
    assert (asked.model, "Post it politely." in asked.system) == ("scripted-2", True)
    assert '"week": 2' in asked.messages[0].text
    assert [message.calls[0].name for message in asked.messages if message.calls] == [
        "post_keyed",
        "post_ask",
    ]
    assert (versions, fork["agent_version"]) == (1, 1)


@requirement("DUR-5")
async def test_forks_of_forks_and_their_replays_keep_what_was_changed(platform: Platform) -> None:
    platform.model.decides(posting_twice)
    run = await platform.run(skill("poster", "Post it."))
    changed = skill("poster", "Post it politely.")["files"]
    first = await forked(
        platform, run["id"], node="poster", step=3, skills={"poster": {"files": changed}}
    )

    second = await forked(platform, first["id"], node="poster", step=5, model="scripted-2")
    asked = platform.model.asked[-1]
    replay = await replayed(platform, second["id"])
    same = await comparison(platform, replay["id"])

    assert len(platform.service.posts) == 3
    assert (asked.model, "Post it politely." in asked.system) == ("scripted-2", True)
    assert ended_as(replay) == ended_as(second)
    assert same["identical"], same


WRITING = """\
1. Write: `write_file {"path": "a.txt", "content": "one"}`
2. Write: `write_file {"path": "b.txt", "content": "two"}`
3. List: `list_files {}`
4. Read: `read_file {"path": "a.txt"}`
5. Answer: `{"files": "${steps.3.count}", "a": "${steps.4.content}"}`"""


async def test_a_fork_finds_the_files_as_the_step_before_left_them(platform: Platform) -> None:
    run = await platform.run(skill("writer", WRITING))

    early = await forked(platform, run["id"], node="writer", step=3)
    late = await forked(
        platform, run["id"], node="writer", step=5, files={"a.txt": "other", "c.txt": "three"}
    )
    replay = await replayed(platform, late["id"])

    assert run["result"] == early["result"] == {"files": 2, "a": "one"}
    assert late["result"] == {"files": 3, "a": "other"}
    assert replay["result"] == late["result"]
    path = f"/api/v1/executions/{replay['id']}/artifacts/c.txt"
    assert (await platform.api.get(path)).text == "three"


async def test_given_files_reach_a_skill_that_is_done_anew_and_those_after_it(
    platform: Platform,
) -> None:
    reading = '1. Read: `read_file {"path": "in.txt"}`\n2. Answer: `{"in": "${steps.1.content}"}`'
    agent = await platform.agent(skill("one", reading, 1), skill("two", reading, 2))
    execution = await platform.start(agent, files={"in.txt": "old"})
    await platform.ended(execution)

    fork = await forked(platform, execution, node="one", step=0, files={"in.txt": "new"})

    assert [one["output"] for one in fork["skill_results"]] == [{"in": "new"}] * 2


async def test_a_failed_skill_can_be_gone_on_from_where_it_failed(platform: Platform) -> None:
    platform.model.decides(
        lambda request: (
            calling(("post_keyed", {"text": "x"}))
            if len(request.messages) == 1
            else later(60, answer(""))
        )
    )
    run = await platform.run(skill("slow", timeout_s=1))
    platform.model.decides(last_answer)

    fork = await forked(platform, run["id"], node="slow", step=3)

    assert (run["status"], fork["status"]) == ("timed_out", "completed")
    assert len(platform.service.posts) == 1


@requirement("DRY-1")
async def test_a_fork_of_a_dry_run_is_one(platform: Platform) -> None:
    platform.model.decides(posting_twice)
    run = await tried(platform, await platform.agent(skill("poster")))

    fork = await forked(platform, run["id"], node="poster", step=3)

    assert platform.service.posts == []
    assert [call["arguments"]["text"] for call in await held(platform, fork["id"])] == [
        "first",
        "second",
    ]
    assert {
        step["origin"] for step in await platform.steps(fork["id"]) if step["kind"] == "tool"
    } == {"invented"}


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"node": "nobody", "step": 1}, "no skill 'nobody'. It has: first, second, never."),
        ({"node": "second", "step": 99}, "has 5 steps on record"),
        ({"node": "never", "step": 1}, "never came to 'never'"),
        ({"node": "second", "step": 3}, "Fork from 1, where the model speaks, or from 2"),
        (
            {"node": "second", "step": 1, "skills": {"first": skill("first")["files"]}},
            "a change of it would change nothing",
        ),
        ({"node": "second", "step": 1, "skills": {"x": {"SKILL.md": ""}}}, "no skill 'x'"),
    ],
)
async def test_a_place_that_is_none_is_refused_and_the_way_out_is_told(
    platform: Platform, body: dict[str, Any], words: str
) -> None:
    platform.model.decides(
        lambda request: (
            (calling(("clock", {}), ("list_files", {})) if len(request.messages) == 1 else None)
            if 'name="second"' in request.system
            else None
        )
    )
    body = body | {
        "skills": {node: {"files": files} for node, files in body.get("skills", {}).items()}
    }
    agent = await platform.agent(
        skill("first", order=1),
        skill("second", "1. Look: `read_file {}`", 2),
        skill("never", order=3),
    )
    run = await platform.ended(await platform.start(agent))

    status, code, detail = await refused(platform, f"executions/{run['id']}/fork", **body)

    assert (status, code) == (400, "record_unusable")
    assert words in detail


async def test_an_effect_in_doubt_is_not_gone_past(platform: Platform) -> None:
    platform.model.decides(
        lambda request: (
            calling(("post_ask", {"text": "x"}), ("clock", {}))
            if 'name="poster"' in request.system
            else answer("done")
        )
    )
    platform.service.lost_answers = 1
    execution = await platform.start(await platform.agent(skill("poster"), skill("other", "x")))
    await platform.until(execution, {"waiting"})
    await platform.api.post(f"/api/v1/executions/{execution}/cancel")
    await platform.ended(execution)

    for body in ({"node": "poster", "step": 4}, {"node": "other", "step": 1}):
        status, code, detail = await refused(platform, f"executions/{execution}/fork", **body)
        assert (status, code) == (400, "record_unusable"), detail
        assert "could do it twice" in detail
