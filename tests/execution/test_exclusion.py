"""Approaches that failed too often, and models that go in circles."""

from collections.abc import Mapping
from typing import Any

import pytest

from omniforge.agents.permissions import Action, PermissionRule
from omniforge.errors import TryAgain
from omniforge.execution.events import Ending
from omniforge.execution.loop.preamble import Rules
from omniforge.journal.events import ToolAnswered
from omniforge.journal.ports import Decision, InboxItem
from omniforge.journal.steps import EffectClass
from tests.execution.making import KEY, Bench, a_tool, echo, writing
from tests.support.requirements import requirement
from tests.support.scripted import calling

SAME = ("fetch", {"text": "a"})


class Counted:
    """A tool that counts how often it is reached, and fails until it is told otherwise."""

    def __init__(self, name: str = "fetch", effect: EffectClass = EffectClass.READ) -> None:
        self.calls, self.works = 0, False
        self.tool = a_tool(name, self._work, effect)

    async def _work(self, text: str) -> str:
        self.calls += 1
        if not self.works:
            raise TryAgain(f"{text} is not there")
        return "found"


async def told(
    bench: Bench, *turns: tuple[str, Mapping[str, Any]], tools: Any, **config: Any
) -> list[str]:
    """What the model is told, turn by turn, of one call each."""
    for turn in turns:
        bench.model.calls(turn)
    bench.model.answers("Done.")
    result = await bench.run(*tools, **config)
    assert result.success, result.error
    return bench.observed()


@requirement("RAC-3")
async def test_a_call_that_failed_twice_is_not_made_again(bench: Bench) -> None:
    fetch = Counted()

    observed = await told(bench, SAME, SAME, SAME, tools=[fetch.tool, echo()])

    assert fetch.calls == 2
    assert observed[:2] == ["a is not there"] * 2
    assert "This very call of fetch has failed 2 times" in observed[2]
    assert "use another tool (echo)" in observed[2]


@requirement("RAC-3")
async def test_a_call_that_is_not_made_costs_no_call_and_is_told_to_people(bench: Bench) -> None:
    fetch = Counted()
    await told(bench, SAME, SAME, SAME, tools=[fetch.tool])

    events = [e.body for e in bench.stream.events if isinstance(e.body, ToolAnswered)]
    assert [event.error_code for event in events] == ["try_again", "try_again", "call_excluded"]
    assert sum(step.usage.tool_calls for step in bench.recorded) == 2


@requirement("RAC-3")
async def test_a_tool_that_fails_in_one_way_whatever_it_is_given_is_left_alone(
    bench: Bench,
) -> None:
    fetch = Counted()
    turns = [("fetch", {"text": str(number)}) for number in range(4)]

    observed = await told(bench, *turns, tools=[fetch.tool, echo()], rules=Rules(max_failures=3))

    assert fetch.calls == 3
    assert "fetch has failed 3 times in a row in the same way" in observed[3]


@requirement("RAC-3")
async def test_a_tool_may_be_used_again_once_something_else_has_worked(bench: Bench) -> None:
    fetch = Counted()
    turns = [("fetch", {"text": str(number)}) for number in range(4)]
    after = [("echo", {"text": "x"}), ("fetch", {"text": "5"})]

    await told(bench, *turns, *after, tools=[fetch.tool, echo()], rules=Rules(max_failures=3))

    assert fetch.calls == 4


@requirement("RAC-3")
async def test_a_call_may_be_made_again_once_something_has_changed(bench: Bench) -> None:
    fetch = Counted()

    observed = await told(
        bench, SAME, SAME, ("note", {"text": "x"}), SAME, tools=[fetch.tool, writing("note")]
    )

    assert fetch.calls == 3
    assert observed[-1] == "a is not there"


async def test_people_are_not_asked_a_third_time_for_what_they_refused_twice(bench: Bench) -> None:
    fetch = Counted()
    asks = (PermissionRule(action=Action.ASK, tool="fetch"),)
    bench.model.calls(SAME).calls(SAME).calls(SAME).answers("Done.")
    for number in range(2):
        waiting = await bench.run(fetch.tool, permissions=asks)
        (wait,) = waiting.waits
        refusal = InboxItem(f"d{number}", wait.id, Decision.REJECT, "us_anna", "not that")
        bench.store.inbox[KEY] = [refusal]

    result = await bench.run(fetch.tool, permissions=asks)

    assert (result.ending, fetch.calls) == (Ending.COMPLETED, 0)
    assert "was not made again" in bench.observed()[-1]


@requirement("RAC-3", "DUR-1")
async def test_a_resumed_skill_excludes_what_it_excluded_before(bench: Bench) -> None:
    fetch, stop = Counted(), iter([None] * 6)
    bench.model.calls(SAME).calls(SAME).calls(SAME).answers("Done.")
    executor = await bench.executor(fetch.tool, should_stop=lambda: next(stop, "drain"))
    assert (await executor.execute_sync("go")).ending is Ending.INTERRUPTED
    fetch.works = True

    assert (await bench.run(fetch.tool)).success

    assert fetch.calls == 2
    assert "was not made again" in bench.observed()[-1]


# ---- circles -----------------------------------------------------------------------------------


@requirement("RAC-2")
async def test_two_calls_in_turn_with_the_same_answers_end_the_skill(bench: Bench) -> None:
    turns = iter(range(99))
    bench.model.decides(lambda _: calling(("echo", {"text": "ab"[next(turns) % 2]}), text="Hm."))

    result = await bench.run(echo())

    assert result.error is not None
    assert (bench.asked, result.error.code) == (6, "repetition")
    assert "in turn, 3 times over" in result.error.message
    assert result.output == {"partial": "Hm."}


@requirement("RAC-2", "RAC-3")
async def test_a_model_that_will_not_take_no_for_an_answer_is_stopped(bench: Bench) -> None:
    fetch = Counted()
    bench.model.decides(lambda _: calling(SAME))

    result = await bench.run(fetch.tool)

    assert result.error is not None
    assert (fetch.calls, bench.asked, result.error.code) == (2, 5, "repetition")


async def test_the_same_call_now_and_then_is_no_circle(bench: Bench) -> None:
    for number in range(5):
        bench.model.calls(("echo", {"text": "again"})).calls(("echo", {"text": str(number)}))
    bench.model.answers("Done.")

    assert (await bench.run(echo())).success


@pytest.mark.parametrize("length", [3, 4])
async def test_longer_circles_are_seen_as_well(bench: Bench, length: int) -> None:
    turns = iter(range(99))
    bench.model.decides(lambda _: calling(("echo", {"text": str(next(turns) % length)})))

    result = await bench.run(echo())

    assert result.error is not None
    assert (bench.asked, result.error.code) == (3 * length, "repetition")
