"""Estimates against reality: a model server of known prices, and what its runs then really cost."""

import random
from collections.abc import AsyncIterator
from decimal import Decimal
from pathlib import Path
from statistics import fmean
from typing import Any

import pytest

from omniforge.llm.pricing import Pricing
from omniforge.llm.providers import Access, make_llm
from tests.support.model_server import ModelServer, Received, Reply, calls_reply, text_reply
from tests.support.platform import Platform, running_platform, skill, temporal_server
from tests.support.requirements import requirement

PRICES = "priced-1: {input_per_million: 2, output_per_million: 10, context_window: 32000}\n"
MODEL = "anthropic/priced-1"
PROMPT = 1_000
LENGTHS = (100, 200, 400, 800, 1_600)
RUNS = 20

# Half of the runs look at the clock first: 1.5 calls a run.
TRUE_MEAN = Decimal("1.5") * (PROMPT * 2 + Decimal(fmean(LENGTHS)) * 10) / 10**6


@pytest.fixture
async def claude() -> AsyncIterator[ModelServer]:
    async with ModelServer() as server:
        yield server


@pytest.fixture
async def priced(tmp_path: Path, claude: ModelServer) -> AsyncIterator[Platform]:
    """A platform whose API and worker know the prices of the model that answers."""
    prices = tmp_path / "prices.yaml"
    prices.write_text(PRICES)
    llm = make_llm("anthropic", anthropic=Access("sk-a", claude.url), prices=Pricing(prices))
    async with (
        temporal_server() as temporal,
        running_platform(
            tmp_path, temporal, prices=prices, ANTHROPIC_BASE_URL=claude.url
        ) as platform,
    ):
        platform.model.becomes(llm)
        yield platform
    await llm.aclose()


def thinking(dice: random.Random) -> Any:
    """Answers of random length, after a look at the clock in half of the runs."""

    def decide(request: Received) -> Reply:
        length = dice.choice(LENGTHS)
        if request.turn == 0 and dice.random() < 0.5:
            return calls_reply(("clock", {}), input_tokens=PROMPT, output_tokens=length)
        return text_reply('{"done": true}', input_tokens=PROMPT, output_tokens=length)

    return decide


async def estimate(platform: Platform, agent: str, **params: int) -> dict[str, Any]:
    answer = await platform.api.get(f"/api/v1/agents/{agent}/estimate", params=params)
    assert answer.status_code == 200, answer.text
    body: dict[str, Any] = answer.json()
    return body


@requirement("BUD-4")
async def test_runs_cost_what_was_estimated(priced: Platform, claude: ModelServer) -> None:
    claude.decides(thinking(random.Random(20261121)))  # noqa: S311  # a fixed sample
    agent = await priced.agent(skill("think", "Think.", model=MODEL, allowed="clock"))
    before = await estimate(priced, agent, runs_per_month=100)

    # One after another, so that the sample is the same each time.
    runs = [await priced.ended(await priced.start(agent)) for _ in range(RUNS)]
    costs = [Decimal(run["cost_usd"]) for run in runs]
    after = await estimate(priced, agent, runs_per_month=100)

    assert (before["rests_on"], before["past_runs"]) == ("plan", 0)
    assert Decimal(before["run"]["least_usd"]) <= min(costs)
    assert max(costs) <= Decimal(before["run"]["most_usd"])
    assert (after["rests_on"], after["past_runs"], after["past_versions"]) == ("runs", RUNS, [1])
    mean = sum(costs, Decimal(0)) / RUNS
    assert abs(Decimal(after["run"]["expected_usd"]) - mean) <= Decimal("1e-9")
    low, high = (Decimal(after["run"]["interval"][name]) for name in ("low_usd", "high_usd"))
    assert low <= TRUE_MEAN <= high
    # Wider bars would say nothing.
    assert low > TRUE_MEAN / 2
    assert high < TRUE_MEAN * 2
    bars = after["month"]["interval"]
    assert Decimal(bars["low_usd"]) <= 100 * TRUE_MEAN <= Decimal(bars["high_usd"])
    assert Decimal(bars["high_usd"]) - Decimal(bars["low_usd"]) > 100 * (high - low)


@requirement("BUD-4")
async def test_a_model_without_a_known_price_gets_no_figure(priced: Platform) -> None:
    agent = await priced.agent(skill("think", "Think.", model="anthropic/nobody-knows-1"))

    made = await estimate(priced, agent, runs_per_month=10)

    assert made["rests_on"] == "nothing"
    figures = [made[of][name] for of in ("run", "month") for name in ("least_usd", "expected_usd")]
    assert figures == [None] * 4
    assert any("Nobody knows what anthropic/nobody-knows-1" in each for each in made["assumptions"])
