"""Interrupted and cancelled runs keep what they have come to, and say what was cut off."""

import asyncio
from typing import Any

from tests.control.driving import Gate, hears, paused, told, turns_of, writing
from tests.e2e.test_sub_agents import delegating, first_child_of
from tests.support.platform import Platform, skill
from tests.support.requirements import requirement
from tests.support.scripted import answer, calling, is_of, later


async def with_child_at_work(platform: Platform, gate: Gate) -> tuple[str, dict[str, Any]]:
    """A run whose child has asked its model, which answers once the gate is open; and the child."""
    child = await platform.agent(skill("counting"))
    delegating(platform, child, answer("{}"))
    leading = platform.model._decide
    assert leading is not None
    platform.model.decides(
        lambda asked: gate(asked) if is_of(asked, "counting") else leading(asked)
    )
    execution = await platform.start(await platform.agent(skill("leading"), sub_agents=[child]))
    other = await first_child_of(platform, execution)
    await gate.is_asked()
    return execution, other


@requirement("DUR-3")
async def test_an_interrupted_run_ends_after_the_step_under_way(platform: Platform) -> None:
    gate = Gate(writing(2))
    platform.model.decides(gate)
    execution = await platform.start(await platform.agent(skill("one")))
    await gate.is_asked()

    await told(platform, execution, "interrupt")
    gate.open()
    run = await platform.ended(execution)
    steps = await platform.steps(execution)

    assert (run["status"], run["error_code"]) == ("cancelled", "interrupted")
    assert [step["kind"] for step in steps] == ["preamble", "model"]
    assert steps[1]["status"] == "confirmed"
    assert run["skill_results"][0]["status"] == "cancelled"
    assert "1 step is done" in run["skill_results"][0]["error"]["message"]
    assert "write_file" in run["error"]


@requirement("DUR-3")
async def test_a_paused_run_can_be_interrupted_and_cancelled(platform: Platform) -> None:
    for what, code in (("interrupt", "interrupted"), ("cancel", "cancelled")):
        gate = Gate(writing(1))
        platform.model.decides(gate)
        execution = await platform.start(await platform.agent(skill("one")))
        await gate.is_asked()
        await told(platform, execution, "pause")
        gate.open()
        await paused(platform, execution)

        await told(platform, execution, what)
        run = await platform.ended(execution)

        assert (run["status"], run["error_code"]) == ("cancelled", code)


@requirement("DUR-3")
async def test_a_child_is_paused_goes_on_and_is_interrupted_with_its_parent(
    platform: Platform,
) -> None:
    gate = Gate(writing(3))
    execution, other = await with_child_at_work(platform, gate)

    await told(platform, execution, "pause")
    await hears(platform, other["id"], "pause")
    gate.open()
    waiting = await paused(platform, other["id"])
    await told(platform, execution, "resume")
    going = await platform.until(other["id"], {"running", "completed"})
    await platform.ended(execution)

    assert waiting["wish"] == "pause"
    assert going["wish"] is None
    assert (await platform.execution(other["id"]))["status"] == "completed"


@requirement("DUR-3")
async def test_a_child_is_interrupted_with_its_parent(platform: Platform) -> None:
    gate = Gate(writing(3))
    execution, other = await with_child_at_work(platform, gate)

    await told(platform, execution, "interrupt")
    await hears(platform, other["id"], "stop")
    gate.open()
    ends = [await platform.ended(run) for run in (other["id"], execution)]

    assert [(run["status"], run["error_code"]) for run in ends] == [
        ("cancelled", "interrupted")
    ] * 2
    assert len(await platform.steps(other["id"])) == 2


@requirement("DUR-3")
async def test_a_cancelled_run_says_what_was_done_and_what_is_in_doubt(platform: Platform) -> None:
    platform.model.decides(
        lambda request: (
            calling(("write_file", {"path": "a", "content": "a"}))
            if turns_of(request) == 0
            else calling(("post_ask", {"text": "x"}), ("clock", {}))
            if turns_of(request) == 1
            else later(30, answer("{}"))
        )
    )
    platform.service.lost_answers = 1
    execution = await platform.start(await platform.agent(skill("one")))
    await platform.until(execution, {"waiting"})

    await told(platform, execution, "cancel")
    run = await platform.ended(execution)
    last = (await platform.events(execution))[-1]["body"]

    assert run["error_code"] == "cancelled"
    assert "4 steps are done" in run["error"]
    assert "It is not known whether these calls took effect: post_ask." in run["error"]
    assert last["error"]["message"] == run["error"]
    assert run["skill_results"][0]["error"]["message"] in run["error"]


@requirement("DUR-3")
async def test_an_interrupted_run_waits_for_nobody_any_more(platform: Platform) -> None:
    platform.model.decides(lambda request: calling(("post_ask", {"text": "x"})))
    rules = [{"action": "ask", "tool": "post_ask"}]
    execution = await platform.start(await platform.agent(skill("one"), permissions=rules))
    await platform.until(execution, {"waiting"})

    both = await asyncio.gather(
        *(platform.api.post(f"/api/v1/executions/{execution}/interrupt") for _ in range(2))
    )
    run = await platform.ended(execution)

    assert sorted(response.status_code for response in both) == [202, 409]
    assert (run["status"], run["error_code"]) == ("cancelled", "interrupted")
    assert "post_ask" in run["error"]
    assert platform.service.posts == []
