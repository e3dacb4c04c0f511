"""What a person says to a run under way reaches the model once, at one place of the record."""

import pytest

from omniforge.llm.protocol import Completion
from tests.control.driving import Gate, bodies, paused, refused, told, turns_of
from tests.modes.driving import comparison, replayed
from tests.support.platform import Platform, skill
from tests.support.requirements import requirement
from tests.support.scripted import Reply, answer, calling


def obeying(request: Completion) -> Reply:
    """Looks around once, and then answers with the last words that a person said to it."""
    if turns_of(request) == 0:
        return calling(("clock", {}))
    said = [each.text for each in request.messages if "says:" in each.text]
    words = said[-1].split("says:\n\n")[1].split("\n\n")[0] if said else "nothing"
    return answer(f'{{"told": "{words}"}}')


@requirement("DUR-3")
async def test_a_message_is_a_step_right_before_the_next_turn(platform: Platform) -> None:
    gate = Gate(obeying)
    platform.model.decides(gate)
    execution = await platform.start(await platform.agent(skill("one")))
    await gate.is_asked()

    for _ in range(2):
        await told(platform, execution, "steer", message="be brief", message_id="m1")
    gate.open()
    run = await platform.ended(execution)
    kinds = [step["kind"] for step in await platform.steps(execution)]
    (event,) = await bodies(platform, execution, "steered")
    replay = await replayed(platform, execution)

    assert run["result"] == {"told": "be brief"}
    assert kinds == ["preamble", "model", "tool", "message", "model"]
    assert (event["text"], event["step"]) == ("be brief", 3)
    assert event["by"].startswith("us")
    assert (await comparison(platform, replay["id"]))["identical"]


@requirement("DUR-3")
async def test_a_message_during_the_final_answer_earns_the_model_another_turn(
    platform: Platform,
) -> None:
    gate = Gate(lambda request: obeying(request) if turns_of(request) else answer('{"told": "no"}'))
    platform.model.decides(gate)
    execution = await platform.start(
        await platform.agent(skill("one"), limits={"max_iterations": 1})
    )
    await gate.is_asked()

    await told(platform, execution, "steer", message="say it again")
    gate.open()
    run = await platform.ended(execution)
    kinds = [step["kind"] for step in await platform.steps(execution)]
    replay = await replayed(platform, execution)

    assert run["result"] == {"told": "say it again"}
    assert kinds == ["preamble", "model", "message", "model"]
    assert len(platform.model.asked) == 2
    assert (await comparison(platform, replay["id"]))["identical"]


@requirement("DUR-3")
async def test_a_message_reaches_the_skill_that_it_names(platform: Platform) -> None:
    gate = Gate(obeying)
    platform.model.decides(gate)
    execution = await platform.start(await platform.agent(skill("one"), skill("two")))
    await gate.is_asked(2)

    assert await refused(platform, execution, "steer", message="x", node="three") == (
        409,
        "nothing_to_steer",
    )
    await told(platform, execution, "steer", message="both")
    await told(platform, execution, "steer", message="you", node="two")
    gate.open()
    run = await platform.ended(execution)

    assert run["result"] == {"one": {"told": "both"}, "two": {"told": "you"}}


@requirement("DUR-3")
async def test_a_paused_skill_takes_a_message_in_when_it_goes_on(platform: Platform) -> None:
    gate = Gate(obeying)
    platform.model.decides(gate)
    execution = await platform.start(await platform.agent(skill("one")))
    await gate.is_asked()
    await told(platform, execution, "pause")
    gate.open()
    await paused(platform, execution)

    await told(platform, execution, "steer", message="first")
    await told(platform, execution, "steer", message="second")
    await told(platform, execution, "resume")

    assert (await platform.ended(execution))["result"] == {"told": "second"}
    assert len(await bodies(platform, execution, "steered")) == 2


@requirement("DUR-3")
@pytest.mark.parametrize("message", ["", "x" * 8_001])
async def test_a_message_has_some_words_and_not_too_many(platform: Platform, message: str) -> None:
    gate = Gate(obeying)
    platform.model.decides(gate)
    execution = await platform.start(await platform.agent(skill("one")))
    await gate.is_asked()

    response = await platform.api.post(
        f"/api/v1/executions/{execution}/steer", json={"message": message}
    )
    gate.open()

    assert response.status_code == 422
    assert (await platform.ended(execution))["result"] == {"told": "nothing"}


async def test_a_run_can_be_told_fifty_things(platform: Platform) -> None:
    gate = Gate(obeying)
    platform.model.decides(gate)
    execution = await platform.start(await platform.agent(skill("one")))
    await gate.is_asked()

    for number in range(50):
        await told(platform, execution, "steer", message=f"{number}")
    one_more = await refused(platform, execution, "steer", message="50")
    gate.open()

    assert one_more == (429, "too_many_messages")
    assert (await platform.ended(execution))["result"] == {"told": "49"}
