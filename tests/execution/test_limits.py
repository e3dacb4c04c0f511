"""Deadlines and doubts: a skill that ends early keeps what it has."""

import asyncio
from pathlib import Path

from omniforge.execution.events import Ending
from omniforge.journal.events import SkillFailed
from omniforge.journal.ports import Decision, InboxItem
from omniforge.journal.steps import EffectClass
from tests.execution.making import KEY, Bench, a_tool, echo, hanging
from tests.support.effects import CountingService
from tests.support.requirements import requirement
from tests.support.scripted import answer, later

LATE = answer("Far too late.")


@requirement("EXE-4", "RAC-2")
async def test_a_skill_that_runs_out_of_time_keeps_its_partial_result(bench: Bench) -> None:
    bench.model.calls(("echo", {"text": "x"}), text="Half of it.")
    bench.model.decides(lambda asked: None if len(asked.messages) == 1 else later(60, LATE))

    result = await bench.run(echo(), timeout_s=0.15)

    assert result.error is not None
    assert (result.ending, result.error.code) == (Ending.TIMED_OUT, "skill_timed_out")
    assert result.output == {"partial": "Half of it."}
    assert bench.told[-1] == "skill_failed"
    assert bench.steps[-1] == ("echo", "confirmed")


@requirement("EXE-4")
async def test_a_skill_without_a_word_by_its_deadline_has_no_output(bench: Bench) -> None:
    bench.model.decides(lambda _: later(60, LATE))

    result = await bench.run(timeout_s=0.05)

    assert (result.ending, result.output) == (Ending.TIMED_OUT, None)


@requirement("EXE-4")
async def test_the_deadline_leaves_no_reservation_behind(tmp_path: Path) -> None:
    bench = Bench(tmp_path, cap="5")
    bench.model.costs("0.0001").decides(lambda _: later(60, LATE))

    result = await bench.run(timeout_s=0.05)

    assert result.ending is Ending.TIMED_OUT
    assert bench.stream.reserved == 0
    assert result.cost == bench.stream.settled > 0


@requirement("EXE-4")
async def test_time_used_by_earlier_segments_counts(bench: Bench) -> None:
    bench.model.decides(lambda _: later(60, LATE))
    await bench.executor()
    bench.store._nodes[KEY].active = 100.0

    result = await bench.run(timeout_s=100)

    assert result.ending is Ending.TIMED_OUT


@requirement("EXE-4", "DUR-2")
async def test_a_skill_that_ends_with_an_effect_in_the_air_says_so(bench: Bench) -> None:
    async def hang(_: str) -> None:
        await asyncio.sleep(60)

    bench.model.calls(("send", {"text": "x"}))
    result = await bench.run(a_tool("send", hang, EffectClass.ASK), timeout_s=0.1)

    assert result.error is not None
    assert "It is not known whether these calls took effect: send." in result.error.message
    failed = bench.stream.events[-1].body
    assert isinstance(failed, SkillFailed)
    assert failed.error == result.error


async def test_a_skill_that_was_asked_to_stop_is_interrupted_and_not_ended(bench: Bench) -> None:
    bench.model.answers("Done.")
    executor = await bench.executor(should_stop=lambda: "pause")

    result = await executor.execute_sync("go")

    assert (result.ending, result.interruption, bench.asked) == (Ending.INTERRUPTED, "pause", 0)
    assert bench.told == ["skill_started"]


@requirement("DUR-2")
async def test_a_parked_skill_goes_on_with_the_decision(bench: Bench) -> None:
    service = CountingService()
    service.lost_answers = 1
    bench.model.calls(("post_ask", {"text": "hello"})).answers("Done.")
    parked = await bench.run(*service.tools())
    (wait,) = parked.waits
    item = InboxItem("d1", wait.id, Decision.HAPPENED, "us_anna", "it is there")
    bench.store.inbox[KEY] = [item]

    result = await bench.run(*service.tools())

    assert (parked.ending, result.ending) == (Ending.WAITING, Ending.COMPLETED)
    assert bench.observed() == ['{"confirmed_by": "us_anna", "note": "it is there"}']
    assert (len(service.posts), bench.asked) == (1, 2)


@requirement("DUR-2")
async def test_all_effects_in_doubt_are_asked_about_at_once(bench: Bench) -> None:
    service = CountingService()
    service.lost_answers = 2
    bench.model.calls(("post_ask", {"text": "a"}), ("post_ask", {"text": "b"}))

    result = await bench.run(*service.tools())

    assert (result.ending, len({wait.id for wait in result.waits})) == (Ending.WAITING, 2)


async def test_an_interruption_comes_before_a_question_to_people(bench: Bench) -> None:
    bench.model.calls(("hangs", {"text": "x"}), ("echo", {"text": "y"}))
    stop = iter([None, None, "drain"])

    executor = await bench.executor(
        hanging(EffectClass.ASK), echo(), should_stop=lambda: next(stop, "drain")
    )
    result = await executor.execute_sync("go")

    assert (result.ending, result.interruption) == (Ending.INTERRUPTED, "drain")


@requirement("DUR-2")
async def test_a_lost_answer_is_asked_about_by_whoever_takes_over(bench: Bench) -> None:
    service = CountingService()
    service.lost_answers = 1
    bench.model.calls(("post_ask", {"text": "hello"}))
    first = await bench.run(*service.tools())

    second = await bench.run(*service.tools())

    assert (first.ending, second.waits) == (Ending.WAITING, first.waits)
    assert len(service.posts) == 1
