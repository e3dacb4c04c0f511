"""What a sample of costs says of the next ones."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from math import fsum, sqrt
from statistics import NormalDist, fmean, stdev

from omniforge.agents.budgets import NOTHING, billionths

# 95 in 100: the true value lies within the bars in so many of the cases.
CONFIDENCE = 0.95
# Fewer say too little of how far costs spread.
FEWEST = 5


@dataclass(frozen=True, slots=True)
class Interval:
    """Error bars, in dollars."""

    low: Decimal
    high: Decimal


@dataclass(frozen=True, slots=True)
class Sample:
    """Costs of runs, as a sample of those to come. Order does not matter."""

    costs: Sequence[Decimal]

    @property
    def mean(self) -> Decimal:
        return billionths(sum(self.costs, NOTHING) / len(self.costs))

    def mean_within(self) -> Interval | None:
        """Student's interval around the mean; None for fewer than five costs."""
        n = len(self.costs)
        return self._around(1, sqrt(1 / n)) if n >= FEWEST else None

    def sum_within(self, count: int) -> Interval | None:
        """Between what so many further runs come to: unsure of the mean, and of luck besides."""
        n = len(self.costs)
        return self._around(count, sqrt(count + count**2 / n)) if n >= FEWEST else None

    def _around(self, times: int, deviations: float) -> Interval:
        floats = [float(cost) for cost in self.costs]
        middle = times * fmean(floats)
        reach = students_t(len(floats) - 1) * stdev(floats) * deviations
        return Interval(_dollars(max(0.0, middle - reach)), _dollars(middle + reach))


def students_t(degrees: int) -> float:
    """The two-sided quantile at our confidence: within 0.001 from four degrees of freedom on.

    Abramowitz and Stegun, Handbook of Mathematical Functions, 26.7.5.
    """
    z = NormalDist().inv_cdf((1 + CONFIDENCE) / 2)
    terms = (
        z,
        (z**3 + z) / 4,
        (5 * z**5 + 16 * z**3 + 3 * z) / 96,
        (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384,
        (79 * z**9 + 776 * z**7 + 1482 * z**5 - 1920 * z**3 - 945 * z) / 92_160,
    )
    return fsum(term / float(degrees**power) for power, term in enumerate(terms))


def _dollars(amount: float) -> Decimal:
    return billionths(Decimal(amount))
