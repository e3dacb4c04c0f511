"""Models that fail, refuse, cost too much or answer in no usable form."""

from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest

from omniforge.agents.budgets import Scope
from omniforge.agents.runs import TokenUsage
from omniforge.errors import (
    AnswerUnusable,
    ContextTooLong,
    ModelAuthFailed,
    ModelOverloaded,
    ModelRateLimited,
    ModelRefused,
    ModelUnreachable,
    OmniForgeError,
)
from omniforge.execution.events import Ending
from omniforge.execution.model_call.asking import LONGEST_PAUSE, MODEL_TRIES, _pause
from omniforge.execution.model_call.reasoning import ReasoningEngine
from omniforge.journal.events import ModelAnswered
from omniforge.llm.protocol import Author, Completion, OnDelta, StopReason, Turn
from omniforge.llm.react import ReActLLM
from tests.execution.making import Bench, echo, last_words
from tests.support.requirements import requirement
from tests.support.scripted import ScriptedLLM, answer, calling

OVERLOADED = ModelOverloaded("529 overloaded")


# ---- failures ----------------------------------------------------------------------------------


@requirement("RAC-3")
@pytest.mark.parametrize(
    "error", [OVERLOADED, ModelRateLimited("429", retry_after=1), ModelUnreachable("cut")]
)
async def test_a_passing_failure_is_tried_again_and_nobody_sees_it(
    bench: Bench, error: OmniForgeError
) -> None:
    bench.model.fails(error).fails(error).answers("Done.")

    result = await bench.run()

    assert (result.success, bench.asked) == (True, 3)
    assert bench.steps == [("preamble", "confirmed"), ("model", "confirmed")]


@requirement("RAC-3")
async def test_a_failure_that_does_not_pass_is_recorded_and_ends_the_skill(bench: Bench) -> None:
    bench.model.decides(lambda _: OVERLOADED)

    result = await bench.run()

    assert result.error is not None
    assert (result.ending, result.error.code) == (Ending.FAILED, "model_overloaded")
    assert bench.asked == MODEL_TRIES
    assert bench.steps[-1] == ("model", "failed")


@requirement("RAC-3")
@pytest.mark.parametrize(
    "error", [ModelRefused("no"), ModelAuthFailed("401"), ContextTooLong("too long")]
)
async def test_a_refusal_is_not_tried_again(bench: Bench, error: OmniForgeError) -> None:
    bench.model.fails(error).answers("must not be asked for")

    result = await bench.run()

    assert result.error is not None
    assert (bench.asked, result.error.code) == (1, error.code)
    assert bench.told[-1] == "skill_failed"


@requirement("RAC-2")
@pytest.mark.parametrize(
    ("error", "words"),
    [
        (ModelRateLimited("429"), "let no more calls through, also after several tries. 429"),
        (ModelUnreachable("cut"), "No connection to the model held, also after several tries. cut"),
        (ModelRefused("no"), "The model declined to do this. no"),
        (ModelAuthFailed("401"), "The model cannot be used with the key it was given. 401"),
    ],
)
async def test_people_are_told_in_words_what_failed(
    bench: Bench, error: OmniForgeError, words: str
) -> None:
    bench.model.decides(lambda _: error)

    result = await bench.run()

    assert result.error is not None
    assert words in result.error.message


async def test_what_was_said_before_the_failure_is_kept(bench: Bench) -> None:
    bench.model.calls(("echo", {"text": "x"}), text="Half of it.").fails(ModelRefused("no"))

    result = await bench.run(echo())

    assert result.output == {"partial": "Half of it."}


@pytest.mark.parametrize(
    ("error", "attempt", "least", "most"),
    [
        (OVERLOADED, 1, 0.5, 0.625),
        (OVERLOADED, 3, 2.0, 2.5),
        (ModelRateLimited("429", retry_after=4), 1, 4.0, 5.0),
        (ModelRateLimited("429", retry_after=900), 1, LONGEST_PAUSE, LONGEST_PAUSE),
        (ModelRateLimited("429"), 2, 1.0, 1.25),
    ],
)
def test_the_pause_is_what_the_provider_wishes_or_doubles(
    error: OmniForgeError, attempt: int, least: float, most: float
) -> None:
    assert least <= _pause(error, attempt) <= most


# ---- answers of no use -------------------------------------------------------------------------


@requirement("RAC-3", "RAC-4")
async def test_an_unusable_answer_is_handed_back_and_may_be_corrected(bench: Bench) -> None:
    bench.model.fails(AnswerUnusable("There is no JSON object in your answer.", "Well, ..."))
    bench.model.answers("Done.")

    result = await bench.run()

    said, corrected = bench.model.asked[-1].messages[-2:]
    assert (said.author, said.text) == (Author.ASSISTANT, "Well, ...")
    assert corrected.text == "There is no JSON object in your answer."
    assert (result.success, result.iterations) == (True, 2)


@requirement("RAC-3")
async def test_a_model_that_never_keeps_to_the_form_is_given_up(bench: Bench) -> None:
    bench.model.decides(lambda _: AnswerUnusable("Not JSON."))

    result = await bench.run()

    assert result.error is not None
    assert (bench.asked, result.error.code) == (3, "model_answer_invalid")
    assert last_words(bench.model.asked[-1]).text == "Not JSON."
    assert bench.model.asked[-1].messages[-2].text == "(nothing)"


async def test_an_unusable_answer_is_paid_for_and_on_record(bench: Bench) -> None:
    used = TokenUsage(input_tokens=5, output_tokens=2, model_calls=1).model_dump()
    bench.model.costs("0.5").fails(AnswerUnusable("Not JSON.", "x", usage=used, model="m-2"))
    bench.model.answers("Done.", tokens=0)

    result = await bench.run()

    assert (result.cost, result.usage.output_tokens) == (Decimal("3.5"), 2)
    assert bench.steps[1] == ("model", "confirmed")


async def test_a_resumed_skill_does_not_repeat_an_unusable_answer(bench: Bench) -> None:
    bench.model.fails(AnswerUnusable("Not JSON.", "x")).calls(("echo", {"text": "x"}))
    stop = iter([None, None, "drain"])
    executor = await bench.executor(echo(), should_stop=lambda: next(stop))
    await executor.execute_sync("go")

    bench.model.answers("Done.")
    result = await bench.run(echo())

    assert (result.success, bench.asked) == (True, 3)
    assert [message.text for message in bench.model.asked[-1].messages[1:3]] == ["x", "Not JSON."]


# ---- money -------------------------------------------------------------------------------------


@requirement("BUD-2")
async def test_a_call_that_does_not_fit_under_the_cap_is_not_made(bench_with_cap: Bench) -> None:
    bench_with_cap.model.costs("1").answers("must not be asked for")

    result = await bench_with_cap.run()

    (wait,) = result.waits
    assert (bench_with_cap.asked, result.ending, wait.kind) == (0, Ending.WAITING, "budget")
    assert wait.short is not None
    assert (wait.short.scope, wait.short.cap_usd) == (Scope.RUN, Decimal(5))
    assert bench_with_cap.told[-1] == "skill_waiting"


@requirement("BUD-3")
async def test_a_skill_that_waited_for_money_goes_on_where_it_was(bench_with_cap: Bench) -> None:
    bench = bench_with_cap
    dear = replace(calling(("echo", {"text": "x"})), usage=TokenUsage(input_tokens=5_000))
    said = [dear, answer("Done.")]
    bench.model.costs("0.0001").decides(lambda _: said.pop(0))
    bench.stream.cap = Decimal("1.2")

    waiting = await bench.run(echo())
    again = await bench.run(echo())
    bench.stream.cap = Decimal(5)
    done = await bench.run(echo())

    assert [one.ending for one in (waiting, again)] == [Ending.WAITING] * 2
    assert waiting.waits[0].id != again.waits[0].id
    assert (done.success, bench.asked) == (True, 2)


@requirement("BUD-2")
async def test_money_for_the_longest_answer_is_set_aside_and_given_back(
    bench_with_cap: Bench,
) -> None:
    bench, seen = bench_with_cap, []

    def look(_: Completion) -> None:
        seen.append((bench.stream.reserved > 0, bench.stream.reserved <= Decimal(5)))

    bench.model.costs("0.0001").decides(look).answers("Done.", tokens=10)
    result = await bench.run()

    assert seen == [(True, True)]
    assert bench.stream.reserved == 0
    assert result.cost == bench.stream.settled == Decimal("0.0020")


async def test_a_longer_answer_is_reserved_for_when_it_is_allowed(bench_with_cap: Bench) -> None:
    bench_with_cap.model.costs("0.0001").answers("Done.")

    result = await bench_with_cap.run(max_tokens=100_000)

    assert [wait.kind for wait in result.waits] == ["budget"]


class _Unpriced(ScriptedLLM):
    def price(self, model: str, usage: TokenUsage) -> Decimal | None:
        return None


@requirement("BUD-2")
async def test_a_model_without_a_known_price_is_refused_under_a_cap(bench_with_cap: Bench) -> None:
    bench_with_cap.model = _Unpriced().answers("must not be asked for")

    result = await bench_with_cap.run()

    assert result.error is not None
    assert (bench_with_cap.asked, result.error.code) == (0, "price_unknown")


async def test_a_model_without_a_known_price_is_used_where_there_is_no_cap(bench: Bench) -> None:
    bench.model = _Unpriced().answers("Done.")

    result = await bench.run()

    assert result.success
    assert result.cost == 0


@requirement("BUD-2")
async def test_a_line_cut_in_mid_answer_counts_at_its_worst_case(bench_with_cap: Bench) -> None:
    bench_with_cap.model.costs("0.0001").decides(lambda _: ModelUnreachable("cut"))

    result = await bench_with_cap.run()

    assert result.cost == bench_with_cap.stream.settled
    assert result.cost > Decimal("0.8")  # 8,192 tokens of answer that may have come
    assert bench_with_cap.stream.reserved == 0


@pytest.fixture
def bench_with_cap(tmp_path: Path) -> Bench:
    return Bench(tmp_path, cap="5")


# ---- how a turn is told ------------------------------------------------------------------------


async def test_a_turn_is_told_with_the_calls_it_makes_under_their_numbers(bench: Bench) -> None:
    bench.model.calls(("echo", {"text": "a"}), ("echo", {"text": "b"}), text="Two.").answers(
        "Done."
    )
    await bench.run(echo())

    told = next(e.body for e in bench.stream.events if isinstance(e.body, ModelAnswered))
    assert (told.step, told.text, told.model) == (1, "Two.", "scripted-1")
    assert [(call.step, call.arguments) for call in told.calls] == [
        (2, {"text": "a"}),
        (3, {"text": "b"}),
    ]


# ---- models without native tool calls ----------------------------------------------------------


class _TextOnly:
    """A model that knows nothing of tools: the form of the product document, as text."""

    name, default_model, has_native_tools = "text", "text-1", False

    def __init__(self, *answers: str) -> None:
        self._answers, self.asked = list(answers), list[Completion]()

    async def complete(self, request: Completion, on_delta: OnDelta | None = None) -> Turn:
        self.asked.append(request)
        text = self._answers.pop(0)
        usage = TokenUsage(input_tokens=1, output_tokens=1, model_calls=1)
        return Turn(text, (), StopReason.END, usage, "text-1")

    def price(self, model: str, usage: TokenUsage) -> Decimal | None:
        return Decimal(0)

    def window(self, model: str) -> int | None:
        return None

    async def aclose(self) -> None:
        return None


@requirement("RAC-4")
async def test_a_text_only_model_works_by_json_from_end_to_end(bench: Bench) -> None:
    model = _TextOnly(
        '{"thought": "ask", "action": "echo", "action_input": {"text": "hi"}, "is_final": false}',
        "I think I am done.",
        '{"thought": "done", "final_answer": {"total": 3}, "is_final": true}',
    )
    bench.model = model  # type: ignore[assignment]  # any model will do

    result = await bench.run(echo())

    assert (result.output, result.iterations) == ({"total": 3}, 3)
    assert "- echo: Does echo." in model.asked[0].system
    assert model.asked[1].messages[-1].text == "Observation from echo: you said hi"
    assert "There is no JSON object" in model.asked[2].messages[-1].text
    assert all(request.tools == () for request in model.asked)


async def test_the_engine_wraps_only_models_that_need_it() -> None:
    native, text = ScriptedLLM(), _TextOnly()

    assert ReasoningEngine(native).llm is native
    assert isinstance(ReasoningEngine(text).llm, ReActLLM)
    assert ReasoningEngine().llm.name == "offline"


async def test_an_answer_cut_short_is_not_taken_for_the_final_one(bench: Bench) -> None:
    cut = Turn("The total is", (), StopReason.MAX_TOKENS, TokenUsage(model_calls=1), "scripted-1")
    replies = iter([cut, answer("The total is 3.")])
    bench.model.decides(lambda _: next(replies))

    result = await bench.run()

    assert result.final_answer == "The total is 3."
    assert "cut" in last_words(bench.model.asked[-1]).text
