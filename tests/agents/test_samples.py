"""Error bars: right as often as they say, and no wider than that takes."""

import random
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from omniforge.agents.samples import FEWEST, Interval, Sample, students_t
from tests.support.requirements import requirement

COSTS = st.lists(st.decimals(0, 1_000, places=9), min_size=FEWEST, max_size=60)
TRIALS = 1_000

# Tables of Student's distribution, two-sided, 95 in 100.
TABLE = {4: 2.776, 5: 2.571, 9: 2.262, 19: 2.093, 29: 2.045, 120: 1.980}


@pytest.mark.parametrize(("degrees", "quantile"), TABLE.items())
def test_the_quantiles_are_those_of_the_tables(degrees: int, quantile: float) -> None:
    assert abs(students_t(degrees) - quantile) < 0.001


def even(dice: random.Random) -> float:
    return dice.uniform(0, 2)


def bell(dice: random.Random) -> float:
    return max(0.0, dice.gauss(1, 0.3))


def skewed(dice: random.Random) -> float:
    """Few runs are dear, as with runs that take many turns."""
    return dice.expovariate(1)


def sample_of(draw: object, dice: random.Random, count: int) -> Sample:
    assert callable(draw)
    return Sample([Decimal(draw(dice)) for _ in range(count)])


def share_of_hits(draw: object, count: int, *, further: int = 0) -> float:
    """How often the bars cover what is true: the mean, which is 1, or what further runs came to."""
    assert callable(draw)
    dice, hits = random.Random(count), 0  # noqa: S311  # the same samples each time
    for _ in range(TRIALS):
        sample = sample_of(draw, dice, count)
        bars = sample.sum_within(further) if further else sample.mean_within()
        truth = sum(draw(dice) for _ in range(further)) if further else 1.0
        assert bars is not None
        hits += bars.low <= truth <= bars.high
    return hits / TRIALS


@requirement("BUD-4")
@pytest.mark.parametrize("count", [5, 20, 100])
@pytest.mark.parametrize("draw", [even, bell])
def test_the_bars_around_a_mean_cover_the_truth_as_often_as_they_say(
    draw: object, count: int
) -> None:
    assert 0.93 <= share_of_hits(draw, count) <= 0.97


@requirement("BUD-4")
@pytest.mark.parametrize(("count", "least"), [(5, 0.85), (20, 0.90), (100, 0.93)])
def test_few_and_skewed_costs_are_covered_a_little_less_often(count: int, least: float) -> None:
    assert least <= share_of_hits(skewed, count) <= 0.97


@requirement("BUD-4")
@pytest.mark.parametrize("further", [1, 30, 200])
def test_the_bars_around_a_sum_cover_what_further_runs_come_to(further: int) -> None:
    assert 0.93 <= share_of_hits(bell, 20, further=further) <= 0.98


@pytest.mark.parametrize("count", range(1, FEWEST))
def test_few_runs_have_a_mean_and_no_bars(count: int) -> None:
    sample = Sample([Decimal(2)] * count)

    assert (sample.mean, sample.mean_within(), sample.sum_within(10)) == (Decimal(2), None, None)


@given(COSTS, st.integers(0, 10_000))
def test_bars_are_around_what_is_expected_and_never_below_nothing(
    costs: list[Decimal], further: int
) -> None:
    sample = Sample(costs)
    around_mean, around_sum = sample.mean_within(), sample.sum_within(further)

    assert around_mean is not None
    assert around_sum is not None
    hair = Decimal("1e-6")
    assert 0 <= around_mean.low <= sample.mean + hair
    assert sample.mean <= around_mean.high + hair
    assert 0 <= around_sum.low <= sample.mean * further + hair * (further + 1)
    assert sample.mean * further <= around_sum.high + hair * (further + 1)


@given(st.decimals(0, 1_000, places=9), st.integers(FEWEST, 40))
def test_runs_that_all_cost_the_same_leave_no_doubt(cost: Decimal, count: int) -> None:
    bars = Sample([cost] * count).mean_within()

    assert bars is not None
    assert bars.high - bars.low < Decimal("1e-6")
    assert isinstance(bars, Interval)
    assert abs(bars.low - cost) < Decimal("1e-6")
