"""What a platform tells of runs that were, and of what runs will cost."""

from pydantic import AwareDatetime, BaseModel

from omniforge.agents.budgets import Dollars
from omniforge.agents.estimates import Basis
from omniforge.agents.modes import RunMode
from omniforge.agents.runs import RunStatus, TokenUsage


class Spent(BaseModel, frozen=True):
    """Tokens and money of model calls. `tokens` are all that were read or written."""

    cost_usd: Dollars
    tokens: int
    usage: TokenUsage


class ExecutionRecord(Spent, frozen=True):
    """One run; of one under way, what it has spent so far. Durations hold all waiting.

    `including_children` adds the runs that its skills started. `models` are those that answered.
    """

    run_id: str
    agent_id: str
    agent_version: int | None
    mode: RunMode
    status: RunStatus
    error_code: str | None
    parent_id: str | None
    models: tuple[str, ...]
    created_at: AwareDatetime
    started_at: AwareDatetime | None
    ended_at: AwareDatetime | None
    duration_s: float | None
    including_children: Spent


class Totals(Spent, frozen=True):
    """Sums over runs, of which each counts once, also in `including_children`."""

    runs: int
    including_children: Spent


class History(BaseModel, frozen=True):
    """A page of records, newest first, and the totals over all pages."""

    records: tuple[ExecutionRecord, ...]
    next_cursor: str | None
    totals: Totals


class Statistics(BaseModel, frozen=True):
    """Figures over an agent's runs, without tests, replays and forks.

    `failures` are by error code. The success rate leaves out what was cancelled. Durations and costs
    are those of runs that have ended.
    """

    runs: int
    under_way: int
    successes: int
    cancelled: int
    failures: dict[str, int]
    success_rate: float | None
    median_duration_s: float | None
    p95_duration_s: float | None
    mean_cost_usd: Dollars | None
    p95_cost_usd: Dollars | None
    total_cost_usd: Dollars
    total_tokens: int
    last_run: AwareDatetime | None


class Interval(BaseModel, frozen=True):
    """Error bars at a confidence of 95 in 100."""

    low_usd: Dollars
    high_usd: Dollars


class Forecast(BaseModel, frozen=True):
    """What something will cost. A figure that nobody can tell is None."""

    least_usd: Dollars | None
    expected_usd: Dollars | None
    most_usd: Dollars | None
    most_because: str
    interval: Interval | None


class SkillForecast(BaseModel, frozen=True):
    """One pass through a skill."""

    skill: str
    models: tuple[str, ...]
    calls_at_most: int
    least_usd: Dollars | None
    expected_usd: Dollars | None
    most_usd: Dollars | None


class Estimate(BaseModel, frozen=True):
    """What a run and a month of thirty days will cost. `assumptions` says on what terms."""

    agent_id: str
    version: int
    run: Forecast
    month: Forecast
    runs_per_month: int
    rests_on: Basis
    past_runs: int
    past_versions: tuple[int, ...]
    skills: tuple[SkillForecast, ...]
    assumptions: tuple[str, ...]
