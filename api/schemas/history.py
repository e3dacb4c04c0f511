"""What runs came to, and what further ones will cost, over HTTP."""

from typing import Any

from omniforge.agents import estimates, history, samples
from omniforge.client import figures
from omniforge.store.sql import Page


class RecordBody(figures.ExecutionRecord):
    """A run, with what it took and cost."""

    @classmethod
    def of(cls, record: history.ExecutionRecord) -> "RecordBody":
        names = set(cls.model_fields) - {"agent_version", "including_children", *_SPENT}
        known = {name: getattr(record, name) for name in names}
        return cls.model_validate(
            {
                **known,
                **_spent(record.spent),
                "agent_version": record.version,
                "including_children": _spent(record.with_children),
            }
        )


class HistoryBody(figures.History):
    """A page of records, newest first, and the totals over all pages."""

    @classmethod
    def of(cls, page: Page[history.ExecutionRecord], totals: history.Totals) -> "HistoryBody":
        sums = {
            **_spent(totals.spent),
            "runs": totals.runs,
            "including_children": _spent(totals.with_children),
        }
        return cls(
            records=tuple(map(RecordBody.of, page.items)),
            next_cursor=page.next_cursor,
            totals=figures.Totals.model_validate(sums),
        )


class StatisticsBody(figures.Statistics):
    """Figures over an agent's runs."""

    @classmethod
    def of(cls, found: history.Statistics) -> "StatisticsBody":
        return cls(
            runs=found.runs,
            under_way=found.under_way,
            successes=found.successes,
            cancelled=found.cancelled,
            failures=dict(found.failures),
            success_rate=found.success_rate,
            median_duration_s=found.median_s,
            p95_duration_s=found.p95_s,
            mean_cost_usd=found.mean_cost,
            p95_cost_usd=found.p95_cost,
            total_cost_usd=found.total_cost,
            total_tokens=found.total_tokens,
            last_run=found.last_run,
        )


class EstimateBody(figures.Estimate):
    """What a run and a month of thirty days will cost."""

    @classmethod
    def of(cls, agent_id: str, made: estimates.Estimate) -> "EstimateBody":
        return cls(
            agent_id=agent_id,
            version=made.version,
            run=_forecast(made.run),
            month=_forecast(made.month),
            runs_per_month=made.runs_per_month,
            rests_on=made.rests_on,
            past_runs=made.past_runs,
            past_versions=made.past_versions,
            skills=tuple(map(_skill, made.skills)),
            assumptions=made.assumptions,
        )


_SPENT = frozenset(figures.Spent.model_fields)


def _spent(spent: history.Spent) -> dict[str, Any]:
    return {"cost_usd": spent.cost, "tokens": spent.tokens, "usage": spent.usage}


def _forecast(made: estimates.Forecast) -> figures.Forecast:
    return figures.Forecast(
        least_usd=made.least,
        expected_usd=made.expected,
        most_usd=made.most,
        most_because=made.most_because,
        interval=_interval(made.interval),
    )


def _interval(bars: samples.Interval | None) -> figures.Interval | None:
    return None if bars is None else figures.Interval(low_usd=bars.low, high_usd=bars.high)


def _skill(made: estimates.SkillForecast) -> figures.SkillForecast:
    costs = made.costs
    return figures.SkillForecast(
        skill=made.skill,
        models=made.models,
        calls_at_most=made.calls_at_most,
        least_usd=costs and costs.least,
        expected_usd=costs and costs.expected,
        most_usd=costs and costs.most,
    )
