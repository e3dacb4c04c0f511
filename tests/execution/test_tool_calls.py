"""Tool calls of the loop: checked, run side by side, observed."""

import asyncio
import json
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import pytest

from omniforge.errors import GaveUp, OutcomeUnknown, StorageUnavailable, TryAgain
from omniforge.execution.events import Ending
from omniforge.journal.events import ToolAnswered
from omniforge.journal.steps import EffectClass
from omniforge.tools.executor import MAX_RESULT_CHARS, SUMMARY_CHARS
from omniforge.tools.functions import FunctionTool
from omniforge.tools.protocol import ToolCallContext, ToolSpec
from tests.execution.making import (
    ANY_TEXT,
    Bench,
    a_skill,
    a_tool,
    echo,
    failing,
    hanging,
    writer_spec,
    writing,
)
from tests.support.effects import CountingService
from tests.support.requirements import requirement
from tests.support.scripted import calling


async def observed(
    bench: Bench, *calls: tuple[str, Mapping[str, Any]], tools: Any = ()
) -> list[str]:
    """What the model is told of one turn's calls."""
    bench.model.calls(*calls).answers("Done.")
    result = await bench.run(*tools)
    assert result.success, result.error
    return bench.observed()


def answered(bench: Bench) -> ToolAnswered:
    return next(e.body for e in bench.stream.events if isinstance(e.body, ToolAnswered))


@requirement("RAC-4")
async def test_what_a_tool_answers_is_what_the_model_sees(bench: Bench) -> None:
    async def rows(_: str) -> object:
        return {"rows": [1, 2], "text": "Grüße"}

    told = await observed(bench, ("rows", {"text": "x"}), tools=[a_tool("rows", rows)])

    assert json.loads(told[0]) == {"rows": [1, 2], "text": "Grüße"}


@requirement("RAC-3", "TOOL-1")
@pytest.mark.parametrize(
    ("error", "words"),
    [
        (TryAgain("no database called 'Clients'"), "no database called 'Clients'"),
        (OutcomeUnknown("the line was cut"), "the line was cut"),
        (ValueError("internal detail"), "fails crashed (ValueError). Try another way."),
    ],
)
async def test_a_tools_failure_comes_back_as_an_observation(
    bench: Bench, error: Exception, words: str
) -> None:
    told = await observed(bench, ("fails", {"text": "x"}), tools=[failing(error)])

    assert told == [words]
    assert not answered(bench).success


@requirement("TOOL-1")
async def test_an_unknown_tool_is_named_with_those_that_are_known(bench: Bench) -> None:
    told = await observed(bench, ("ecko", {"text": "x"}), tools=[echo()])

    assert told == ["There is no tool 'ecko'. Known: echo."]


async def test_a_name_that_no_tool_could_have_is_recorded_in_a_form_any_store_takes(
    bench: Bench,
) -> None:
    await observed(bench, ("x\0" * 500, {"text": "x"}), tools=[echo()])

    (name, _) = bench.steps[2]
    assert len(name) <= 64
    assert name.isprintable()


@requirement("TOOL-1")
@pytest.mark.parametrize("arguments", [{}, {"text": 5}, {"text": "x", "more": 1}])
async def test_arguments_that_break_the_schema_never_reach_the_tool(
    bench: Bench, arguments: dict[str, Any]
) -> None:
    (told,) = await observed(
        bench, ("fails", arguments), tools=[failing(AssertionError("reached"))]
    )

    assert "The arguments of fails do not fit" in told


@requirement("TOOL-1")
async def test_a_tool_the_skill_does_not_allow_is_neither_offered_nor_run(bench: Bench) -> None:
    bench.model.calls(("echo", {"text": "x"}), ("other", {"text": "y"})).answers("Done.")
    skill = a_skill(allowed_tools=("other",))

    await bench.run(echo(), echo("other"), skill=skill)

    assert [tool.name for tool in bench.model.asked[0].tools] == ["other"]
    assert bench.observed() == [
        "This skill may not call 'echo' with these arguments (allowed-tools).",
        "you said y",
    ]


async def test_a_tool_may_be_allowed_for_some_arguments_only(bench: Bench) -> None:
    bench.model.calls(("echo", {"text": "safe x"}), ("echo", {"text": "rm x"})).answers("Done.")

    await bench.run(echo(), skill=a_skill(allowed_tools=("echo(safe:*)",)))

    assert bench.observed()[0] == "you said safe x"
    assert "may not call 'echo'" in bench.observed()[1]


async def test_a_skill_that_allows_no_tool_still_reaches_the_model(bench: Bench) -> None:
    bench.model.answers("Done.")

    assert (await bench.run(echo(), skill=a_skill(allowed_tools=()))).success
    assert bench.model.asked[0].tools == ()


@requirement("RAC-4")
async def test_the_calls_of_a_turn_run_side_by_side_and_come_back_in_order(bench: Bench) -> None:
    both = asyncio.Barrier(2)

    def meeting(name: str, wait: float) -> Any:
        async def work(_: str) -> str:
            async with asyncio.timeout(5):
                await both.wait()
            await asyncio.sleep(wait)
            return name

        return a_tool(name, work)

    calls = [("slow", {"text": "x"}), ("quick", {"text": "x"})]
    told = await observed(bench, *calls, tools=[meeting("quick", 0), meeting("slow", 0.02)])

    assert told == ["slow", "quick"]


async def test_calls_that_write_the_workspace_go_one_after_another(bench: Bench) -> None:
    at_work: list[str] = []

    def writer(name: str) -> FunctionTool:
        async def run(arguments: Mapping[str, Any], _: ToolCallContext) -> list[str]:
            at_work.append(name)
            await asyncio.sleep(0.01)
            alone = list(at_work)
            at_work.remove(name)
            return alone

        return FunctionTool(writer_spec(name), run)

    names = ["one", "two", "three"]
    calls = [(name, {"text": "x"}) for name in names]
    told = await observed(bench, *calls, tools=[writer(name) for name in names])

    assert [json.loads(each) for each in told] == [[name] for name in names]


@requirement("TOOL-1")
async def test_an_answer_that_is_too_long_is_cut_and_says_so(bench: Bench) -> None:
    async def long(_: str) -> str:
        return "x" * (MAX_RESULT_CHARS + 7)

    (told,) = await observed(bench, ("long", {"text": "x"}), tools=[a_tool("long", long)])

    assert told.startswith("x" * MAX_RESULT_CHARS + "\n[cut: the first")
    assert f"of {MAX_RESULT_CHARS + 7} characters" in told
    assert len(answered(bench).summary) == SUMMARY_CHARS


async def test_what_is_no_json_is_a_crash_and_no_answer(bench: Bench) -> None:
    async def odd(_: str) -> object:
        return {"a set"}

    (told,) = await observed(bench, ("odd", {"text": "x"}), tools=[a_tool("odd", odd)])

    assert "odd crashed (TypeError)" in told


@requirement("TOOL-1")
async def test_a_reading_tool_that_hangs_is_an_observation(bench: Bench) -> None:
    (told,) = await observed(bench, ("hangs", {"text": "x"}), tools=[hanging()])

    assert told == "hangs gave no answer within 0.02 seconds."


@requirement("DUR-2")
async def test_an_effect_that_hangs_parks_the_skill(bench: Bench) -> None:
    bench.model.calls(("hangs", {"text": "x"}), ("echo", {"text": "y"}))

    result = await bench.run(hanging(EffectClass.ASK), echo())

    assert (result.ending, len(result.waits)) == (Ending.WAITING, 1)
    assert "hangs was sent at" in result.waits[0].question
    assert bench.steps[2:] == [("hangs", "unknown"), ("echo", "confirmed")]
    assert bench.told[-1] == "skill_waiting"


@requirement("DUR-2")
@pytest.mark.parametrize(
    ("name", "posts"), [("post_keyed", 1), ("post_findable", 1), ("post_ask", 1)]
)
async def test_an_effect_whose_answer_was_lost_happens_once(
    bench: Bench, name: str, posts: int
) -> None:
    service = CountingService()
    service.lost_answers = 1
    bench.model.calls((name, {"text": "hello"})).answers("Done.")

    result = await bench.run(*service.tools())

    assert len(service.posts) == posts
    assert result.ending is (Ending.WAITING if name == "post_ask" else Ending.COMPLETED)


async def test_an_effect_that_was_refused_is_an_observation(bench: Bench) -> None:
    service = CountingService()
    service.refusals = 1

    told = await observed(bench, ("post_ask", {"text": "hello"}), tools=service.tools())

    assert told == ["the service said 403"]
    assert service.posts == []


@requirement("DUR-2")
async def test_a_tool_that_crashes_in_mid_effect_leaves_it_in_doubt(bench: Bench) -> None:
    bench.model.calls(("fails", {"text": "x"}))

    result = await bench.run(failing(ValueError("bug"), effect=EffectClass.ASK))

    assert result.ending is Ending.WAITING
    assert bench.steps[-1] == ("fails", "unknown")


@pytest.mark.parametrize("trouble", [TryAgain("no"), ValueError("bug")])
async def test_a_lookup_that_fails_is_left_to_a_person(bench: Bench, trouble: Exception) -> None:
    service = CountingService()
    service.lost_answers = 1
    (tool,) = [each for each in service.tools() if each.spec.name == "post_findable"]

    async def find(*_: object) -> object:
        raise trouble

    tool.find = find  # type: ignore[attr-defined]  # the lookup of a findable tool
    bench.model.calls(("post_findable", {"text": "hello"}))

    result = await bench.run(tool)

    assert result.ending is Ending.WAITING
    assert len(service.posts) == 1


@requirement("RAC-3")
async def test_a_tool_that_cannot_work_in_this_run_ends_the_skill(bench: Bench) -> None:
    bench.model.calls(("fails", {"text": "x"}), text="Let me see.")

    result = await bench.run(failing(GaveUp("workspace was disconnected")))

    assert result.error is not None
    assert (result.ending, result.error.code) == (Ending.FAILED, "gave_up")
    assert result.error.message == "fails: workspace was disconnected"
    assert result.output == {"partial": "Let me see."}


async def test_our_own_disk_is_not_the_models_affair(bench: Bench) -> None:
    bench.model.calls(("fails", {"text": "x"}))

    with pytest.raises(StorageUnavailable):
        await bench.run(failing(StorageUnavailable("the disk is full")))


@requirement("RAC-2")
async def test_the_same_call_with_the_same_answer_again_and_again_ends_the_skill(
    bench: Bench,
) -> None:
    bench.model.decides(lambda _: calling(("echo", {"text": "x"}), text="Once more."))

    result = await bench.run(echo())

    assert result.error is not None
    assert (bench.asked, result.error.code) == (3, "repetition")
    assert "echo was called 3 times" in result.error.message
    assert result.output == {"partial": "Once more."}


async def test_the_same_call_with_other_answers_is_no_repetition(bench: Bench) -> None:
    clock = iter(range(100))

    async def tick(_: str) -> int:
        return next(clock)

    for _ in range(5):
        bench.model.calls(("tick", {"text": "x"}))
    bench.model.answers("Done.")

    assert (await bench.run(a_tool("tick", tick))).success


# ---- the workspace -----------------------------------------------------------------------------


@requirement("TOOL-1")
@pytest.mark.parametrize("error", [TryAgain("too late"), ValueError("bug")])
async def test_a_writer_that_fails_leaves_the_workspace_as_it_was(
    bench: Bench, error: Exception
) -> None:
    calls = [("good", {"text": "kept"}), ("bad", {"text": "half"})]
    await observed(bench, *calls, tools=[writing("good"), writing("bad", error)])

    assert list(bench.workspace.files()) == ["good.txt"]
    assert list(bench.workspace.manifest) == ["good.txt"]


@requirement("DUR-1")
async def test_a_resumed_skill_finds_its_files_as_the_record_has_them(bench: Bench) -> None:
    bench.model.calls(("good", {"text": "kept"}))
    stop = iter([None, None, "drain"])
    executor = await bench.executor(writing("good"), should_stop=lambda: next(stop))
    result = await executor.execute_sync("go")
    bench.workspace.write("rubbish.txt", b"of a worker that was lost")

    bench.model.answers("Done.")
    await bench.run(writing("good"))

    assert (result.ending, result.interruption) == (Ending.INTERRUPTED, "drain")
    assert list(bench.workspace.files()) == ["good.txt"]
    assert bench.workspace.read("good.txt") == b"kept"
    assert bench.steps.count(("good", "confirmed")) == 1


async def test_a_tool_is_told_who_calls_and_under_which_id(bench: Bench) -> None:
    seen: list[ToolCallContext] = []

    async def run(_: Mapping[str, Any], context: ToolCallContext) -> str:
        seen.append(context)
        return "ok"

    spec = ToolSpec(
        "look",
        "Looks.",
        ANY_TEXT,
        timeout=timedelta(seconds=1),
        effect=EffectClass.READ,
    )
    bench.model.calls(("look", {"text": "x"})).answers("Done.")
    await bench.run(FunctionTool(spec, run), user_id="us_anna")

    (context,) = seen
    assert (context.tenant_id, context.task_id, context.session_id, context.user_id) == (
        "tenant-1",
        "task-1",
        "session-1",
        "us_anna",
    )
    assert context.effect_id.startswith("of-")
