"""The loop of one skill: think, act, observe."""

import asyncio

import pytest

from omniforge.execution.autonomous import AutonomousConfig, AutonomousSkillExecutor
from omniforge.execution.events import (
    Ending,
    ExecutionResult,
    TaskDoneEvent,
    TaskErrorEvent,
    TaskMessageEvent,
    TaskStatusEvent,
)
from omniforge.execution.factory import ExecutorFactory
from omniforge.llm.protocol import Author
from omniforge.skills.preprocessing import ContextLoader, StringSubstitutor
from omniforge.tools.executor import ToolExecutor
from omniforge.tools.registry import ToolRegistry
from tests.execution.making import Bench, a_skill, a_tool, echo
from tests.support.requirements import requirement
from tests.support.scripted import ScriptedLLM, calling


@requirement("RAC-1")
async def test_execute_yields_events_from_the_start_to_the_result(bench: Bench) -> None:
    bench.model.calls(("echo", {"text": "hi"}), text="I will ask.").answers("42")
    executor = await bench.executor(echo())

    events = [event async for event in executor.execute("test request", "task-1")]

    assert events[0] == TaskStatusEvent("task-1", "started")
    assert [event.text for event in events if isinstance(event, TaskMessageEvent)] == [
        "I will ask.",
        "echo: ok",
        "42",
    ]
    assert isinstance(events[-1], TaskDoneEvent)
    assert events[-1].result.output == {"answer": 42}
    assert {event.task_id for event in events} == {"task-1"}


@requirement("RAC-2")
async def test_execute_respects_max_iterations(bench: Bench) -> None:
    words = iter(range(99))
    bench.model.decides(lambda _: calling(("echo", {"text": str(next(words))}), text="Again."))

    result = await bench.run(echo(), max_iterations=3)

    assert bench.asked == 3
    assert (result.ending, result.iterations) == (Ending.FAILED, 3)
    assert result.error is not None
    assert result.error.code == "max_iterations"
    assert result.output == {"partial": "Again."}


@requirement("RAC-2")
async def test_execute_stops_on_the_final_answer(bench: Bench) -> None:
    bench.model.calls(("echo", {"text": "hi"})).answers("Done.").answers("must not be asked for")

    result = await bench.run(echo(), max_iterations=10)

    assert (bench.asked, result.iterations) == (2, 2)
    assert (result.success, result.final_answer) == (True, "Done.")


@requirement("RAC-1")
async def test_execute_sync_returns_the_result_with_usage_and_cost(bench: Bench) -> None:
    bench.model.costs("0.001").calls(("echo", {"text": "hi"})).answers('{"total": 3}', tokens=5)

    result = await bench.run(echo())

    assert isinstance(result, ExecutionResult)
    assert (result.success, result.output) == (True, {"total": 3})
    assert (result.usage.input_tokens, result.usage.model_calls) == (15, 2)
    assert result.usage.tool_calls == 1
    assert str(result.cost) == "0.03"


@requirement("RAC-1")
async def test_the_constructor_takes_the_seven_parameters_of_the_product_document() -> None:
    registry = ToolRegistry([echo()])
    executor = AutonomousSkillExecutor(
        a_skill('1. `echo {"text": "hi"}`\n2. Answer: ${steps.1}'),
        registry,
        ToolExecutor(registry),
        AutonomousConfig(max_iterations=5),
        ContextLoader(),
        _Shouting(),
        StringSubstitutor(),
    )

    result = await executor.execute_sync("test")  # with the offline model, in memory

    assert (result.success, result.final_answer) == (True, "you said HI")


class _Shouting:
    """An injector as a sandbox would provide one."""

    async def inject(self, text: str) -> str:
        return text.replace("hi", "HI")


async def test_three_parameters_are_enough() -> None:
    registry = ToolRegistry([echo()])
    executor = AutonomousSkillExecutor(a_skill("1. Answer: done"), registry, ToolExecutor(registry))

    assert (await executor.execute_sync("test")).final_answer == "done"


async def test_an_ended_skill_is_not_done_again(bench: Bench) -> None:
    bench.model.answers("Done.")
    first = await bench.run()
    second = await bench.run()

    assert bench.asked == 1
    assert (second.ending, second.output) == (first.ending, first.output)


@requirement("RAC-2")
async def test_a_failure_that_is_on_record_is_the_result_again(bench: Bench) -> None:
    bench.model.decides(lambda _: calling(("echo", {"text": "hi"})))
    first = await bench.run(echo(), max_iterations=2)
    second = await bench.run(echo(), max_iterations=2)

    assert (second.ending, second.error) == (first.ending, first.error)
    assert bench.asked == 2


# ---- what the model is told --------------------------------------------------------------------


async def test_the_model_is_told_the_skill_the_input_and_the_tools(bench: Bench) -> None:
    bench.model.answers("Done.")
    skill = a_skill("Sum up week $ARGUMENTS.", files={"SKILL.md": b"", "references/a.md": b"x"})

    await bench.run(echo(), skill=skill, request='{"week": 27}', max_iterations=7)

    (asked,) = bench.model.asked
    assert "Sum up week" in asked.system
    assert "references/a.md" in asked.system
    assert "You have at most 7 turns." in asked.system
    assert '"week": 27' in asked.messages[0].text
    assert [tool.name for tool in asked.tools] == ["echo", "read_skill_file"]


@pytest.mark.parametrize(
    ("request_text", "shown"),
    [
        ("plain words", '"request": "plain words"'),
        ('"quoted"', '"request": "quoted"'),
        ("[1, 2]", '"request": ['),
        ('{"a": 1}', '"a": 1'),
    ],
)
async def test_the_input_is_a_json_object_or_plain_words(
    bench: Bench, request_text: str, shown: str
) -> None:
    bench.model.answers("Done.")
    await bench.run(request=request_text)

    assert shown in bench.model.asked[0].messages[0].text


async def test_the_conversation_is_kept_across_turns(bench: Bench) -> None:
    bench.model.calls(("echo", {"text": "a"}), text="First.").answers("Done.")
    await bench.run(echo())

    authors = [message.author for message in bench.model.asked[-1].messages]
    assert authors == [Author.USER, Author.ASSISTANT, Author.USER]
    assert bench.model.asked[-1].messages[1].text == "First."
    assert bench.observed() == ["you said a"]


async def test_the_model_of_the_configuration_wins_over_the_default(bench: Bench) -> None:
    bench.model.answers("Done.")
    await bench.run(model="special-1")

    assert bench.model.asked[0].model == "special-1"


@requirement("SKL-7")
async def test_a_resumed_skill_works_from_the_prompt_it_began_with(bench: Bench) -> None:
    bench.model.decides(lambda _: calling(("echo", {"text": "a"})))
    stop = iter([None, None, None, "drain"])
    executor = await bench.executor(echo(), should_stop=lambda: next(stop))
    assert (await executor.execute_sync("go")).ending is Ending.INTERRUPTED

    bench.model.decides(lambda _: None).answers("Done.")
    await bench.run(echo(), echo("second"), skill=a_skill("Edited."), model="other")

    first, last = bench.model.asked[0], bench.model.asked[-1]
    assert (last.system, last.tools, last.model) == (first.system, first.tools, first.model)


# ---- watching ----------------------------------------------------------------------------------


async def test_closing_the_iterator_cancels_the_work(bench: Bench) -> None:
    cancelled = asyncio.Event()

    async def hang(_: str) -> None:
        try:
            await asyncio.sleep(60)
        finally:
            cancelled.set()

    bench.model.calls(("hang", {"text": "x"}), text="Now.")
    executor = await bench.executor(a_tool("hang", hang))
    events = executor.execute("go")
    async for event in events:
        if isinstance(event, TaskMessageEvent):
            break
    await asyncio.sleep(0.01)
    await events.aclose()  # type: ignore[attr-defined]  # it is a generator

    assert cancelled.is_set()
    assert ("model", "confirmed") in bench.steps


@requirement("RAC-1")
async def test_a_failure_is_an_error_event_and_then_the_result(bench: Bench) -> None:
    bench.model.decides(lambda _: calling(("echo", {"text": "hi"})))
    executor = await bench.executor(echo(), max_iterations=1)

    events = [event async for event in executor.execute("go")]

    error, done = events[-2:]
    assert isinstance(error, TaskErrorEvent)
    assert isinstance(done, TaskDoneEvent)
    assert error.error == done.result.error


async def test_a_bug_in_the_model_reaches_the_one_who_iterates(bench: Bench) -> None:
    def broken(_: object) -> None:
        raise ZeroDivisionError

    executor = await bench.executor()
    bench.model.decides(broken)

    with pytest.raises(ZeroDivisionError):
        _ = [event async for event in executor.execute("go")]


async def test_the_factory_gives_supporting_files_only_to_skills_that_have_some() -> None:
    factory = ExecutorFactory([echo()], ScriptedLLM().answers("Done."))
    plain = factory.make(a_skill(), AutonomousConfig())

    assert (await plain.execute_sync("go")).success
    assert isinstance(factory.llm, ScriptedLLM)
    assert [tool.name for tool in factory.llm.asked[0].tools] == ["echo"]


async def test_the_stream_tells_of_every_turn_and_call(bench: Bench) -> None:
    bench.model.calls(("echo", {"text": "a"})).answers("Done.")
    await bench.run(echo())

    assert bench.told == [
        "skill_started",
        "model_answered",
        "tool_answered",
        "model_answered",
        "skill_completed",
    ]
