"""Models that misbehave: whatever they send ends in an observation or in a typed failure."""

import json
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some

from omniforge.agents.runs import TokenUsage
from omniforge.errors import (
    AnswerUnusable,
    ContextTooLong,
    ModelOverloaded,
    ModelRefused,
    TryAgain,
)
from omniforge.execution.events import Ending
from omniforge.execution.model_call.checks import MAX_ARGUMENTS, MAX_CALLS, MAX_TEXT
from omniforge.execution.model_call.live_text import MAX_SHOWN, LiveText
from omniforge.journal.journal import Journal
from omniforge.journal.steps import EffectClass
from omniforge.llm.protocol import Native, StopReason, ToolCall, Turn
from tests.execution.making import KEY, Bench, a_tool, echo, failing, last_words
from tests.support.requirements import requirement
from tests.support.scripted import Reply, answer, calling

MANY = 10_000_000
USED = TokenUsage(input_tokens=5, output_tokens=5, model_calls=1)


def turn(text: str = "", *calls: ToolCall, stop: StopReason = StopReason.END, **more: Any) -> Turn:
    return Turn(text, calls, stop, USED, "scripted-1", **more)


def nested(levels: int) -> dict[str, Any]:
    value: dict[str, Any] = {}
    for _ in range(levels):
        value = {"text": value}
    return value


def stored(bench: Bench) -> int:
    """Characters of all that is on record or shown."""
    events = sum(len(event.model_dump_json()) for event in bench.stream.events)
    return events + sum(len(json.dumps([step.arguments, step.answer])) for step in bench.recorded)


# ---- too much ----------------------------------------------------------------------------------


@requirement("RAC-3")
async def test_ten_megabytes_of_text_are_not_stored(bench: Bench) -> None:
    bench.model.decides(lambda _: None if bench.asked > 1 else turn("word " * (MANY // 5)))
    bench.model.answers("Done.")

    result = await bench.run()

    assert result.final_answer == "Done."
    assert f"had {MANY} characters; {MAX_TEXT} are allowed" in last_words(bench.model.asked[1]).text
    assert stored(bench) < MAX_TEXT


async def test_a_model_that_cannot_stop_talking_is_given_up(bench: Bench) -> None:
    bench.model.decides(lambda _: turn("x" * (MAX_TEXT + 1)))

    result = await bench.run()

    assert result.error is not None
    assert result.error.code == "model_answer_invalid"
    assert result.output is not None
    assert len(result.output["partial"]) < MAX_TEXT


async def test_people_are_shown_no_more_than_can_be_read(bench: Bench) -> None:
    journal = await Journal.open(bench.store, KEY, "report")
    live = LiveText(journal, 1)
    for _ in range(100):
        live.add("x" * MAX_SHOWN)

    assert sum(map(len, live._pieces)) == MAX_SHOWN


@requirement("RAC-3")
async def test_arguments_without_end_are_not_recorded(bench: Bench) -> None:
    bench.model.calls(("echo", {"text": "x" * MANY})).answers("Done.")

    assert (await bench.run(echo())).success

    assert f"{MAX_ARGUMENTS} are allowed" in last_words(bench.model.asked[1]).text
    assert [name for name, _ in bench.steps] == ["preamble", "model", "model"]
    assert stored(bench) < 20_000


@requirement("RAC-3")
async def test_of_endless_calls_in_one_turn_the_first_are_made_and_the_rest_refused(
    bench: Bench,
) -> None:
    calls = [("echo", {"text": str(number)}) for number in range(1_000)]
    bench.model.calls(*calls).answers("Done.")

    assert (await bench.run(echo())).success

    said = last_words(bench.model.asked[1])
    assert len(said.answers) == MAX_CALLS
    assert (
        f"You made 1000 calls in one turn, which is too many. Only the first {MAX_CALLS}"
        in said.text
    )
    assert len(bench.model.asked[1].messages[1].calls) == MAX_CALLS
    assert bench.steps.count(("echo", "confirmed")) == MAX_CALLS


@requirement("RAC-3")
@pytest.mark.parametrize("levels", [101, 300, 700])
async def test_arguments_that_are_nested_without_end_are_told_so(bench: Bench, levels: int) -> None:
    bench.model.calls(("echo", nested(levels))).answers("Done.")

    assert (await bench.run(echo())).success
    assert "nested too deep" in last_words(bench.model.asked[1]).text


async def test_an_answer_that_is_nested_without_end_is_a_text(bench: Bench) -> None:
    text = json.dumps(nested(300))
    bench.model.answers(text)

    assert (await bench.run()).output == {"answer": text}


async def test_what_a_tool_nests_without_end_is_a_text(bench: Bench) -> None:
    async def deep(_: str) -> object:
        return nested(300)

    bench.model.calls(("deep", {"text": "x"})).answers("Done.")
    await bench.run(a_tool("deep", deep))

    assert isinstance(bench.recorded[2].answer, str)
    assert bench.observed() == [json.dumps(nested(300))]


@requirement("RAC-2")
async def test_thousands_of_tiny_turns_end_at_the_limit(bench: Bench) -> None:
    number = iter(range(10_000))
    bench.model.decides(lambda _: calling(("echo", {"text": str(next(number))})))

    result = await bench.run(echo(), max_iterations=500)

    assert result.error is not None
    assert (bench.asked, result.error.code) == (500, "max_iterations")


# ---- too little, or wrong ----------------------------------------------------------------------


@requirement("RAC-3")
@pytest.mark.parametrize("text", ["", "  \n"])
async def test_an_empty_answer_is_no_answer(bench: Bench, text: str) -> None:
    bench.model.answers(text).answers("Done.")

    result = await bench.run()

    assert result.final_answer == "Done."
    assert "Your answer was empty" in last_words(bench.model.asked[1]).text


async def test_answers_of_no_use_count_only_in_a_row(bench: Bench) -> None:
    for number in range(5):
        bench.model.answers("").answers("").calls(("echo", {"text": str(number)}))
    bench.model.answers("Done.")

    assert (await bench.run(echo())).final_answer == "Done."


async def test_an_empty_answer_is_paid_for(bench: Bench) -> None:
    bench.model.costs("0.5").decides(lambda _: turn("") if bench.asked == 1 else turn("Done."))

    assert (await bench.run()).cost == 10


@requirement("RAC-4")
async def test_text_beside_calls_is_kept_with_them(bench: Bench) -> None:
    bench.model.calls(("echo", {"text": "a"}), text="Let me ask.").answers("Done.")
    await bench.run(echo())

    assert bench.model.asked[1].messages[1].text == "Let me ask."


@pytest.mark.parametrize(
    ("name", "recorded"),
    [("send it!", "send_it_"), ("x" * 900, "x" * 64), ("", "_"), ("é\0", "__")],
)
async def test_a_name_that_no_provider_takes_is_made_plain(
    bench: Bench, name: str, recorded: str
) -> None:
    native = Native("scripted", "scripted-1", [{"name": name}])
    replies = iter([turn("", ToolCall("c1", name, {}), native=native), answer("Done.")])
    bench.model.decides(lambda _: next(replies))

    await bench.run(echo())

    (call,) = bench.model.asked[1].messages[1].calls
    assert call.name == recorded
    assert bench.model.asked[1].messages[1].native is None
    assert f"There is no tool {recorded!r}" in bench.observed()[0]


async def test_half_a_character_becomes_one_that_can_be_sent_and_stored(bench: Bench) -> None:
    async def page(_: str) -> object:
        return {"title": "\udc00!"}

    bench.model.calls(("page", {"text": "\ud800"}), text="\ud800").answers('{"a": "\\ud800"}')
    result = await bench.run(a_tool("page", page))

    assert result.output == {"a": "?"}
    assert bench.observed() == ['{"title": "?!"}']
    assert stored(bench) > 0
    assert bench.model.asked[1].messages[1].calls[0].arguments == {"text": "?"}


@pytest.mark.parametrize("ids", [("", ""), ("a", "a"), ("a", "b")])
async def test_calls_of_one_turn_can_be_told_apart(bench: Bench, ids: tuple[str, str]) -> None:
    calls = [ToolCall(given, "echo", {"text": str(at)}) for at, given in enumerate(ids)]
    replies = iter([turn("", *calls), answer("Done.")])
    bench.model.decides(lambda _: next(replies))

    await bench.run(echo())

    said, told = bench.model.asked[1].messages[1:]
    assert [call.id for call in said.calls] == [each.call_id for each in told.answers]
    assert len({call.id for call in said.calls}) == 2


# ---- anything at all ---------------------------------------------------------------------------

_TEXTS = some.sampled_from(
    ["", " ", "Hm.", '{"a": 1}', "\0\ud800", "x" * (MAX_TEXT + 1), "[" * 9_000]
)
_NAMES = some.sampled_from(["echo", "fails", "sends", "no such tool", "", "x" * 300, "\ud800\0"])
_VALUES = some.sampled_from(
    [
        {"text": "x"},
        {"text": "y"},
        {"text": 5},
        {},
        {"text": "x" * (MAX_ARGUMENTS + 1)},
        nested(400),
        {"\0": None, "text": "\ud800"},
    ]
)
_CALLS = some.lists(
    some.builds(ToolCall, some.sampled_from(["", "a", "b"]), _NAMES, _VALUES), max_size=4
)
_TURNS = some.builds(
    lambda text, calls, stop: turn(text, *calls, stop=stop),
    _TEXTS,
    _CALLS,
    some.sampled_from(StopReason),
)
_ERRORS = some.sampled_from(
    [
        AnswerUnusable("Not JSON.", "{" * 50_000),
        ContextTooLong("too long"),
        ModelOverloaded("busy"),
        ModelRefused("no"),
    ]
)
_REASONS = {
    "max_iterations",
    "repetition",
    "model_answer_invalid",
    "output_invalid",
    "context_too_long",
    "model_refused",
    "model_overloaded",
    "gave_up",
}


@requirement("RAC-2", "RAC-3")
@settings(
    max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(replies=some.lists(_TURNS | _TURNS | _TURNS | _ERRORS, max_size=12))
async def test_whatever_a_model_sends_a_skill_ends_with_a_reason(replies: list[Reply]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(Path(folder))
        stream = iter(replies)
        bench.model.takes(20_000).decides(lambda _: next(stream, None) or answer("Done."))

        async def send(_: str) -> str:
            return "sent"

        tools = [echo(), failing(TryAgain("no")), a_tool("sends", send, EffectClass.ASK)]
        result = await bench.run(*tools, max_iterations=8)

        assert result.ending in {Ending.COMPLETED, Ending.FAILED}
        assert result.success or (result.error and result.error.code in _REASONS)
        assert stored(bench) < 3_000_000
        again = await bench.run(*tools, max_iterations=8)
        assert (again.ending, again.error) == (result.ending, result.error)
