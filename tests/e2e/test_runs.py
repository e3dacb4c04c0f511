"""Runs through the whole product: HTTP, workflow, activities, executor, journal, store."""

import asyncio

from temporalio.client import WorkflowExecutionStatus

from omniforge.errors import ModelAuthFailed, ModelOverloaded
from omniforge.llm.protocol import Completion, Turn
from tests.support.platform import FINAL, Platform, skill
from tests.support.requirements import requirement
from tests.support.scripted import answer, calling, later

WRITE = """\
1. Note it: `write_file {"path": "note.txt", "content": "for ${input.who}"}`
2. Answer: `{"who": "${input.who}"}`"""
READ = """\
1. Read it: `read_file {"path": "note.txt"}`
2. Answer: `{"note": "${steps.1.content}", "who": "${input.who}"}`"""


@requirement("FR-4", "FR-6")
async def test_an_agent_of_one_skill_answers(platform: Platform) -> None:
    run = await platform.run(
        skill("greet", '1. Answer: `{"text": "hello ${input.who}"}`'), input_data={"who": "you"}
    )

    assert run["status"] == "completed"
    assert run["result"] == {"text": "hello you"}


@requirement("FR-7", "EXE-2", "PAR-1")
async def test_output_and_files_flow_from_skill_to_skill(platform: Platform) -> None:
    run = await platform.run(
        skill("write", WRITE, 1), skill("read", READ, 2), input_data={"who": "Ada"}
    )

    assert run["result"] == {"note": "for Ada", "who": "Ada"}
    assert [one["status"] for one in run["skill_results"]] == ["completed", "completed"]
    assert run["skill_results"][0]["output"] == {"who": "Ada"}
    assert run["usage"]["tool_calls"] == 2
    assert run["usage"]["model_calls"] == 4


@requirement("FR-11", "PAR-1")
async def test_skills_of_equal_order_run_side_by_side_and_join_by_id(platform: Platform) -> None:
    """Each of the two waits for the other to have begun, so one after another would never end."""
    begun = {"left": asyncio.Event(), "right": asyncio.Event()}

    async def meet(name: str, other: str) -> Turn:
        begun[name].set()
        await asyncio.wait_for(begun[other].wait(), 20)
        return answer(f'{{"from": "{name}"}}')

    platform.model.decides(
        lambda request: (
            meet("left", "right")
            if 'name="left"' in request.system
            else meet("right", "left")
            if 'name="right"' in request.system
            else None
        )
    )

    run = await platform.run(
        skill("left", order=1),
        skill("right", order=1),
        skill("join", '1. Answer: `{"a": "${input.left.from}", "b": "${input.right.from}"}`', 2),
    )

    assert run["result"] == {"a": "left", "b": "right"}


@requirement("FR-7", "EXE-2")
async def test_a_failed_skill_stops_the_run_and_keeps_earlier_outputs(platform: Platform) -> None:
    platform.model.answers('{"found": 3}').fails(ModelAuthFailed("the key is not accepted"))

    run = await platform.run(skill("find", order=1), skill("post", order=2), skill("last", order=3))

    assert run["status"] == "failed"
    assert (run["error_code"], run["error_skill"]) == ("model_auth_failed", "post")
    assert "key is not accepted" in run["error"]
    assert [(one["id"], one["status"]) for one in run["skill_results"]] == [
        ("find", "completed"),
        ("post", "failed"),
    ]
    assert run["skill_results"][0]["output"] == {"found": 3}


@requirement("EXE-4", "RAC-2")
async def test_a_time_out_ends_a_skill_with_what_it_had(platform: Platform) -> None:
    platform.model.decides(
        lambda request: (
            calling(("clock", {}), text="I have found two so far.")
            if len(request.messages) == 1
            else later(30, answer("too late"))
        )
    )

    run = await platform.run(skill("slow", timeout_s=1))

    assert run["status"] == "timed_out"
    assert run["error_code"] == "skill_timed_out"
    assert run["skill_results"][0]["output"] == {"partial": "I have found two so far."}


@requirement("RAC-3")
async def test_a_model_that_is_overloaded_for_a_moment_costs_no_run(platform: Platform) -> None:
    platform.model.fails(ModelOverloaded("busy")).answers('{"ok": true}')

    run = await platform.run(skill("patient"))

    assert run["result"] == {"ok": True}


@requirement("DUR-3")
async def test_cancel_reaches_a_running_skill_and_keeps_what_is_recorded(
    platform: Platform,
) -> None:
    platform.model.decides(
        lambda request: (
            calling(("clock", {})) if len(request.messages) == 1 else later(60, answer("never"))
        )
    )
    execution = await platform.start(await platform.agent(skill("long")))
    async with asyncio.timeout(20):
        while len(await platform.steps(execution)) < 3:
            await asyncio.sleep(0.05)

    accepted = await platform.api.post(f"/api/v1/executions/{execution}/cancel")
    run = await platform.ended(execution)
    again = await platform.api.post(f"/api/v1/executions/{execution}/cancel")

    assert accepted.status_code == 202
    assert (run["status"], run["error_code"]) == ("cancelled", "cancelled")
    assert run["skill_results"][0]["status"] == "cancelled"
    assert again.status_code == 409
    assert again.json()["code"] == "run_finished"


@requirement("SKL-7")
async def test_an_edit_never_touches_a_running_run(platform: Platform) -> None:
    gate = asyncio.Event()

    async def held() -> Turn:
        await gate.wait()
        return answer("{}")

    platform.model.decides(lambda request: held() if 'name="first"' in request.system else None)
    agent = await platform.agent(
        skill("first", order=1), skill("second", '1. Answer: `{"version": "old"}`', 2)
    )
    execution = await platform.start(agent)

    changed = await platform.api.patch(
        f"/api/v1/agents/{agent}",
        json={
            "skills": [
                skill("first", order=1),
                skill("second", '1. Answer: `{"version": "new"}`', 2),
            ]
        },
    )
    gate.set()
    old = await platform.ended(execution)
    new = await platform.ended(await platform.start(agent))

    assert changed.json()["version"] == 2
    assert (old["agent_version"], old["result"]) == (1, {"version": "old"})
    assert (new["agent_version"], new["result"]) == (2, {"version": "new"})


@requirement("STA-1")
async def test_usage_and_last_run_are_counted_from_the_runs(platform: Platform) -> None:
    agent = await platform.agent(skill("once"))
    platform.model.answers("fine").fails(ModelAuthFailed("no"))
    runs = [await platform.ended(await platform.start(agent)) for _ in range(2)]

    body = (await platform.api.get(f"/api/v1/agents/{agent}")).json()

    assert [run["status"] for run in runs] == ["completed", "failed"]
    assert body["usage_stats"]["total_runs"] == 2
    assert body["usage_stats"]["successful_runs"] == 1
    assert body["last_run"] == runs[1]["started_at"]


async def test_the_web_ui_shows_what_a_run_is_and_how_far_it_is(platform: Platform) -> None:
    run = await platform.run(skill("first", order=1), skill("second", order=2))

    handle = platform.temporal.get_workflow_handle(platform.workflow_id(run["id"]))
    await handle.result()
    description = await handle.describe()
    history = await handle.fetch_history()

    assert description.status is WorkflowExecutionStatus.COMPLETED
    assert await description.static_summary() == "test agent"
    assert description.typed_search_attributes.get(_of("OfTenant")) == platform.tenant_id
    assert description.typed_search_attributes.get(_of("OfAgent")) == run["agent_id"]
    assert _activity_ids(history) == ["first#0", "second#0"]
    assert run["temporal_url"].endswith(f"run%2F{platform.tenant_id}%2F{run['id']}")


@requirement("BUD-2")
async def test_a_run_stops_before_the_call_that_could_pass_its_budget(platform: Platform) -> None:
    platform.model.costs("0.000001").decides(looking_around)

    limits = {"budget_usd": "0.02", "max_iterations": 300}
    execution = await platform.start(await platform.agent(skill("costly"), limits=limits))
    await platform.until(execution, {"waiting", *FINAL})
    await platform.api.post(f"/api/v1/executions/{execution}/cancel")
    run = await platform.ended(execution)

    assert run["status"] == "cancelled"
    assert 0 < float(run["cost_usd"]) <= 0.02
    assert len(platform.model.asked) > 1


async def test_a_long_run_leaves_a_small_history(platform: Platform) -> None:
    """100 model calls and a transcript of over 100,000 tokens; the target is under 100 KB."""
    platform.model.takes(1_000_000).decides(
        lambda request: answer("done") if len(request.messages) > 200 else looking_around(request)
    )
    run = await platform.run(skill("long"), limits={"max_iterations": 120})

    handle = platform.temporal.get_workflow_handle(platform.workflow_id(run["id"]))
    history = await handle.fetch_history()
    size = sum(event.ByteSize() for event in history.events)

    assert run["status"] == "completed", run["error"]
    assert run["usage"]["model_calls"] == 101
    assert size < 100_000


def looking_around(request: Completion) -> Turn:
    """A turn of 1,000 words whose call differs each time, or the loop would rightly see a circle."""
    folder = f"folder-{len(request.messages)}"
    return calling(("list_files", {"folder": folder}), text="word " * 1_000)


def _of(name: str):  # type: ignore[no-untyped-def]  # the SDK's generic key
    from temporalio.common import SearchAttributeKey

    return SearchAttributeKey.for_keyword(name)


def _activity_ids(history) -> list[str]:  # type: ignore[no-untyped-def]  # the SDK's history
    return [
        event.activity_task_scheduled_event_attributes.activity_id
        for event in history.events
        if event.HasField("activity_task_scheduled_event_attributes")
    ]
