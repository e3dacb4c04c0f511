"""A node that plays the record of an earlier one."""

from collections.abc import Iterable, Mapping
from dataclasses import replace

import pytest

from omniforge.errors import JournalDiverged
from omniforge.journal.entries import announcement
from omniforge.journal.journal import Journal
from omniforge.journal.memory import MemoryJournalStore
from omniforge.journal.ports import NodeStatus, Outcome
from omniforge.journal.recording import RecordEnded, Recording
from omniforge.journal.steps import EffectClass, Fence, Origin, Performed, Step
from tests.journal.making import KEY, Node, World, dollars, effect, model, spent, tool
from tests.support.requirements import requirement

DONE = Outcome(NodeStatus.COMPLETED, {"ok": True})
LATE = Outcome(NodeStatus.TIMED_OUT)


def by_number(steps: Iterable[Step]) -> Mapping[int, Step]:
    return {step.number: step for step in steps}


async def playing(recording: Recording, node: Node | None = None) -> Journal:
    """The journal of another run's node, which plays this."""
    store = node.store if node else MemoryJournalStore()
    fence = Fence(0, 1)
    state = await store.claim(KEY, "report", fence, announcement(KEY, "report", fence))
    return Journal(store, KEY, fence, state, recording=recording)


@requirement("DUR-5")
async def test_a_played_step_is_answered_from_the_record_and_costs_nothing(node: Node) -> None:
    world, played = World(spent("0.30"), Performed("sent")), Node(cap="0.10")
    original = await node.worker()
    await original.step(model("0.50"), world)
    await original.step(effect(EffectClass.ASK, world), world)

    journal = await playing(Recording(by_number(original.recorded), DONE), played)
    again = [await journal.step(model("0.50"), world)]
    again += [await journal.step(effect(EffectClass.ASK, world), world)]

    assert world.count == 2
    assert [(step.answer, step.cost) for step in again] == [
        (step.answer, step.cost) for step in original.recorded
    ]
    assert {step.origin for step in again} == {Origin.RECORDED}
    assert again[1].effect_class is EffectClass.ASK
    assert (played.money.reserved, played.money.settled) == dollars(0, 0)


@requirement("DUR-5")
async def test_a_replay_ends_where_its_record_does_and_a_fork_goes_on(node: Node) -> None:
    original = await node.worker()
    await original.step(tool("one"), World())
    steps, world = by_number(original.recorded), World(Performed("new"))

    replay = await playing(Recording(steps, LATE))
    fork = await playing(Recording(steps))
    for journal in (replay, fork):
        await journal.step(tool("one"), World())

    with pytest.raises(RecordEnded) as ended:
        await replay.step(tool("two"), world)
    assert (ended.value.outcome, world.count) == (LATE, 0)
    assert (await fork.step(tool("two"), world)).origin is Origin.REAL


async def test_a_record_of_something_else_is_not_played(node: Node) -> None:
    original, world = await node.worker(), World()
    await original.step(tool("one", path="a"), world)

    journal = await playing(Recording(by_number(original.recorded)))

    with pytest.raises(JournalDiverged):
        await journal.step(tool("one", path="b"), world)
    assert world.count == 1


async def test_a_skill_that_was_done_asks_for_nothing_more(node: Node) -> None:
    journal = await playing(Recording({}, DONE))

    with pytest.raises(JournalDiverged, match="was done after step"):
        await journal.step(tool("one"), World())


async def test_the_files_are_those_of_the_call_that_wrote_last_whatever_its_number(
    node: Node,
) -> None:
    original = await node.worker()
    await original.step(tool("early"), World(Performed("x", workspace={"a": "1"})))
    await original.step(tool("late"), World(Performed("x", workspace={"a": "2"})))
    early, late = original.recorded
    swapped = by_number(
        [replace(early, ended_at=late.ended_at), replace(late, ended_at=early.ended_at)]
    )
    recording = Recording(swapped).with_files({"b": "3"})

    journal = await playing(recording)
    again = await playing(recording)
    await again.step(tool("early"), World())
    await again.step(tool("late"), World())

    assert journal.workspace == {"a": "1", "b": "3"}
    assert (await again.step(tool("new"), World())).workspace is None
    assert again.workspace == {"a": "1", "b": "3"}


async def test_what_an_earlier_run_knew_counts_unless_the_skill_starts_from_something_new(
    node: Node,
) -> None:
    original = await node.worker()
    await original.preamble(_made)
    await original.step(tool("one"), World())
    steps = by_number(original.recorded)

    same = await playing(Recording(steps))
    fresh = await playing(Recording({1: steps[1]}))

    assert [step.number for step in same.known] == [0, 1]
    assert fresh.known == []
    assert await fresh.preamble(_made) == {"made": True}
    assert [step.number for step in fresh.known] == [0, 1]


async def _made() -> dict[str, bool]:
    return {"made": True}
