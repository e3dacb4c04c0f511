"""A rehearsal of an agent: nothing leaves, and every answer says where it comes from."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx2

from omniforge.execution.rehearsal import Rehearsal, Said
from omniforge.execution.work import Script
from omniforge.journal.steps import EffectClass
from omniforge.tools.functions import FunctionTool
from omniforge.tools.protocol import Tool, ToolCallContext, ToolSpec
from tests.modes.driving import comparison, held, refused, replayed, tried
from tests.support.http_service import CountingHttpService
from tests.support.platform import Platform, running_platform, skill, temporal_server
from tests.support.requirements import requirement
from tests.support.scripted import Reply, answer, calling

ANYTHING: Mapping[str, Any] = {"type": "object"}


class Telling:
    """A tool that sends, whatever it says of itself, to a real server."""

    def __init__(self, name: str, service: CountingHttpService, kind: object) -> None:
        self.spec = ToolSpec(
            name,
            "Sends.",
            ANYTHING,
            effect=EffectClass.READ,
        )
        self._service, self._kind = service, kind

    def effect_of(self, arguments: Mapping[str, Any]) -> EffectClass:
        if isinstance(self._kind, Exception):
            raise self._kind
        return self._kind  # type: ignore[return-value]  # a tool that breaks its contract

    async def run(self, arguments: Mapping[str, Any], context: ToolCallContext) -> Any:
        async with httpx2.AsyncClient(trust_env=False) as client:
            return (await client.post(self._service.url, json=dict(arguments))).status_code


def senders(service: CountingHttpService) -> list[Tool]:
    kinds: dict[str, object] = {
        **{f"send_{kind}": kind for kind in EffectClass if kind is not EffectClass.READ},
        "send_none": None,
        "send_odd": "harmless",
        "send_broken": ValueError("which class?"),
    }
    return [Telling(name, service, kind) for name, kind in kinds.items()]


@requirement("DRY-1", "FR-5")
async def test_no_write_of_any_tool_reaches_the_outside(tmp_path: Path) -> None:
    async with CountingHttpService() as service:
        posts: list[tuple[str, dict[str, Any]]] = [
            ("http_post", {"url": service.url, "json": {"to": "ann"}}),
            ("http_post", {"url": service.url, "body": "x", "idempotency_header": "Key"}),
            ("post_keyed", {"text": "a"}),
            ("post_findable", {"text": "b"}),
            ("post_ask", {"text": "c"}),
            *((tool.spec.name, {"to": "bob"}) for tool in senders(service)),
        ]
        tools = tuple(senders(service))
        async with (
            temporal_server() as temporal,
            running_platform(tmp_path, temporal, tools=tools) as platform,
        ):
            platform.model.calls(*posts).answers('{"done": true}')
            agent = await platform.agent(skill("sender"), status="draft")

            run = await tried(platform, agent)
            calls = await held(platform, run["id"])
            steps = [step for step in await platform.steps(run["id"]) if step["kind"] == "tool"]

            assert (run["status"], run["mode"]) == ("completed", "dry_run")
            assert service.requests == []
            assert platform.service.posts == []
            assert [(call["tool"], call["arguments"]) for call in calls] == posts
            assert all(call["node"] == "sender" and call["effect_class"] for call in calls)
            assert {(step["origin"], step["sends"]) for step in steps} == {("invented", 0)}
            assert run["usage"]["tool_calls"] == 0


@requirement("DRY-1")
async def test_reads_are_real_and_files_are_written_for_real_inside_the_run(
    platform: Platform,
) -> None:
    async with CountingHttpService() as service:
        body = (
            f"1. Look: `http_get {json.dumps({'url': service.url})}`\n"
            '2. Keep: `write_file {"path": "a.txt", "content": "status ${steps.1.status}"}`\n'
            '3. Answer: `{"status": "${steps.1.status}"}`'
        )
        run = await tried(platform, await platform.agent(skill("reader", body)))
        steps = await platform.steps(run["id"])

    assert run["result"] == {"status": 201}
    assert len(service.requests) == 1
    assert {step["origin"] for step in steps} == {"real"}
    assert await held(platform, run["id"]) == []
    assert (
        await platform.api.get(f"/api/v1/executions/{run['id']}/artifacts/a.txt")
    ).text == "status 201"


@requirement("DRY-1")
async def test_answers_of_the_test_stand_in_for_tools_and_are_labelled_recorded(
    platform: Platform,
) -> None:
    seen: list[str] = []

    def decide(request: Any) -> Reply:
        seen.extend(one.content for one in request.messages[-1].answers)
        turn = len(request.messages) // 2
        name = "one" if 'name="one"' in request.system else "two"
        return calling(("clock", {}), ("post_ask", {"text": name})) if turn < 2 else answer("{}")

    platform.model.decides(decide)
    agent = await platform.agent(skill("one", order=1), skill("two", order=2))

    run = await tried(
        platform,
        agent,
        answers={
            "clock": ["first", "second"],
            "post_ask": {"id": 1},
            "two/clock": "only",
            "nobody/clock": "never",
        },
    )
    steps = [step for step in await platform.steps(run["id"]) if step["kind"] == "tool"]

    assert seen == ["first", '{"id": 1}', "second", '{"id": 1}', *(["only", '{"id": 1}'] * 2)]
    assert {step["origin"] for step in steps} == {"recorded"}
    assert len(await held(platform, run["id"])) == 4
    assert platform.service.posts == []


@requirement("DRY-1")
async def test_an_earlier_run_can_lend_its_answers_to_the_same_calls(platform: Platform) -> None:
    def decide(request: Any) -> Reply:
        if len(request.messages) == 1:
            return calling(
                ("post_keyed", {"text": "a"}), ("read_file", {"path": "nix"}), ("clock", {})
            )
        return answer("{}")

    platform.model.decides(decide)
    run = await platform.run(skill("poster"))

    dry = await tried(platform, run["agent_id"], answers_of=run["id"])
    steps = await platform.steps(dry["id"])

    lent = [step for step in await platform.steps(run["id"]) if step["kind"] == "tool"]
    given = [step for step in steps if step["kind"] == "tool"]
    assert [one["answer"] for one in given] == [one["answer"] for one in lent]
    assert [one["status"] for one in given] == [one["status"] for one in lent]
    assert [one["origin"] for one in given] == ["recorded"] * 3
    assert len(platform.service.posts) == 1


@requirement("DRY-1")
async def test_nobody_is_asked_anything_and_the_run_does_not_wait(platform: Platform) -> None:
    said: list[str] = []

    def decide(request: Any) -> Reply:
        said.extend(one.content for one in request.messages[-1].answers)
        if len(request.messages) == 1:
            return calling(
                ("ask_user", {"question": "Which?"}), ("clock", {}), ("post_ask", {"text": "x"})
            )
        return answer("{}")

    rules = [{"action": "ask", "tool": "clock"}, {"action": "ask", "tool": "post_*"}]
    platform.model.decides(decide)
    agent = await platform.agent(skill("asker"), permissions=rules)

    invented = await tried(platform, agent)
    given = await tried(platform, agent, answers={"ask_user": "The third."})

    assert invented["status"] == given["status"] == "completed"
    assert "nobody was asked" in said[0]
    assert "held back" in said[1]
    assert json.loads(said[3]) == {"answer": "The third.", "answered_by": "the test"}


async def test_a_call_that_the_tool_would_refuse_is_refused_in_a_dry_run(
    platform: Platform,
) -> None:
    both = {"url": "http://127.0.0.1/x", "json": 1, "body": "x"}
    platform.model.calls(("http_post", both), ("post_keyed", {})).answers("{}")

    run = await tried(platform, await platform.agent(skill("sender")))
    steps = [step for step in await platform.steps(run["id"]) if step["kind"] == "tool"]

    assert [step["status"] for step in steps] == ["failed", "failed"]
    assert "json or body, not both" in steps[0]["error"]["message"]


async def test_a_replay_of_a_dry_run_is_the_same_and_keeps_its_labels(platform: Platform) -> None:
    platform.model.calls(("post_keyed", {"text": "a"}), ("clock", {})).answers("{}")
    run = await tried(platform, await platform.agent(skill("poster")), answers={"clock": "noon"})

    replay = await replayed(platform, run["id"])
    steps = await platform.steps(replay["id"])

    assert (await comparison(platform, replay["id"]))["identical"]
    assert [step["origin"] for step in steps if step["kind"] == "tool"] == ["invented", "recorded"]


@requirement("FR-5")
async def test_an_integration_test_does_everything_and_is_marked_as_one(platform: Platform) -> None:
    platform.model.calls(("post_keyed", {"text": "a"})).answers("{}")
    agent = await platform.agent(skill("poster"), status="draft")

    run = await tried(platform, agent, mode="integration")
    status, code, _ = await refused(
        platform, f"agents/{agent}/test", mode="integration", answers={"clock": 1}
    )

    assert (run["status"], run["mode"]) == ("completed", "integration")
    assert len(platform.service.posts) == 1
    assert (status, code) == (400, "rejected")


async def test_an_archived_agent_is_not_tried_out(platform: Platform) -> None:
    agent = await platform.agent(skill("once"))
    await platform.api.post(f"/api/v1/agents/{agent}/archive")

    status, code, _ = await refused(platform, f"agents/{agent}/test")

    assert (status, code) == (409, "agent_not_active")


async def test_the_web_ui_says_what_kind_of_run_it_is(platform: Platform) -> None:
    run = await tried(platform, await platform.agent(skill("once")))

    handle = platform.temporal.get_workflow_handle(platform.workflow_id(run["id"]))

    assert await (await handle.describe()).static_summary() == "test agent (dry run)"


async def test_the_same_request_under_one_key_is_one_test(platform: Platform) -> None:
    agent = await platform.agent(skill("once"))
    path, headers = f"/api/v1/agents/{agent}/test", {"Idempotency-Key": f"key-{agent}"}

    answers = [
        await platform.api.post(path, json=body, headers=headers)
        for body in ({}, {}, {"mode": "integration"})
    ]

    assert answers[0].json()["execution_id"] == answers[1].json()["execution_id"]
    assert answers[2].status_code == 409
    await platform.ended(answers[0].json()["execution_id"])


def test_what_a_rehearsal_says_is_the_same_for_a_second_worker() -> None:
    """The second worker goes through the same calls, so its third gets the third answer."""

    async def never(_: Mapping[str, Any], __: ToolCallContext) -> None:
        raise AssertionError("a rehearsal called a tool")

    tool = FunctionTool(ToolSpec("send", "Sends.", ANYTHING, EffectClass.ASK), never)
    script = Script({"send": [1, [2], {"three": 3}]})

    def casts() -> list[Any]:
        rehearsal = Rehearsal("node", script)
        chosen = [rehearsal.stand_in(tool, {"n": n}, is_harmless=False) for n in range(4)]
        return [one.answer for one in chosen if isinstance(one, Said)]

    assert casts() == casts() == [1, [2], {"three": 3}, {"three": 3}]
