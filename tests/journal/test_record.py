"""What is on record is never done again."""

import asyncio
from dataclasses import replace
from types import SimpleNamespace

import pytest

from omniforge import clock
from omniforge.agents.runs import ErrorInfo
from omniforge.errors import Fenced, JournalDiverged
from omniforge.journal import journal as journal_module
from omniforge.journal.events import (
    EventBody,
    SkillCompleted,
    SkillFailed,
    SkillResumed,
    ToolAnswered,
)
from omniforge.journal.journal import Interrupted
from omniforge.journal.ports import NodeStatus, Outcome
from omniforge.journal.steps import Performed, Sending, Step, StepKind, StepStatus
from tests.journal.making import KEY, Node, World, dollars, failure, model, spent, tool
from tests.support.requirements import requirement


@requirement("DUR-1")
async def test_a_successor_reads_recorded_steps_and_performs_only_what_is_new(node: Node) -> None:
    first, second = World(Performed("one")), World(Performed("two"))
    lost = await node.worker()
    await lost.step(tool("read"), first)

    successor = await node.worker()
    answers = [
        (await successor.step(tool("read"), first)).answer,
        (await successor.step(tool("sum"), second)).answer,
    ]

    assert answers == ["one", "two"]
    assert (first.count, second.count) == (1, 1)


async def test_a_lost_worker_cannot_record_anything_once_its_successor_began(node: Node) -> None:
    lost = await node.worker()
    await node.worker()

    with pytest.raises(Fenced):
        await lost.step(tool("read"), World())


async def test_a_failure_is_recorded_and_is_the_answer_from_then_on(node: Node) -> None:
    world = World(failure("refused"), Performed("not asked again"))
    await (await node.worker()).step(tool("read"), world)

    step = await (await node.worker()).step(tool("read"), world)

    assert step.status is StepStatus.FAILED
    assert step.error == ErrorInfo(code="refused", message="The service said 403.")
    assert world.count == 1


async def test_work_that_breaks_off_leaves_no_trace_and_is_done_by_the_successor(
    node: Node,
) -> None:
    with pytest.raises(RuntimeError):
        await (await node.worker()).step(tool("read"), World(RuntimeError("killed")))

    step = await (await node.worker()).step(tool("read"), World(Performed("now")))

    assert (step.number, step.answer) == (0, "now")


@pytest.mark.parametrize(
    "changed",
    [tool("write", path="a"), tool("read", path="b"), model()],
    ids=["another name", "other arguments", "another kind"],
)
async def test_another_request_at_a_recorded_place_is_refused_and_nothing_is_sent(
    node: Node, changed: object
) -> None:
    await (await node.worker()).step(tool("read", path="a"), World())
    world = World()

    with pytest.raises(JournalDiverged, match="Step 0 of 'report' is on record as tool 'read'"):
        await (await node.worker()).step(changed, world)  # type: ignore[arg-type]  # parametrised

    assert world.count == 0


async def test_a_change_before_a_recorded_step_is_seen_by_the_chain_of_hashes(node: Node) -> None:
    journal = await node.worker()
    await journal.step(tool("read", path="a"), World())
    await journal.step(tool("sum"), World())
    node.store._nodes[KEY].steps.pop(0)  # as if the store had lost the first step

    successor, world = await node.worker(), World()
    with pytest.raises(JournalDiverged):
        successor.take([tool("read", path="b"), tool("sum")])

    assert world.count == 0


async def test_arguments_may_come_in_another_order(node: Node) -> None:
    await (await node.worker()).step(tool("read", path="a", lines=3), World())

    step = await (await node.worker()).step(tool("read", lines=3, path="a"), World(failure()))

    assert step.status is StepStatus.CONFIRMED


async def test_an_answer_is_the_same_at_once_and_after_a_resume(node: Node) -> None:
    odd = {"rows": ((1, 2.0), (3, 4e16)), 5: "five", "none": None, "nan": float("nan")}
    at_once = await (await node.worker()).step(tool("read"), World(Performed(odd)))
    resumed = await (await node.worker()).step(tool("read"), World(Performed("not asked")))

    assert at_once.answer == resumed.answer
    assert at_once.answer == {
        "rows": [[1, 2.0], [3, 4e16]],
        "5": "five",
        "none": None,
        "nan": None,
    }


# ---- the preamble ------------------------------------------------------------------------------


async def test_the_preamble_is_made_once_and_read_back_by_every_successor(node: Node) -> None:
    made: list[str] = []

    async def make() -> dict[str, str]:
        made.append("made")
        return {"prompt": f"prompt {len(made)}"}

    journal = await node.worker()
    first = await journal.preamble(make)
    await journal.step(tool("read"), World())
    second = await (await node.worker()).preamble(make)

    assert first == second == {"prompt": "prompt 1"}
    assert made == ["made"]


async def test_the_preamble_is_written_together_with_the_first_real_step(node: Node) -> None:
    journal = await node.worker()
    await journal.preamble(_a_prompt)
    assert list(node.store._nodes[KEY].steps) == []

    await journal.step(tool("read"), World())

    steps = node.store._nodes[KEY].steps
    assert [steps[number].kind for number in (0, 1)] == [StepKind.PREAMBLE, StepKind.TOOL]


async def test_a_preamble_that_could_not_be_written_is_written_with_the_next_step(
    node: Node,
) -> None:
    journal = await node.worker()
    node.money.cap = spent("1").cost
    await journal.preamble(_a_prompt)
    with pytest.raises(Exception, match="may cost"):
        await journal.step(model(reserve="5"), World())

    await journal.step(tool("read"), World())

    assert 0 in node.store._nodes[KEY].steps


async def _a_prompt() -> str:
    return "prompt"


async def test_a_preamble_travels_with_the_files_of_the_first_step(node: Node) -> None:
    journal = await node.worker()
    await journal.preamble(_a_prompt)
    await journal.step(tool("write"), World(Performed("ok", workspace={"a.csv": "digest"})))

    assert (await node.worker()).workspace == {"a.csv": "digest"}


# ---- the last step -----------------------------------------------------------------------------


async def test_the_last_answer_is_written_together_with_the_end() -> None:
    node = Node(cap="10")
    journal = await node.worker()
    last = replace(spent("1"), is_last=True)
    await journal.step(model(reserve="4"), World(last))
    assert node.store._nodes[KEY].steps[0].status is StepStatus.PLANNED

    done = SkillCompleted(skill_name="report", output="answer")
    await journal.finish(Outcome(NodeStatus.COMPLETED, "answer"), done)

    assert node.store._nodes[KEY].steps[0].status is StepStatus.CONFIRMED
    assert (node.money.reserved, node.money.settled) == dollars(0, 1)


@requirement("DUR-1")
async def test_a_worker_lost_before_the_end_has_lost_its_last_answer_and_it_is_counted() -> None:
    node, world = Node(cap="10"), World(replace(spent("1"), is_last=True))
    await (await node.worker()).step(model(reserve="4"), world)

    successor = await node.worker()
    step = await successor.step(model(reserve="4"), world)
    await successor.finish(Outcome(NodeStatus.COMPLETED), SkillCompleted(skill_name="report"))

    assert world.count == 2
    assert step.cost == node.money.settled == 5
    assert step.is_cost_assumed


# ---- several calls at a time -------------------------------------------------------------------


async def test_the_calls_of_a_turn_are_numbered_in_order_before_any_of_them_starts(
    node: Node,
) -> None:
    journal, both_are_at_work = await node.worker(), asyncio.Barrier(2)

    async def meet() -> Performed:
        async with asyncio.timeout(5):
            await both_are_at_work.wait()
        return Performed("met")

    slots = journal.take([tool("left"), tool("right")])
    works = [journal.run(slot, World(meet)) for slot in reversed(slots)]
    right, left = await asyncio.gather(*works)

    assert [(step.number, step.name) for step in (left, right)] == [(0, "left"), (1, "right")]


async def test_of_two_calls_only_the_one_that_was_lost_is_done_again(node: Node) -> None:
    journal, left, right = await node.worker(), World(RuntimeError("killed")), World()
    slots = journal.take([tool("left"), tool("right")])
    await asyncio.gather(
        journal.run(slots[0], left), journal.run(slots[1], right), return_exceptions=True
    )

    successor, again = await node.worker(), World(Performed("again"))
    slots = successor.take([tool("left"), tool("right")])
    answers = [(await successor.run(slot, again)).answer for slot in slots]

    assert answers == ["again", "done"]
    assert (right.count, again.count) == (1, 1)


async def test_the_record_is_read_in_order(node: Node) -> None:
    journal = await node.worker()
    slots = journal.take([tool("left"), tool("right")])
    for slot in reversed(slots):
        await journal.run(slot, World(spent("0.5")))

    assert [step.name for step in journal.recorded] == ["left", "right"]
    assert journal.cost == 1
    assert journal.usage.model_calls == 2


# ---- how a segment ends ------------------------------------------------------------------------


async def test_a_request_to_stop_ends_the_segment_only_before_new_work(node: Node) -> None:
    await (await node.worker()).step(tool("read"), World())
    reasons = iter(["drain"])
    journal, world = await node.worker(lambda: next(reasons)), World()

    recorded = await journal.step(tool("read"), world)
    with pytest.raises(Interrupted, match="drain"):
        await journal.step(tool("sum"), world)

    assert recorded.status is StepStatus.CONFIRMED
    assert world.count == 0


async def test_what_had_begun_is_on_record_when_a_segment_is_stopped(node: Node) -> None:
    stop: list[str] = []
    journal = await node.worker(lambda: stop[0] if stop else None)

    async def asked_to_stop() -> Performed:
        stop.append("pause")
        return Performed("finished all the same")

    step = await journal.step(tool("read"), World(asked_to_stop))

    assert step.answer == "finished all the same"
    with pytest.raises(Interrupted, match="pause"):
        await journal.step(tool("sum"), World())


async def test_a_final_outcome_is_what_a_successor_finds(node: Node) -> None:
    journal = await node.worker()
    outcome = Outcome(NodeStatus.COMPLETED, {"answer": 42})
    await journal.finish(outcome, SkillCompleted(skill_name="report", output={"answer": 42}))

    successor = await node.worker()

    assert successor.outcome == outcome
    assert node.told == ["skill_started", "skill_completed"]


async def test_a_node_that_waits_has_no_outcome_for_its_successor(node: Node) -> None:
    journal = await node.worker()
    error = ErrorInfo(code="x", message="x")
    await journal.finish(Outcome(NodeStatus.WAITING), SkillFailed(skill_name="report", error=error))

    assert (await node.worker()).outcome is None


async def test_a_successor_says_that_it_resumed_and_after_how_many_steps(node: Node) -> None:
    journal = await node.worker()
    await journal.step(tool("read"), World())
    await journal.step(tool("sum"), World())
    await node.worker()

    resumed = node.money.events[-1].body
    assert resumed == SkillResumed(skill_name="report", segment=0, attempt=2, recorded_steps=2)


async def test_an_event_shares_the_commit_of_its_step(node: Node) -> None:
    def answered(step: Step, seconds: float) -> EventBody:
        return ToolAnswered(
            step=step.number, tool="read", success=True, summary=step.answer, duration_ms=1
        )

    read = replace(tool("read"), tell=answered)
    await (await node.worker()).step(read, World(Performed("ok")))
    await (await node.worker()).step(tool("read"), World())

    assert node.told == ["skill_started", "tool_answered", "skill_resumed"]


async def test_working_time_adds_up_over_segments(
    node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    hands = [100.0]
    monkeypatch.setattr(journal_module, "time", SimpleNamespace(monotonic=lambda: hands[0]))
    journal = await node.worker()
    hands[0] += 3
    await journal.step(tool("read"), World())
    hands[0] += 1_000  # nobody works on it

    successor = await node.worker()
    hands[0] += 4

    assert successor.active_seconds == 7


async def test_the_workspace_is_what_the_last_writing_step_left(node: Node) -> None:
    journal = await node.worker()
    await journal.step(tool("write"), World(Performed("ok", workspace={"a.csv": "digest"})))
    await journal.step(tool("read"), World())

    assert (await node.worker()).workspace == {"a.csv": "digest"}


async def test_a_step_knows_when_it_was_done_and_by_whom(node: Node) -> None:
    before = clock.now()
    await node.worker()
    step = await (await node.worker()).step(tool("read"), World())

    assert step.fence == (0, 2)
    assert step.started_at is not None
    assert step.ended_at is not None
    assert before <= step.started_at <= step.ended_at


async def test_work_is_told_the_id_of_its_effect_even_when_it_has_none(node: Node) -> None:
    world = World()
    await (await node.worker()).step(tool("read"), world)

    assert world.sendings == [Sending(world.sendings[0].effect_id)]
    assert world.sendings[0].effect_id.startswith("of-")
