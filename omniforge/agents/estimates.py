"""What a run and a month of an agent will cost: from its plan, and from its runs so far."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from enum import StrEnum
from graphlib import TopologicalSorter

from omniforge.agents.budgets import NOTHING, Budget, Period, Scope, billionths
from omniforge.agents.config import AgentLimits, SkillReference
from omniforge.agents.history import ExecutionRecord
from omniforge.agents.plan import MAX_ITEMS, Plan
from omniforge.agents.samples import FEWEST, Interval, Sample

DAYS_OF_MONTH = 30


class Basis(StrEnum):
    """What an expected figure rests on."""

    RUNS = "runs"
    PLAN = "plan"
    NOTHING = "nothing"


@dataclass(frozen=True, slots=True)
class Costs:
    """Dollars: at least, as expected, at most."""

    least: Decimal
    expected: Decimal
    most: Decimal


@dataclass(frozen=True, slots=True)
class SkillForecast:
    """One pass through a skill. Without `costs`, nobody knows the price of `unpriced`."""

    skill: str
    models: tuple[str, ...]
    costs: Costs | None
    calls_at_most: int
    unpriced: str = ""


@dataclass(frozen=True, slots=True)
class Forecast:
    """Dollars; None where nobody can tell. `interval` is around what is expected."""

    least: Decimal | None = None
    expected: Decimal | None = None
    most: Decimal | None = None
    most_because: str = ""
    interval: Interval | None = None

    def within(self, cap: Decimal, because: str) -> "Forecast":
        """The same under a cap, which no call can pass."""
        if self.most is not None and self.most <= cap:
            return self
        bars = self.interval
        return Forecast(
            _at_most(self.least, cap),
            _at_most(self.expected, cap),
            cap,
            because,
            bars and Interval(min(bars.low, cap), min(bars.high, cap)),
        )


@dataclass(frozen=True, slots=True)
class Grounds:
    """All that an estimate is made from."""

    skills: Sequence[SkillReference]
    limits: AgentLimits
    version: int
    forecasts: Sequence[SkillForecast]
    """Of the skills that are steps of the plan."""
    past: Sequence[ExecutionRecord]
    """Runs that have ended, of this version and earlier ones."""
    other_versions: frozenset[int]
    """Those whose skills, or files of skills, are not the same."""
    runs_per_month: int
    is_given: bool
    """Whether somebody said how many runs; otherwise they are those of the last thirty days."""
    items: int | None = None
    """Of every `for_each`, as somebody said."""
    items_so_far: Mapping[str, float] = field(default_factory=dict)
    """How many a `for_each` had in runs so far, in the mean."""
    budgets: Sequence[Budget] = ()
    """Caps of the agent and the workspace."""
    has_children: bool = False


@dataclass(frozen=True, slots=True)
class Estimate:
    """`assumptions` are sentences: each thing that was assumed, and each that is not known."""

    version: int
    run: Forecast
    month: Forecast
    runs_per_month: int
    rests_on: Basis
    past_runs: int
    past_versions: tuple[int, ...]
    skills: tuple[SkillForecast, ...]
    assumptions: tuple[str, ...]


def estimate(grounds: Grounds) -> Estimate:
    """Estimate a run and thirty days of runs. The same grounds always give the same estimate."""
    planned, said = _planned(grounds)
    sample, said_of_sample = _sample(grounds, planned)
    run, month = planned, _months(planned, grounds.runs_per_month)
    basis = Basis.NOTHING if planned.expected is None else Basis.PLAN
    if sample:
        costs = Sample([record.with_children.cost for record in sample])
        run = replace(planned, expected=costs.mean, interval=costs.mean_within())
        month = replace(
            _months(run, grounds.runs_per_month), interval=costs.sum_within(grounds.runs_per_month)
        )
        basis = Basis.RUNS
    elif basis is Basis.PLAN and planned.expected:
        said_of_sample = [*said_of_sample, _USUAL]
    run, month = _under_caps(run, month, grounds)
    return Estimate(
        version=grounds.version,
        run=run,
        month=month,
        runs_per_month=grounds.runs_per_month,
        rests_on=basis,
        past_runs=len(sample),
        past_versions=tuple(sorted({each.version for each in sample if each.version})),
        skills=tuple(grounds.forecasts),
        assumptions=(*said, *said_of_sample, _said_of_month(grounds)),
    )


# ---- the plan --------------------------------------------------------------------------------

_USUAL = (
    "There are no runs to learn from, so the expected figure is a rule of thumb: four model calls a"
    " skill, 4,000 tokens of instructions and tools beside the skill's text, and 1,000 more with each call."
)


def _planned(grounds: Grounds) -> tuple[Forecast, list[str]]:
    """What the plan alone says, without any cap on money, and how it was read."""
    said = list(_said_of_models(grounds))
    if any(each.costs is None for each in grounds.forecasts):
        return Forecast(most_because="The price of a model is not known."), said
    plan = Plan.of(grounds.skills)
    certain, stand_ins = _certain(plan), set(plan.fallbacks.values())
    lists = {skill.id for skill in grounds.skills if skill.for_each}
    least = expected = most = NOTHING
    for each in grounds.forecasts:
        costs = each.costs or Costs(NOTHING, NOTHING, NOTHING)
        low, usual, high = _times(grounds, each.skill) if each.skill in lists else _ONCE
        least += costs.least * (low if each.skill in certain else 0)
        expected += costs.expected * (NOTHING if each.skill in stand_ins else usual)
        most += costs.most * high
    said += _said_of_plan(grounds, certain, stand_ins, lists)
    expected = billionths(expected)
    if grounds.has_children:
        because = "Its skills may run other agents, whose runs have limits of their own."
        return Forecast(least, expected, None, because), said
    calls = sum(each.calls_at_most for each in grounds.forecasts)
    because = f"Every skill takes all its turns, with prompts as long as they can be: {calls} calls"
    because += ", and as many for each item." if lists else "."
    return Forecast(least, expected, most, because if most else "Its models cost nothing."), said


def _certain(plan: Plan) -> set[str]:
    """The skills that run in every run that succeeds."""
    found: set[str] = set()
    for node in TopologicalSorter(plan.depends_on).static_order():
        before = plan.needs[node]
        is_free = plan.replaced_by(node) is None and node not in plan.deciding
        if is_free and (not before or any(name in found for name in before)):
            found.add(node)
    return found


def _times(grounds: Grounds, skill: str) -> tuple[int, Decimal, int]:
    """How often a `for_each` runs: at least, as expected, at most."""
    if grounds.items is not None:
        return grounds.items, Decimal(grounds.items), grounds.items
    return 0, Decimal(grounds.items_so_far.get(skill, 1)), MAX_ITEMS


_ONCE = (1, Decimal(1), 1)


def _said_of_models(grounds: Grounds) -> Iterator[str]:
    names = {name: None for each in grounds.forecasts for name in each.models}
    yield f"Models and prices are those that the API is set up with today: {', '.join(names)}."
    for model in dict.fromkeys(each.unpriced for each in grounds.forecasts if each.unpriced):
        ending = "there is no figure"
        if grounds.limits.budget_usd is not None or grounds.budgets:
            ending = "under a cap its calls are refused (price_unknown)"
        yield (
            f"Nobody knows what {model} costs, so {ending}; a price can be set in the file that"
            " OMNIFORGE_PRICES names."
        )
    for each in grounds.forecasts:
        if each.costs is not None and each.costs.most == 0:
            yield f"Skill {each.skill!r} costs nothing: {', '.join(each.models)} has a price of 0."


def _said_of_plan(
    grounds: Grounds, certain: set[str], stand_ins: set[str], lists: set[str]
) -> Iterator[str]:
    yield "The least is one short answer of each skill that is sure to run, in a run that succeeds."
    if grounds.has_children:
        yield "What runs of other agents cost, which its skills may start, is in no figure of a plan."
    skippable = [each.skill for each in grounds.forecasts if each.skill not in certain | stand_ins]
    if skippable:
        yield f"Up to: {', '.join(skippable)} may be skipped; a plan's figures count them as run."
    if stand_ins:
        yield f"Up to: {', '.join(sorted(stand_ins))} run only when another skill fails."
    for skill in sorted(lists):
        low, usual, high = _times(grounds, skill)
        source = "as was asked" if low == high else "a mean of runs so far"
        if low != high and skill not in grounds.items_so_far:
            source = "no run tells how many"
        yield f"{skill!r} runs once for each item: {usual:.4g} ({source}), {high:,} at most."


# ---- runs so far -----------------------------------------------------------------------------


def _sample(grounds: Grounds, planned: Forecast) -> tuple[list[ExecutionRecord], list[str]]:
    """The runs to learn from: of this version when there are enough, otherwise of earlier ones, too."""
    if planned.expected is None or planned.most == 0:
        return [], []
    told = [each for each in grounds.past if _tells_cost(each)]
    mine = [each for each in told if each.version == grounds.version]
    sample = mine if len(mine) >= FEWEST else told
    if not any(each.with_children.cost for each in sample):
        return [], []
    return sample, list(_said_of_sample(grounds, sample))


def _tells_cost(record: ExecutionRecord) -> bool:
    """A run whose calls were free says nothing of what they cost at a price."""
    spent = record.with_children
    return bool(spent.cost) or not spent.usage.model_calls


def _said_of_sample(grounds: Grounds, sample: Sequence[ExecutionRecord]) -> Iterator[str]:
    versions = sorted({each.version for each in sample if each.version is not None})
    which = f"version{'s' * (len(versions) > 1)} {', '.join(map(str, versions))}"
    yield (
        f"The expected figure is the mean of {len(sample)} runs that have ended ({which}), with the runs"
        " that they started."
    )
    if left := len(grounds.past) - sum(map(_tells_cost, grounds.past)):
        yield f"Left out: {left} runs whose model calls were free."
    if len(sample) < FEWEST:
        yield f"For error bars it takes {FEWEST} runs."
    if others := [each for each in versions if each in grounds.other_versions]:
        yield f"The skills of version {', '.join(map(str, others))} were not those of today."
    answered = sorted({model for each in sample for model in each.models})
    if answered:
        yield f"These runs were answered by {', '.join(answered)}."


# ---- the month, and caps ---------------------------------------------------------------------


def _months(run: Forecast, runs: int) -> Forecast:
    because = f"{run.most_because} That {runs} times." if runs and run.most else run.most_because
    least, expected, most = (
        None if amount is None else amount * runs for amount in (run.least, run.expected, run.most)
    )
    return Forecast(least, expected, most, because)


def _under_caps(run: Forecast, month: Forecast, grounds: Grounds) -> tuple[Forecast, Forecast]:
    """A run's cap holds for each, those of the agent and the workspace for all of them."""
    if run.expected is None:
        return run, month  # under a cap, calls of unknown price are not made at all
    if (cap := grounds.limits.budget_usd) is not None:
        run = run.within(cap, f"The cap of ${cap:f} on each run (`limits.budget_usd`).")
        of_all = cap * grounds.runs_per_month
        month = month.within(of_all, f"${cap:f} a run, {grounds.runs_per_month} times.")
    for budget in grounds.budgets:
        times = DAYS_OF_MONTH if budget.period is Period.DAY else 1
        cap = budget.left if budget.period is Period.EVER else budget.cap * times
        owner = "the workspace" if budget.scope is Scope.TENANT else "the agent"
        month = month.within(cap, f"The cap of ${budget.cap:f} ({budget.period}) on {owner}.")
    return run, month


def _said_of_month(grounds: Grounds) -> str:
    runs = grounds.runs_per_month
    if grounds.is_given:
        return f"A month has {runs} runs, as was asked."
    return (
        f"A month has {runs} runs, as the last {DAYS_OF_MONTH} days had; say another number with"
        " runs_per_month."
    )


def _at_most(amount: Decimal | None, cap: Decimal) -> Decimal | None:
    return None if amount is None else min(amount, cap)


def counted(budgets: Iterable[Budget], agent_id: str) -> list[Budget]:
    """The caps that hold for all runs of an agent, whoever starts them."""
    return [
        budget
        for budget in budgets
        if budget.scope is Scope.TENANT
        or (budget.scope is Scope.AGENT and budget.subject == agent_id)
    ]
