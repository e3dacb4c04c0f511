"""What a run and a month will cost, as far as that can be told."""

from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from omniforge.agents.budgets import Budget, Period, Scope
from omniforge.agents.config import AgentLimits, SkillReference
from omniforge.agents.estimates import (
    Basis,
    Costs,
    Estimate,
    Forecast,
    Grounds,
    SkillForecast,
    counted,
    estimate,
)
from omniforge.agents.history import ExecutionRecord, Spent
from omniforge.agents.runs import TokenUsage
from tests.agents.test_history import a_record
from tests.support.requirements import requirement

A_PASS = Costs(Decimal("0.01"), Decimal("0.10"), Decimal(5))
FREE = Costs(Decimal(0), Decimal(0), Decimal(0))


def a_skill(name: str = "report", **more: Any) -> SkillReference:
    return SkillReference(name=name, **more)


def grounds(*skills: SkillReference, costs: Costs | None = A_PASS, **more: Any) -> Grounds:
    chosen = skills or (a_skill(),)
    unpriced = "" if costs else "m-x"
    values: dict[str, Any] = {
        "skills": chosen,
        "limits": AgentLimits(),
        "version": 3,
        "forecasts": [SkillForecast(one.id, ("m-1",), costs, 80, unpriced) for one in chosen],
        "past": [],
        "other_versions": frozenset(),
        "runs_per_month": 30,
        "is_given": False,
    }
    return Grounds(**{**values, **more})


def past(*costs: str, version: int = 3, calls: int = 2) -> list[ExecutionRecord]:
    usage = TokenUsage(model_calls=calls)
    return [
        replace(
            a_record(f"ex_{version}_{n}"),
            version=version,
            models=("m-1",),
            with_children=Spent(Decimal(cost), usage),
        )
        for n, cost in enumerate(costs)
    ]


def figures(made: Forecast) -> tuple[Decimal | None, ...]:
    return made.least, made.expected, made.most


def says(made: Estimate, words: str) -> bool:
    return any(words in sentence for sentence in made.assumptions)


@requirement("BUD-4")
def test_a_plan_that_never_ran_is_estimated_from_its_skills_and_says_so() -> None:
    made = estimate(grounds(a_skill("read"), a_skill("write", order=2)))

    assert figures(made.run) == (Decimal("0.02"), Decimal("0.20"), Decimal(10))
    assert figures(made.month) == (Decimal("0.60"), Decimal(6), Decimal(300))
    assert (made.rests_on, made.run.interval, made.past_runs) == (Basis.PLAN, None, 0)
    assert "160 calls" in made.run.most_because
    assert says(made, "rule of thumb")
    assert says(made, "30 runs, as the last 30 days had")


@requirement("BUD-4")
def test_runs_so_far_give_the_mean_and_its_bars() -> None:
    costs = ("0.2", "0.3", "0.4", "0.3", "0.3", "0.3")
    made = estimate(grounds(past=past(*costs), is_given=True))

    assert (made.rests_on, made.past_runs, made.past_versions) == (Basis.RUNS, 6, (3,))
    assert (made.run.expected, made.month.expected) == (Decimal("0.3"), Decimal(9))
    assert made.run.interval is not None
    assert made.run.interval.low < Decimal("0.3") < made.run.interval.high
    assert (made.run.least, made.run.most) == (Decimal("0.01"), Decimal(5))
    assert says(made, "mean of 6 runs")
    assert says(made, "answered by m-1")
    assert says(made, "30 runs, as was asked")


@requirement("BUD-4")
def test_too_few_runs_of_this_version_are_joined_by_those_of_earlier_ones() -> None:
    old, new = past("0.1", "0.1", "0.1", version=1), past("0.5", "0.5")
    made = estimate(grounds(past=[*new, *old], other_versions=frozenset({1})))

    assert (made.past_runs, made.past_versions) == (5, (1, 3))
    assert made.run.expected == Decimal("0.26")
    assert says(made, "The skills of version 1 were not those of today")

    enough = estimate(grounds(past=[*past(*["0.5"] * 5), *old], other_versions=frozenset({1})))
    assert (enough.past_versions, enough.run.expected) == ((3,), Decimal("0.5"))
    assert not says(enough, "not those of today")


def test_few_runs_give_a_mean_without_bars() -> None:
    made = estimate(grounds(past=past("0.2", "0.4")))

    assert (made.run.expected, made.run.interval) == (Decimal("0.3"), None)
    assert says(made, "it takes 5 runs")


def test_runs_whose_calls_were_free_tell_nothing_and_those_without_calls_do() -> None:
    free, priced = past("0", "0", version=2), past("0.4", "0.4")
    stopped = past("0", "0", version=1, calls=0)

    assert estimate(grounds(past=free)).rests_on is Basis.PLAN
    made = estimate(grounds(past=[*priced, *free, *stopped]))
    assert (made.past_runs, made.run.expected) == (4, Decimal("0.2"))
    assert says(made, "Left out: 2 runs")


@requirement("BUD-4")
def test_a_free_model_costs_nothing_and_the_reason_is_told() -> None:
    made = estimate(grounds(costs=FREE, past=past("0.4", "0.5")))

    assert figures(made.run) == figures(made.month) == (Decimal(0),) * 3
    assert made.run.most_because == "Its models cost nothing."
    assert says(made, "'report' costs nothing: m-1 has a price of 0")
    assert not says(made, "rule of thumb")


@requirement("BUD-4")
@pytest.mark.parametrize("cap", [None, "2"])
def test_an_unknown_price_gives_no_figure(cap: str | None) -> None:
    limits = AgentLimits(budget_usd=None if cap is None else Decimal(cap))
    made = estimate(grounds(costs=None, limits=limits, past=past("0.4", "0.5")))

    assert figures(made.run) == figures(made.month) == (None,) * 3
    assert made.rests_on is Basis.NOTHING
    assert says(made, "Nobody knows what m-x costs")
    assert says(made, "price_unknown") == (cap is not None)


@requirement("BUD-4")
def test_the_cap_on_a_run_is_the_most_it_can_cost() -> None:
    made = estimate(grounds(limits=AgentLimits(budget_usd=Decimal("0.05"))))

    assert figures(made.run) == (Decimal("0.01"), Decimal("0.05"), Decimal("0.05"))
    assert made.run.most_because == "The cap of $0.05 on each run (`limits.budget_usd`)."
    assert made.month.most == Decimal("1.50")


@pytest.mark.parametrize(
    ("period", "most"), [(Period.MONTH, 1), (Period.DAY, 30), (Period.EVER, 1)]
)
def test_the_month_is_held_by_the_caps_on_all_runs(period: Period, most: int) -> None:
    budget = Budget(Scope.AGENT, "ag_1", period, Decimal(1))
    made = estimate(grounds(budgets=[budget]))

    assert made.month.most == most
    assert made.month.most_because == f"The cap of $1 ({period}) on the agent."
    assert made.run.most == 5


def test_only_caps_that_hold_for_every_run_are_counted() -> None:
    of = {scope: Budget(scope, f"{scope}_1", Period.DAY, Decimal(1)) for scope in Scope}

    assert counted(of.values(), "agent_1") == [of[Scope.TENANT], of[Scope.AGENT]]
    assert counted(of.values(), "agent_2") == [of[Scope.TENANT]]


@requirement("BUD-4")
def test_what_may_be_skipped_is_not_in_the_least_and_is_named() -> None:
    plan = (
        a_skill("read"),
        a_skill("check", order=2, when="true"),
        a_skill("tell", order=3),
        a_skill("send", depends_on=("read",), on_failure="fallback:post"),
        a_skill("post"),
    )
    made = estimate(grounds(*plan))

    assert made.run.least == 2 * A_PASS.least
    assert made.run.expected == 4 * A_PASS.expected
    assert made.run.most == 5 * A_PASS.most
    assert says(made, "Up to: check, tell may be skipped")
    assert says(made, "Up to: post run only when another skill fails")


@requirement("BUD-4")
@pytest.mark.parametrize(
    ("known", "times", "sentence"),
    [
        ({}, (0, 1, 1_000), "1 (no run tells how many), 1,000 at most"),
        ({"items_so_far": {"report": 2.5}}, (0, 2.5, 1_000), "2.5 (a mean of runs so far)"),
        ({"items": 7, "items_so_far": {"report": 2.5}}, (7, 7, 7), "7 (as was asked), 7 at most"),
    ],
)
def test_a_list_is_counted_by_its_items(
    known: dict[str, Any], times: tuple[float, ...], sentence: str
) -> None:
    made = estimate(grounds(a_skill(for_each="input.tasks"), **known))

    costs = (A_PASS.least, A_PASS.expected, A_PASS.most)
    assert figures(made.run) == tuple(
        Decimal(count) * cost for count, cost in zip(times, costs, strict=True)
    )
    assert says(made, f"'report' runs once for each item: {sentence}")


def test_nobody_can_tell_the_most_of_what_other_agents_spend_unless_there_is_a_cap() -> None:
    free_to_spend = estimate(grounds(has_children=True))
    capped = estimate(grounds(has_children=True, limits=AgentLimits(budget_usd=Decimal(3))))

    assert (free_to_spend.run.most, free_to_spend.month.most) == (None, None)
    assert "other agents" in free_to_spend.run.most_because
    assert (capped.run.most, capped.month.most) == (Decimal(3), Decimal(90))
    assert says(free_to_spend, "in no figure of a plan")


def test_free_skills_may_have_dear_children() -> None:
    made = estimate(grounds(costs=FREE, has_children=True, past=past("0.2", "0.4")))

    assert figures(made.run) == (Decimal(0), Decimal("0.3"), None)
    assert made.rests_on is Basis.RUNS


def test_a_month_without_runs_costs_nothing() -> None:
    made = estimate(grounds(runs_per_month=0, past=past("0.1", "0.2", "0.3", "0.4", "0.5")))

    assert figures(made.month) == (Decimal(0),) * 3
    assert made.run.expected == Decimal("0.3")


AMOUNTS = st.decimals(0, 10, places=6)


@requirement("BUD-4")
@given(
    costs=st.lists(AMOUNTS, min_size=3, max_size=3).map(lambda found: Costs(*sorted(found))),
    skills=st.integers(1, 4),
    cap=st.none() | st.decimals("0.01", 10, places=6),
    runs=st.integers(0, 1_000),
    spent=st.lists(AMOUNTS, max_size=8),
)
def test_every_estimate_is_in_order(
    costs: Costs, skills: int, cap: Decimal | None, runs: int, spent: Sequence[Decimal]
) -> None:
    """Whatever is known: least <= most, all within the caps, and the same grounds give the same."""
    chosen = [a_skill(f"skill-{n}") for n in range(skills)]
    ran = past(*(str(min(cost, costs.most * skills)) for cost in spent))
    given_grounds = grounds(
        *chosen,
        costs=costs,
        past=ran,
        runs_per_month=runs,
        limits=AgentLimits(budget_usd=cap),
    )
    made = estimate(given_grounds)

    for each in (made.run, made.month):
        assert each.least is not None
        assert each.expected is not None
        assert each.most is not None
        assert 0 <= each.least <= each.most
        assert each.expected <= each.most + Decimal("1e-6") * (runs + 1)
        if each.interval is not None:
            assert each.interval.low <= each.interval.high
    if cap is not None:
        assert made.run.most is not None
        assert made.run.most <= cap
    assert estimate(given_grounds) == made
