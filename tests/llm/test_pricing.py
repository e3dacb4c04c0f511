"""What calls cost, and how large a request is taken to be."""

import subprocess
import sys
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from omniforge.agents.runs import TokenUsage
from omniforge.errors import PricesInvalid
from omniforge.llm.anthropic.provider import DEFAULT_MODEL
from omniforge.llm.pricing import Pricing, worst_case
from omniforge.llm.protocol import Author, Completion, Message, ToolAnswer, ToolCall, ToolSchema
from omniforge.llm.tokens import estimate_tokens, message_tokens
from tests.support.requirements import requirement

LATE = datetime(2026, 11, 1, tzinfo=UTC)
EARLY = datetime(2026, 3, 1, tzinfo=UTC)
MILLION = 1_000_000


def cost(model: str, usage: TokenUsage, at: datetime = LATE) -> Decimal | None:
    return Pricing().cost("anthropic", model, usage, at)


@requirement("BUD-1")
@pytest.mark.parametrize(
    ("model", "at", "usage", "dollars"),
    [
        ("claude-opus-4-1", LATE, TokenUsage(input_tokens=MILLION, output_tokens=MILLION), "90"),
        ("claude-sonnet-5-5", LATE, TokenUsage(input_tokens=1_000, output_tokens=100), "0.003"),
        # above 200,000 tokens of input everything cost more, until 13 March 2026
        ("claude-sonnet-4-6", EARLY, TokenUsage(input_tokens=200_000), "0.6"),
        ("claude-sonnet-4-6", EARLY, TokenUsage(input_tokens=300_000), "1.8"),
        ("claude-sonnet-4-6", LATE, TokenUsage(input_tokens=300_000), "0.9"),
        (
            "claude-sonnet-4-6",
            EARLY,
            TokenUsage(input_tokens=1, cache_read_tokens=300_000),
            "0.180006",
        ),
        # a cache read is cheaper than input, a write dearer
        ("claude-sonnet-5-5", LATE, TokenUsage(cache_read_tokens=MILLION), "0.1"),
        ("claude-sonnet-5-5", LATE, TokenUsage(cache_write_tokens=MILLION), "2.5"),
        ("claude-sonnet-5-5", LATE, TokenUsage(), "0"),
    ],
)
def test_public_prices_know_dates_tiers_and_caches(
    model: str, at: datetime, usage: TokenUsage, dollars: str
) -> None:
    assert cost(model, usage, at) == Decimal(dollars)


@requirement("BUD-1")
def worst(provider: str, model: str, sent: int, longest: int) -> Decimal | None:
    return worst_case(lambda usage: Pricing().cost(provider, model, usage, LATE), sent, longest)


def test_the_default_model_has_a_price() -> None:
    assert cost(DEFAULT_MODEL, TokenUsage(output_tokens=1))


@pytest.mark.parametrize("model", ["", "claude-sonnet-99", "our-own-model"])
def test_an_unknown_model_has_no_price_rather_than_none_at_all(model: str) -> None:
    assert cost(model, TokenUsage(input_tokens=1)) is None
    assert worst("anthropic", model, 1, 1) is None
    assert Pricing().cost("nobody", "claude-sonnet-5-5", TokenUsage(), LATE) is None


def test_the_offline_model_is_free() -> None:
    assert Pricing().cost("offline", "offline", TokenUsage(input_tokens=9), LATE) == 0
    assert worst("offline", "offline", 9, 9) == 0


def test_the_worst_case_takes_input_at_its_dearest() -> None:
    dearest = worst("anthropic", "claude-sonnet-5-5", MILLION, 1_000)

    assert dearest == Decimal("2.5") + Decimal("0.01")


COUNTS = st.integers(0, 10**7)
USAGES = st.builds(
    TokenUsage,
    input_tokens=COUNTS,
    output_tokens=COUNTS,
    cache_read_tokens=COUNTS,
    cache_write_tokens=COUNTS,
)
MODELS = st.sampled_from(["claude-sonnet-5-5", "claude-sonnet-4-6", "claude-haiku-5-5", "claude-2"])


@requirement("BUD-1")
@given(model=MODELS, usage=USAGES, more=USAGES, at=st.sampled_from([EARLY, LATE]))
def test_more_tokens_never_cost_less(
    model: str, usage: TokenUsage, more: TokenUsage, at: datetime
) -> None:
    before, after = cost(model, usage, at), cost(model, usage + more, at)

    assert before is not None
    assert after is not None
    assert 0 <= before <= after


@requirement("BUD-1")
@given(model=MODELS, usage=USAGES)
def test_no_call_costs_more_than_its_worst_case(model: str, usage: TokenUsage) -> None:
    sent = usage.input_tokens + usage.cache_read_tokens + usage.cache_write_tokens
    real = cost(model, usage)
    dearest = worst("anthropic", model, sent, usage.output_tokens)

    assert real is not None
    assert dearest is not None
    assert real <= dearest


# ---- a company's own prices ------------------------------------------------------------------


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "prices.yaml"


def test_own_prices_come_before_the_public_ones(file: Path) -> None:
    file.write_text(
        "Claude-Sonnet-5-5: {input_per_million: 1.8, output_per_million: 9,"
        " cache_read_per_million: 0.1, cache_write_per_million: 2}\n"
        "our-own: {input_per_million: 1, output_per_million: 2}\n"
    )
    prices = Pricing(file)
    usage = TokenUsage(
        input_tokens=10, output_tokens=10, cache_read_tokens=10, cache_write_tokens=10
    )

    assert prices.cost("anthropic", "claude-sonnet-5-5", usage, LATE) == Decimal("0.000129")
    assert prices.cost("anthropic", "our-own", usage, LATE) == Decimal("0.00005")
    assert prices.cost("anthropic", "claude-opus-4-1", TokenUsage(output_tokens=1), LATE)


def test_own_prices_begin_on_their_day(file: Path) -> None:
    file.write_text(
        "m:\n  - {input_per_million: 2, output_per_million: 2, from: 2026-07-01}\n"
        "  - {input_per_million: 1, output_per_million: 1, from: 2026-01-01}\n"
    )
    million = TokenUsage(input_tokens=MILLION)
    days = {"2025-12-31": None, "2026-01-01": 1, "2026-06-30": 1, "2026-07-01": 2}

    costs = {
        day: Pricing(file).cost("x", "m", million, datetime.fromisoformat(f"{day}T23:59:59+00:00"))
        for day in days
    }

    assert costs == days


def test_fractions_are_rounded_up_to_a_billionth(file: Path) -> None:
    file.write_text("m: {input_per_million: 0.0001, output_per_million: 0.001000000001}\n")

    def dollars(**used: int) -> Decimal | None:
        return Pricing(file).cost("x", "m", TokenUsage(**used), LATE)

    assert dollars(input_tokens=1) == Decimal("0.000000001")
    assert dollars(output_tokens=1) == Decimal("0.000000002")
    assert dollars(output_tokens=MILLION) == Decimal("0.001000001")


@pytest.mark.parametrize(
    ("text", "line", "why"),
    [
        ("m: {input_per_million: 1}", 1, "'output_per_million' is missing"),
        ("\nm:\n  input_per_million: cheap\n  output_per_million: 1", 3, "not a price"),
        ("m: {input_per_million: -1, output_per_million: 1}", 1, "not a price"),
        ("m: {input_per_million: .nan, output_per_million: 1}", 1, "not a price"),
        ("m: {input_per_million: [1], output_per_million: 1}", 1, "not a price"),
        ("m:\n  input: 1", 2, "'input' is not known"),
        ("m: {input_per_million: 1, output_per_million: 1, from: May}", 1, "not a date"),
        ("a: {input_per_million: 1, output_per_million: 1}\nA: {}", 2, "there twice"),
        ("m: {input_per_million: 1, output_per_million: 1, context_window: 5}", 1, "of tokens"),
        ("m: {input_per_million: 1, output_per_million: 1, context_window: big}", 1, "of tokens"),
        ("- a", 1, "expected names"),
        ("m: 5", 1, "expected names"),
        ("a: 1\nb: {", 2, "not valid YAML"),
        ("a: 1\n\tb: 1", 2, "not valid YAML"),
        ("a: \x07", 1, "not valid YAML"),
    ],
)
def test_a_broken_file_is_told_by_name_and_line(file: Path, text: str, line: int, why: str) -> None:
    file.write_text(text)

    with pytest.raises(PricesInvalid, match=why) as caught:
        Pricing(file)

    assert str(file) in caught.value.message
    assert caught.value.details["line"] == line


@requirement("RAC-5")
def test_a_window_is_the_companys_own_or_else_the_public_one(file: Path) -> None:
    own = "{input_per_million: 0, output_per_million: 0, context_window: 32_768}"
    file.write_text(f"qwen3: {own}\nclaude-sonnet-5-5: {own}\n")
    server = "http://localhost:11434/v1"

    assert Pricing(file).window(server, "qwen3", LATE) == 32_768
    assert Pricing(file).window("anthropic", "claude-sonnet-5-5", LATE) == 32_768
    assert Pricing().window("anthropic", "claude-haiku-4-5", LATE) == 200_000
    assert Pricing().window(server, "qwen3", LATE) is None
    assert Pricing().window("openai", "no-such-model", LATE) is None


def test_a_missing_file_is_an_error_and_an_empty_one_is_not(file: Path) -> None:
    with pytest.raises(PricesInvalid, match="cannot be read"):
        Pricing(file)

    file.write_text("# nothing yet\n")

    assert Pricing(file).cost("x", "m", TokenUsage(), LATE) is None


def test_prices_need_no_network() -> None:
    program = """
import sys

def refuse(event, arguments):
    if event.startswith("socket."):
        raise OSError("no network here")

sys.addaudithook(refuse)
from datetime import datetime, UTC
from omniforge.agents.runs import TokenUsage
from omniforge.llm.pricing import Pricing, worst_case
usage, at = TokenUsage(input_tokens=1), datetime(2026, 11, 1, tzinfo=UTC)
assert Pricing().cost("anthropic", "claude-sonnet-5-5", usage, at)
assert Pricing().cost("anthropic", "claude-unheard-of", usage, at) is None
"""
    done = subprocess.run(
        [sys.executable, "-c", program], check=False, capture_output=True, timeout=30
    )

    assert done.returncode == 0, done.stderr


# ---- sizes and providers ---------------------------------------------------------------------


def test_an_estimate_counts_everything_that_is_sent() -> None:
    tool = ToolSchema("say", "Says it.", {"type": "object", "properties": {"text": {}}})
    call = ToolCall("1", "say", {"text": "x" * 300})
    messages = (
        Message(Author.USER, "y" * 300),
        Message(Author.ASSISTANT, calls=(call,)),
        Message(Author.USER, answers=(ToolAnswer("1", "z" * 300),)),
    )

    bare = estimate_tokens(Completion("m", "s" * 300, messages[:1]))
    full = estimate_tokens(Completion("m", "s" * 300, messages, (tool,)))

    assert 300 <= bare < 350
    assert full > bare + 300 + 800


def test_a_conversation_is_as_large_as_its_messages() -> None:
    messages = (
        Message(Author.USER, "y" * 300),
        Message(Author.ASSISTANT, calls=(ToolCall("1", "say", {"text": "x" * 300}),)),
        Message(Author.USER, answers=(ToolAnswer("1", "z" * 300),)),
    )
    empty, whole = (estimate_tokens(Completion("m", "s", said)) for said in ((), messages))

    assert 0 <= empty + sum(map(message_tokens, messages)) - whole < len(messages)


@given(st.text(), st.text())
def test_an_estimate_only_grows(text: str, more: str) -> None:
    def size(content: str) -> int:
        return estimate_tokens(Completion("m", content, (Message(Author.USER, content),)))

    assert size(text) <= size(text + more)
    assert size(text) * 2 >= 2 * len(text)
