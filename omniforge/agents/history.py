"""What runs came to: a record each, and the figures that follow from many of them."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from statistics import median
from typing import TypeVar

from omniforge.agents.modes import RunMode
from omniforge.agents.runs import RunStatus, TokenUsage
from omniforge.agents.samples import Sample

Number = TypeVar("Number", float, Decimal)


@dataclass(frozen=True, slots=True)
class Spent:
    """Tokens and money of model calls."""

    cost: Decimal = Decimal(0)
    usage: TokenUsage = TokenUsage()

    @property
    def tokens(self) -> int:
        """All that were read or written, whatever they cost."""
        used = self.usage
        cached = used.cache_read_tokens + used.cache_write_tokens
        return used.input_tokens + used.output_tokens + cached

    def __add__(self, other: "Spent") -> "Spent":
        return Spent(self.cost + other.cost, self.usage + other.usage)


@dataclass(frozen=True, slots=True)
class ExecutionRecord:
    """One run. Of one under way, `spent` is what it has spent so far.

    `with_children` adds the runs that its skills started, and those that these started.
    """

    run_id: str
    agent_id: str
    version: int | None
    mode: RunMode
    status: RunStatus
    parent_id: str | None
    created_at: datetime
    started_at: datetime | None
    ended_at: datetime | None
    error_code: str | None
    spent: Spent = Spent()
    with_children: Spent = Spent()
    models: tuple[str, ...] = ()
    """Those that really answered."""

    @property
    def duration_s(self) -> float | None:
        """From begin to end, with all waiting in between."""
        if self.started_at is None or self.ended_at is None:
            return None
        return (self.ended_at - self.started_at).total_seconds()


@dataclass(frozen=True, slots=True)
class Totals:
    """Sums over runs. `with_children` adds the runs that they started; each run counts once."""

    runs: int
    spent: Spent
    with_children: Spent


@dataclass(frozen=True, slots=True)
class Statistics:
    """Figures over runs. Durations and costs are those of runs that have ended, without their children.

    A cancelled run was neither a success nor a failure.
    """

    runs: int
    under_way: int
    successes: int
    cancelled: int
    failures: Mapping[str, int]
    """By error code, the most frequent first."""
    success_rate: float | None
    median_s: float | None
    p95_s: float | None
    mean_cost: Decimal | None
    p95_cost: Decimal | None
    total_cost: Decimal
    total_tokens: int
    last_run: datetime | None


class ExecutionHistory:
    """Records by run: a later record of a run takes the place of the one before."""

    def __init__(self, records: Iterable[ExecutionRecord] = ()) -> None:
        self._records: dict[str, ExecutionRecord] = {}
        for record in records:
            self.record_execution(record)

    def __iter__(self) -> Iterator[ExecutionRecord]:
        return iter(self._records.values())

    def record_execution(self, record: ExecutionRecord) -> None:
        self._records[record.run_id] = record

    def total_cost(self) -> Decimal:
        """Each run counts once, for itself: the runs that it started have records of their own."""
        return sum((record.spent.cost for record in self), Decimal(0))

    def total_tokens(self) -> int:
        return sum(record.spent.tokens for record in self)

    def statistics(self) -> Statistics:
        ended = [record for record in self if record.status.is_final]
        statuses = Counter(record.status for record in ended)
        failed = [each for each in ended if each.status in _FAILURES]
        failures = Counter(record.error_code or record.status for record in failed)
        successes = statuses[RunStatus.COMPLETED]
        tried = successes + len(failed)
        durations = sorted(record.duration_s for record in ended if record.duration_s is not None)
        costs = sorted(record.spent.cost for record in ended)
        return Statistics(
            runs=len(self._records),
            under_way=len(self._records) - len(ended),
            successes=successes,
            cancelled=statuses[RunStatus.CANCELLED],
            failures=dict(failures.most_common()),
            success_rate=successes / tried if tried else None,
            median_s=median(durations) if durations else None,
            p95_s=percentile(durations, 95),
            mean_cost=Sample(costs).mean if costs else None,
            p95_cost=percentile(costs, 95),
            total_cost=self.total_cost(),
            total_tokens=self.total_tokens(),
            last_run=max((each.started_at for each in self if each.started_at), default=None),
        )


_FAILURES = (RunStatus.FAILED, RunStatus.TIMED_OUT)


def percentile(ascending: Sequence[Number], percent: int) -> Number | None:
    """The smallest value that so many percent of the values do not exceed."""
    if not ascending:
        return None
    return ascending[-(-len(ascending) * percent // 100) - 1]
