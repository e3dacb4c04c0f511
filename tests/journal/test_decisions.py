"""What a person says of an effect in doubt is obeyed, once."""

import asyncio

import pytest

from omniforge.errors import Fenced
from omniforge.journal.asking import PersonNeeded
from omniforge.journal.ports import Decision
from omniforge.journal.steps import EffectClass, Performed, Step, StepStatus
from tests.journal.making import KEY, Node, World, effect, failure, lost_answer, tool
from tests.support.requirements import requirement


async def in_doubt(node: Node, world: World) -> str:
    """Bring the node to the question of a lost answer; the id of the question."""
    with pytest.raises(PersonNeeded) as needed:
        await (await node.worker()).step(effect(EffectClass.ASK, world), world)
    return needed.value.waits[0].id


async def resume(node: Node, world: World) -> Step:
    return await (await node.worker()).step(effect(EffectClass.ASK, world), world)


@requirement("DUR-2")
async def test_what_happened_is_confirmed_in_the_words_of_the_person(node: Node) -> None:
    world = World(lost_answer())
    node.decides(await in_doubt(node, world), Decision.HAPPENED)

    step = await resume(node, world)

    assert step.status is StepStatus.CONFIRMED
    assert step.answer == {"confirmed_by": "us_anna", "note": "I looked"}
    assert world.count == 1


@requirement("DUR-2")
async def test_what_is_to_be_skipped_fails_and_the_model_is_told(node: Node) -> None:
    world = World(lost_answer())
    node.decides(await in_doubt(node, world), Decision.SKIP)

    step = await resume(node, world)

    assert step.error is not None
    assert (step.status, step.error.code) == (StepStatus.FAILED, "skipped")
    assert "us_anna decided not to send this" in step.error.message
    assert world.count == 1


@requirement("DUR-2")
async def test_what_is_to_be_sent_again_is_sent_once_more_under_the_same_id(node: Node) -> None:
    world = World(lost_answer(), Performed("posted"))
    node.decides(await in_doubt(node, world), Decision.RESEND)

    step = await resume(node, world)

    assert (step.answer, step.sends, world.count) == ("posted", 2, 2)
    assert len({sending.effect_id for sending in world.sendings}) == 1


@pytest.mark.parametrize("decision", [one for one in Decision if one is not Decision.SAID])
async def test_a_decision_is_used_up(node: Node, decision: Decision) -> None:
    world = World(lost_answer(), Performed("posted"))
    node.decides(await in_doubt(node, world), decision)
    first = await resume(node, world)
    sent = world.count

    again = await resume(node, World(failure()))

    assert node.store.inbox[KEY] == []
    assert again == first
    assert world.count == sent


async def test_a_second_doubt_is_a_new_question_and_the_old_answer_does_not_count(
    node: Node,
) -> None:
    world = World(lost_answer())
    first = await in_doubt(node, world)
    node.decides(first, Decision.RESEND)

    second = await in_doubt(node, world)

    assert first != second
    assert world.count == 2


async def test_a_worker_that_dies_after_the_resending_does_not_resend_by_itself(
    node: Node,
) -> None:
    world = World(lost_answer(), asyncio.CancelledError(), Performed("must not happen"))
    node.decides(await in_doubt(node, world), Decision.RESEND)
    with pytest.raises(asyncio.CancelledError):
        await resume(node, world)

    question = await in_doubt(node, world)

    assert question.endswith(".2")
    assert world.count == 2


async def test_a_person_may_order_more_sendings_than_the_machine_makes(node: Node) -> None:
    world = World(*[lost_answer()] * 5, Performed("posted"))
    for number in range(5):
        node.decides(await in_doubt(node, world), Decision.RESEND, f"decision-{number}")

    step = await resume(node, world)

    assert (step.answer, world.count) == ("posted", 6)


async def test_a_decision_about_another_effect_is_left_where_it_is(node: Node) -> None:
    world = World(lost_answer())
    question = await in_doubt(node, world)
    node.decides("of-something-else.1", Decision.HAPPENED)

    assert await in_doubt(node, world) == question
    assert len(node.store.inbox[KEY]) == 1


async def test_a_worker_that_lost_its_node_does_not_use_up_the_decision(node: Node) -> None:
    world = World(lost_answer())
    node.decides(await in_doubt(node, world), Decision.HAPPENED)
    lost = await node.worker()
    await node.worker()

    with pytest.raises(Fenced):
        await lost.step(effect(EffectClass.ASK, world), world)

    assert len(node.store.inbox[KEY]) == 1


@pytest.mark.parametrize(
    ("decision", "code"), [(Decision.SKIP, "skipped"), (Decision.RESEND, "refused")]
)
async def test_a_decision_counts_also_when_the_tool_has_gone_away(
    node: Node, decision: Decision, code: str
) -> None:
    world, refusal = World(lost_answer()), World(failure())
    node.decides(await in_doubt(node, world), decision)

    step = await (await node.worker()).step(tool("post", text="hello"), refusal)

    assert step.error is not None
    assert (step.error.code, world.count) == (code, 1)
    assert node.store.inbox[KEY] == []
