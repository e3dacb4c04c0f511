"""Calls that could not be made for want of an account: taken back, and made when there is one."""

import pytest

from omniforge.errors import OutcomeUnknown
from omniforge.journal.asking import PersonNeeded
from omniforge.journal.events import NeededConnection, Wait
from omniforge.journal.ports import Decision
from omniforge.journal.steps import EffectClass, Performed, Question, Request, StepKind, StepStatus
from tests.journal.making import KEY, Node, World, effect, tool
from tests.support.requirements import requirement

CLASSES = [EffectClass.KEYED, EffectClass.FINDABLE, EffectClass.ASK]

NOBODY = PersonNeeded(
    (
        Wait(
            kind="connection",
            id="connection-1",
            question="Nobody is connected.",
            connection=NeededConnection(connection_id="cn_1"),
        ),
    )
)


async def parked(node: Node, request: Request, world: World) -> None:
    with pytest.raises(PersonNeeded) as caught:
        await (await node.worker()).step(request, world)
    assert caught.value.waits[0].kind == "connection"


@requirement("INT-1")
@pytest.mark.parametrize("kind", CLASSES)
async def test_a_write_that_was_not_let_in_is_made_once_and_nobody_is_asked(
    node: Node, kind: EffectClass
) -> None:
    world = World(NOBODY, NOBODY, Performed("posted"))
    request = effect(kind, world)
    for _ in range(2):
        await parked(node, request, world)
        step = node.store._nodes[KEY].steps[0]
        assert (step.status, step.sends) == (StepStatus.PLANNED, 0)

    step = await (await node.worker()).step(request, world)

    assert (step.status, step.sends, step.answer) == (StepStatus.CONFIRMED, 1, "posted")
    assert world.lookups == 0
    assert len({sending.effect_id for sending in world.sendings}) == 1


@requirement("INT-1")
async def test_a_read_that_was_not_let_in_leaves_no_trace(node: Node) -> None:
    world = World(NOBODY, Performed("rows"))
    request = tool()
    await parked(node, request, world)
    assert KEY not in node.store._nodes or not node.store._nodes[KEY].steps

    assert (await (await node.worker()).step(request, world)).answer == "rows"


@requirement("INT-1")
async def test_doubt_about_an_earlier_sending_stays_doubt(node: Node) -> None:
    world = World(OutcomeUnknown("the line was cut"), NOBODY, Performed("posted"))
    request = effect(EffectClass.KEYED, world)
    await parked(node, request, world)
    doubtful = node.store._nodes[KEY].steps[0]

    step = await (await node.worker()).step(request, world)

    assert (doubtful.status, doubtful.sends) == (StepStatus.UNKNOWN, 1)
    assert (step.status, step.answer) == (StepStatus.CONFIRMED, "posted")
    assert len({sending.effect_id for sending in world.sendings}) == 1


@requirement("INT-1")
async def test_leave_that_was_given_for_a_call_outlasts_its_wait(node: Node) -> None:
    world = World(NOBODY, Performed("posted"))
    planned = effect(EffectClass.ASK, world)
    request = Request(
        StepKind.TOOL,
        planned.name,
        planned.arguments,
        effect=planned.effect,
        questions=(Question("approval", "May it?"),),
    )
    with pytest.raises(PersonNeeded) as asked:
        await (await node.worker()).step(request, world)
    node.decides(asked.value.waits[0].id, Decision.APPROVE)
    await parked(node, request, world)

    step = await (await node.worker()).step(request, world)

    assert (step.status, step.answer) == (StepStatus.CONFIRMED, "posted")
