"""Models that cannot be had are passed over for the next one of the list."""

from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from omniforge.agents.runs import TokenUsage
from omniforge.errors import (
    AnswerUnusable,
    ModelAuthFailed,
    ModelOverloaded,
    ModelRateLimited,
    ModelRefused,
    ModelRequestInvalid,
    ModelUnknown,
    ModelUnreachable,
    OmniForgeError,
)
from omniforge.execution.autonomous import AutonomousConfig
from omniforge.execution.factory import ExecutorFactory
from omniforge.execution.model_call.asking import MODEL_TRIES
from omniforge.journal.events import ModelAnswered
from omniforge.llm.protocol import Completion, Turn
from tests.execution.making import Bench, a_skill, echo
from tests.support.requirements import requirement
from tests.support.scripted import Reply, ScriptedLLM, answer, calling

BUSY = ModelOverloaded("a is busy.")
LIST: dict[str, Any] = {"model": "a", "fallback_models": ("b", "c")}


def only(bench: Bench, replies: Mapping[str, Reply]) -> None:
    """Each model by its name; those that are not named are busy."""
    bench.model.decides(lambda request: replies.get(request.model, BUSY))


def asked(bench: Bench) -> list[str]:
    return [request.model for request in bench.model.asked]


def told(bench: Bench) -> list[ModelAnswered]:
    return [each.body for each in bench.stream.events if isinstance(each.body, ModelAnswered)]


@requirement("RAC-3")
@pytest.mark.parametrize(
    "error", [BUSY, ModelRateLimited("429", retry_after=1), ModelUnreachable("cut")]
)
async def test_after_its_tries_a_model_is_passed_over_and_people_see_it(
    bench: Bench, error: OmniForgeError
) -> None:
    only(bench, {"a": error, "b": answer("Done.")})

    result = await bench.run(**LIST)

    assert result.success
    assert asked(bench) == ["a"] * MODEL_TRIES + ["b"]
    (answered,) = told(bench)
    (passed,) = answered.passed_over
    assert (passed.model, passed.error.code) == ("a", error.code)


@requirement("RAC-3")
@pytest.mark.parametrize("error", [ModelAuthFailed("401"), ModelUnknown("404")])
async def test_a_model_that_is_not_there_is_not_asked_twice(
    bench: Bench, error: OmniForgeError
) -> None:
    only(bench, {"a": error, "b": answer("Done.")})

    assert (await bench.run(**LIST)).success
    assert asked(bench) == ["a", "b"]


@requirement("RAC-3")
@pytest.mark.parametrize("error", [ModelRefused("no"), ModelRequestInvalid("bad schema")])
async def test_a_refusal_or_a_wrong_request_is_no_reason_to_ask_another_model(
    bench: Bench, error: OmniForgeError
) -> None:
    only(bench, {"a": error, "b": answer("Done.")})

    result = await bench.run(**LIST)

    assert result.error is not None
    assert (result.error.code, asked(bench)) == (error.code, ["a"])


async def test_when_no_model_can_be_had_the_error_tells_of_each(bench: Bench) -> None:
    only(bench, {"b": ModelAuthFailed("b wants a key."), "c": ModelUnknown("c is no model.")})

    result = await bench.run(**LIST)

    assert result.error is not None
    assert result.error.code == "model_unknown"
    assert result.error.message == (
        "There is no such model. c is no model. Before that, a: a is busy. b: b wants a key."
    )


async def test_the_next_turn_begins_with_the_model_that_answered_last(bench: Bench) -> None:
    turns = iter([calling(("echo", {"text": "x"})), answer("Done.")])

    def decide(request: Completion) -> Reply:
        return next(turns) if request.model == "b" else ModelUnknown("a")

    bench.model.decides(decide)

    await bench.run(echo(), **LIST)

    assert asked(bench) == ["a", "b", "b"]
    assert [len(each.passed_over) for each in told(bench)] == [1, 0]


async def test_the_one_that_answered_last_may_fail_later(bench: Bench) -> None:
    replies: list[Reply] = [ModelUnknown("a"), calling(("echo", {"text": "x"})), ModelUnknown("b")]
    bench.model.decides(lambda _: replies.pop(0) if replies else answer("Done."))

    assert (await bench.run(echo(), **LIST)).success
    assert asked(bench) == ["a", "b", "b", "a"]


@requirement("DUR-1")
async def test_a_resumed_skill_goes_on_with_the_list_and_the_model_on_record(bench: Bench) -> None:
    only(bench, {"a": ModelUnknown("a"), "b": calling(("echo", {"text": "x"}))})
    stop = iter([None, None, "drain"])
    executor = await bench.executor(echo(), should_stop=lambda: next(stop), **LIST)
    await executor.execute_sync("go")

    only(bench, {"b": ModelUnknown("b"), "a": ModelUnknown("a"), "c": answer("Done.")})
    result = await bench.run(echo(), model="other", fallback_models=())

    assert result.success
    assert asked(bench) == ["a", "b", "b", "a", "c"]


async def test_an_unusable_answer_is_handed_back_to_the_model_that_gave_it(bench: Bench) -> None:
    replies: list[Reply] = [ModelUnknown("a"), AnswerUnusable("Not JSON."), answer("Done.")]
    bench.model.decides(lambda _: replies.pop(0))

    assert (await bench.run(**LIST)).success
    assert asked(bench) == ["a", "b", "b"]


async def test_a_skill_that_names_no_fallbacks_has_those_of_the_worker(bench: Bench) -> None:
    only(bench, {"spare": answer("Done.")})
    executors = ExecutorFactory([], bench.model, fallbacks=("spare",))

    result = await executors.make(a_skill(), AutonomousConfig(model="a")).execute_sync("go")

    assert (result.success, asked(bench)[-1]) == (True, "spare")


# ---- money -------------------------------------------------------------------------------------

DOLLARS = {"a": "0.0001", "b": "0.0004", "c": "0"}


class _Priced(ScriptedLLM):
    """`c` is free, and the price of any other than these three is not known."""

    def price(self, model: str, usage: TokenUsage) -> Decimal | None:
        tokens = usage.input_tokens + usage.output_tokens + usage.cache_write_tokens
        return tokens * Decimal(DOLLARS[model]) if model in DOLLARS else None


@pytest.fixture
def priced(tmp_path: Path) -> Bench:
    bench = Bench(tmp_path, cap="10")
    bench.model = _Priced()
    return bench


@requirement("BUD-2")
async def test_the_dearest_model_of_the_list_is_what_is_set_aside(priced: Bench) -> None:
    seen: dict[str, Decimal] = {}

    def look(request: Completion) -> Turn:
        seen[request.model] = priced.stream.reserved
        return answer("Done.", tokens=10)

    priced.model.decides(look)
    await priced.run(**LIST)

    assert seen["a"] > 8_192 * Decimal("0.0004")


@requirement("BUD-1")
async def test_a_step_costs_what_all_its_tries_cost(priced: Bench) -> None:
    cut = {"input_tokens": 100, "model_calls": 1}
    replies: list[Reply] = [
        *[ModelUnreachable("cut", usage=cut)] * MODEL_TRIES,
        answer("Done.", tokens=5),
    ]
    priced.model.decides(lambda _: replies.pop(0))

    result = await priced.run(**LIST)

    assert result.usage.model_calls == MODEL_TRIES + 1
    assert result.cost == MODEL_TRIES * 100 * Decimal("0.0001") + 10 * Decimal("0.0004")


@requirement("BUD-2")
async def test_a_fallback_without_a_known_price_is_refused_under_a_cap(priced: Bench) -> None:
    result = await priced.run(model="a", fallback_models=("nobody-knows",))

    assert result.error is not None
    assert (priced.asked, result.error.code) == (0, "price_unknown")
    assert "nobody-knows" in result.error.message
