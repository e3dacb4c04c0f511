"""Effects in doubt: what was sent and may or may not have happened."""

import asyncio
from datetime import timedelta

import pytest

from omniforge import clock
from omniforge.errors import OutcomeUnknown
from omniforge.journal import journal as journal_module
from omniforge.journal.asking import PersonNeeded
from omniforge.journal.steps import EffectClass, Performed, Request, Step, StepStatus
from tests.journal.making import KEY, Node, World, effect, failure, lost_answer, tool
from tests.support.requirements import requirement

ASK, FINDABLE, KEYED = EffectClass.ASK, EffectClass.FINDABLE, EffectClass.KEYED
CLASSES = [KEYED, FINDABLE, ASK]


async def hang() -> Performed:
    await asyncio.sleep(60)
    return Performed("far too late")


async def post(node: Node, request: Request, world: World) -> Step | PersonNeeded:
    """Send; where a worker dies, let a successor take over."""
    for _ in range(3):
        journal = await node.worker()
        try:
            async with asyncio.timeout(10):
                return await journal.step(request, world)
        except asyncio.CancelledError:
            continue
        except PersonNeeded as needed:
            return needed
    raise AssertionError("three workers died")


@pytest.mark.parametrize("kind", CLASSES)
async def test_an_effect_is_on_record_as_sent_before_it_is_sent(
    node: Node, kind: EffectClass
) -> None:
    seen: list[StepStatus] = []

    async def look() -> Performed:
        seen.append(node.store._nodes[KEY].steps[0].status)
        return Performed("posted")

    step = await (await node.worker()).step(effect(kind, World()), World(look))

    assert seen == [StepStatus.SENT]
    assert (step.status, step.sends, step.effect_class) == (StepStatus.CONFIRMED, 1, kind)


@pytest.mark.parametrize("kind", CLASSES)
async def test_a_refusal_is_final_and_nothing_is_sent_again(node: Node, kind: EffectClass) -> None:
    world = World(failure(), Performed("must not happen"))
    step = await post(node, effect(kind, world), world)
    again = await post(node, effect(kind, world), world)

    assert isinstance(step, Step)
    assert step == again
    assert (step.status, world.count) == (StepStatus.FAILED, 1)


@requirement("DUR-2")
@pytest.mark.parametrize("trouble", [lost_answer(), hang, asyncio.CancelledError()])
async def test_a_keyed_effect_is_sent_again_under_the_same_id(node: Node, trouble: object) -> None:
    world = World(trouble, Performed("posted"))  # type: ignore[arg-type]  # parametrised
    step = await post(node, effect(KEYED, world, timeout=0.02), world)

    assert isinstance(step, Step)
    assert (step.status, step.answer, step.sends) == (StepStatus.CONFIRMED, "posted", 2)
    assert len({sending.effect_id for sending in world.sendings}) == 1
    assert len(world.sendings) == 2


@requirement("DUR-2")
@pytest.mark.parametrize("trouble", [lost_answer(), hang, asyncio.CancelledError()])
async def test_a_refused_repeat_says_nothing_of_the_sending_before_it(
    node: Node, trouble: object
) -> None:
    """A service that is busy for a moment may have done what it was sent before."""
    world = World(trouble, failure(), Performed("posted"))  # type: ignore[arg-type]  # parametrised
    step = await post(node, effect(KEYED, world, timeout=0.02), world)

    assert isinstance(step, Step)
    assert (step.status, step.answer, step.sends) == (StepStatus.CONFIRMED, "posted", 3)
    assert len({sending.effect_id for sending in world.sendings}) == 1


@requirement("DUR-2")
@pytest.mark.parametrize("trouble", [lost_answer(), hang, asyncio.CancelledError()])
async def test_a_findable_effect_that_arrived_is_found_and_not_sent_again(
    node: Node, trouble: object
) -> None:
    world = World(trouble)  # type: ignore[arg-type]  # parametrised
    world.found = [Performed("found")]
    step = await post(node, effect(FINDABLE, world, timeout=0.02), world)

    assert isinstance(step, Step)
    assert (step.status, step.answer) == (StepStatus.CONFIRMED, "found")
    assert (world.count, world.lookups) == (1, 1)


@pytest.mark.parametrize("trouble", [lost_answer(), hang, asyncio.CancelledError()])
async def test_a_findable_effect_that_never_arrived_is_sent_after_the_lookup(
    node: Node, trouble: object
) -> None:
    world = World(trouble, Performed("posted"))  # type: ignore[arg-type]  # parametrised
    step = await post(node, effect(FINDABLE, world, timeout=0.02), world)

    assert isinstance(step, Step)
    assert step.answer == "posted"
    assert (world.count, world.lookups) == (2, 1)


@requirement("DUR-2")
@pytest.mark.parametrize("trouble", [lost_answer(), hang, asyncio.CancelledError()])
async def test_an_effect_nobody_can_check_is_left_to_a_person(node: Node, trouble: object) -> None:
    world = World(trouble)  # type: ignore[arg-type]  # parametrised
    needed = await post(node, effect(ASK, world, timeout=0.02), world)

    assert isinstance(needed, PersonNeeded)
    (wait,) = needed.waits
    assert (wait.kind, wait.id) == ("effect", f"{world.sendings[0].effect_id}.1")
    assert "post was sent at" in wait.question
    assert world.count == 1


@pytest.mark.parametrize(
    "request_of",
    [
        lambda world: effect(KEYED, world, lifetime=None),
        lambda world: effect(KEYED, world, lifetime=0),
        lambda world: effect(KEYED, world, timeout=5, lifetime=4),
        lambda world: effect(FINDABLE, world, visible_after=None),
    ],
    ids=["no lifetime", "key forgotten", "key may be forgotten on arrival", "never surely visible"],
)
async def test_what_the_provider_does_not_promise_is_left_to_a_person(
    node: Node, request_of: object
) -> None:
    world = World(lost_answer())
    needed = await post(node, request_of(world), world)  # type: ignore[operator]  # parametrised

    assert isinstance(needed, PersonNeeded)
    assert (world.count, world.lookups) == (1, 0)


async def test_the_lifetime_of_a_key_counts_from_the_first_sending(node: Node) -> None:
    world = World(lost_answer(), lost_answer(), Performed("posted"))
    step = await post(node, effect(KEYED, world), world)

    assert isinstance(step, Step)
    assert step.sent_at is not None
    assert step.send_by is not None
    assert step.send_by - step.sent_at > timedelta(seconds=0.2)  # the window is that of the last


async def test_a_lookup_waits_until_the_last_sending_is_sure_to_be_seen(node: Node) -> None:
    visible_after, arrived = 0.05, clock.now()

    async def find(_: str) -> Performed | None:
        nonlocal arrived
        world.lookups += 1
        assert clock.now() - arrived >= timedelta(seconds=visible_after)
        return Performed("found") if world.lookups == 2 else None

    async def take() -> Performed:
        nonlocal arrived
        await asyncio.sleep(0.02)  # it arrives some time after it was sent
        arrived = clock.now()
        raise lost_answer()

    world = World(take)
    world.find = find
    step = await post(node, effect(FINDABLE, world, visible_after=visible_after), world)

    assert isinstance(step, Step)
    assert (step.answer, world.count) == ("found", 2)


async def test_a_lookup_does_not_wait_for_time_that_the_sender_gave_up(node: Node) -> None:
    world = World(lost_answer())
    world.found = [Performed("found")]

    step = await post(node, effect(FINDABLE, world, timeout=3600), world)

    assert isinstance(step, Step)
    assert step.answer == "found"


@pytest.mark.parametrize("trouble", [OutcomeUnknown("503"), "it hangs"])
async def test_a_lookup_that_fails_leaves_the_effect_to_a_person(
    node: Node, trouble: object
) -> None:
    world = World(lost_answer())

    async def find(_: str) -> Performed | None:
        if isinstance(trouble, OutcomeUnknown):
            raise trouble
        await asyncio.sleep(60)
        return None

    world.find = find
    needed = await post(node, effect(FINDABLE, world, timeout=0.02), world)

    assert isinstance(needed, PersonNeeded)
    assert world.count == 1


async def test_after_so_many_silent_sendings_a_person_is_asked(node: Node) -> None:
    world = World(lost_answer())
    needed = await post(node, effect(KEYED, world), world)

    assert isinstance(needed, PersonNeeded)
    assert world.count == journal_module.MAX_SENDS
    assert needed.waits[0].id.endswith(f".{journal_module.MAX_SENDS}")


@pytest.mark.parametrize("kind", CLASSES)
async def test_a_successor_lets_the_last_moment_of_sending_pass_first(
    node: Node, kind: EffectClass
) -> None:
    world = World(asyncio.CancelledError(), Performed("posted"))
    with pytest.raises(asyncio.CancelledError):
        await (await node.worker()).step(effect(kind, world, timeout=0.1), world)
    send_by = node.store._nodes[KEY].steps[0].send_by
    assert send_by is not None

    await post(node, effect(kind, world, timeout=0.1), world)

    assert clock.now() >= send_by


async def test_the_sender_is_told_until_when_it_may_send(node: Node) -> None:
    world = World()
    before = clock.now()
    await (await node.worker()).step(effect(KEYED, world, timeout=0.2), world)

    send_by = world.sendings[0].send_by
    assert send_by is not None
    assert before + timedelta(seconds=0.2) <= send_by <= clock.now() + timedelta(seconds=0.2)


async def test_one_steps_id_is_its_own_and_the_same_on_every_machine(node: Node) -> None:
    first, second = World(), World()
    journal = await node.worker()
    await journal.step(effect(KEYED, first), first)
    await journal.step(effect(KEYED, second), second)
    other, elsewhere = World(), Node()
    await (await elsewhere.worker()).step(effect(KEYED, other), other)

    assert first.sendings[0].effect_id != second.sendings[0].effect_id
    assert first.sendings[0].effect_id == other.sendings[0].effect_id


async def test_a_tool_that_went_away_while_its_effect_was_in_doubt_is_left_to_a_person(
    node: Node,
) -> None:
    world = World(asyncio.CancelledError())
    with pytest.raises(asyncio.CancelledError):
        await (await node.worker()).step(effect(KEYED, world, timeout=0.01), world)
    refusal = World(failure())

    needed = await post(node, tool("post", text="hello"), refusal)

    assert isinstance(needed, PersonNeeded)
    assert refusal.count == 0


async def test_an_effect_in_doubt_does_not_hold_up_the_other_calls_of_its_turn(
    node: Node,
) -> None:
    journal, doubtful, fine = await node.worker(), World(lost_answer()), World(Performed("fine"))
    slots = journal.take([effect(ASK, doubtful), tool("read")])

    asked, read = await asyncio.gather(
        journal.run(slots[0], doubtful), journal.run(slots[1], fine), return_exceptions=True
    )

    assert isinstance(asked, PersonNeeded)
    assert isinstance(read, Step)
    assert node.store._nodes[KEY].steps[1].answer == "fine"
