"""Records of runs, and the figures that follow from them."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from omniforge.agents.history import ExecutionHistory, ExecutionRecord, Spent, percentile
from omniforge.agents.modes import RunMode
from omniforge.agents.runs import FINAL_STATUSES, RunStatus, TokenUsage
from tests.support.requirements import requirement

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)


def a_record(
    run_id: str = "ex_1",
    status: RunStatus = RunStatus.COMPLETED,
    cost: str = "0",
    seconds: float | None = 1,
    error_code: str | None = None,
) -> ExecutionRecord:
    return ExecutionRecord(
        run_id=run_id,
        agent_id="ag_1",
        version=1,
        mode=RunMode.LIVE,
        status=status,
        parent_id=None,
        created_at=NOON,
        started_at=None if seconds is None else NOON,
        ended_at=NOON + timedelta(seconds=seconds) if seconds and status.is_final else None,
        error_code=error_code,
        spent=Spent(Decimal(cost), TokenUsage(input_tokens=7, cache_read_tokens=3)),
    )


@requirement("ENG-8")
def test_a_run_that_is_recorded_again_counts_once() -> None:
    history = ExecutionHistory([a_record("ex_1", RunStatus.RUNNING, "0.5"), a_record("ex_2")])

    history.record_execution(a_record("ex_1", cost="2"))

    assert [record.run_id for record in history] == ["ex_1", "ex_2"]
    assert (history.total_cost(), history.total_tokens()) == (Decimal(2), 20)


@requirement("STA-1")
def test_a_history_without_runs_has_no_rates() -> None:
    figures = ExecutionHistory().statistics()

    assert (figures.runs, figures.success_rate, figures.median_s, figures.mean_cost) == (
        0,
        None,
        None,
        None,
    )
    assert (figures.total_cost, figures.last_run, figures.failures) == (Decimal(0), None, {})


@requirement("STA-1")
def test_what_was_cancelled_or_is_under_way_is_no_failure() -> None:
    figures = ExecutionHistory(
        [
            a_record("ex_1"),
            a_record("ex_2", RunStatus.CANCELLED),
            a_record("ex_3", RunStatus.WAITING),
            a_record("ex_4", RunStatus.FAILED, error_code="budget_exceeded"),
            a_record("ex_5", RunStatus.TIMED_OUT, error_code="skill_timed_out"),
            a_record("ex_6", RunStatus.FAILED, error_code="budget_exceeded"),
        ]
    ).statistics()

    assert (figures.runs, figures.under_way, figures.cancelled) == (6, 1, 1)
    assert figures.success_rate == 0.25
    assert list(figures.failures.items()) == [("budget_exceeded", 2), ("skill_timed_out", 1)]


def test_a_run_that_never_began_has_no_duration() -> None:
    history = ExecutionHistory(
        [a_record("ex_1", seconds=9), a_record("ex_2", RunStatus.CANCELLED, seconds=None)]
    )

    assert history.statistics().median_s == 9


RECORDS = st.builds(
    a_record,
    run_id=st.integers(0, 30).map(lambda number: f"ex_{number}"),
    status=st.sampled_from(RunStatus),
    cost=st.decimals(0, 100, places=9).map(str),
    seconds=st.floats(0.001, 10_000),
    error_code=st.sampled_from([None, "a", "b"]),
)


@requirement("STA-1", "ENG-8")
@given(st.lists(RECORDS, max_size=40))
def test_every_run_is_in_one_count_and_every_figure_within_what_there_was(
    records: list[ExecutionRecord],
) -> None:
    history = ExecutionHistory(records)
    last = {record.run_id: record for record in records}
    figures = history.statistics()

    counted = figures.successes + figures.cancelled + sum(figures.failures.values())
    assert figures.runs == len(last) == counted + figures.under_way
    assert figures.total_cost == sum((each.spent.cost for each in last.values()), Decimal(0))
    assert figures.total_tokens == 10 * len(last)
    costs = [each.spent.cost for each in last.values() if each.status in FINAL_STATUSES]
    if figures.mean_cost is not None and figures.p95_cost is not None:
        assert min(costs) <= figures.mean_cost <= max(costs) + Decimal("1e-9")
        assert figures.p95_cost in costs
    assert (figures.mean_cost is None) == (not costs)
    shuffled = ExecutionHistory(sorted(last.values(), key=lambda each: each.spent.cost))
    assert shuffled.statistics() == figures


@given(st.lists(st.floats(-1e6, 1e6), min_size=1), st.integers(1, 100))
def test_so_many_percent_do_not_exceed_a_percentile_and_no_smaller_value_will_do(
    values: list[float], percent: int
) -> None:
    found = percentile(sorted(values), percent)

    assert found is not None
    reached = sum(value <= found for value in values)
    assert 100 * reached >= percent * len(values)
    below = sum(value < found for value in values)
    assert 100 * below < percent * len(values)
