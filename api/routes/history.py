"""What runs came to, and what further ones will cost."""

import asyncio
from datetime import date, timedelta
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request

from api.dependencies import AllData, Cursor, Limit, Mine, OwnAgent
from api.errors import responses
from api.schemas.history import EstimateBody, HistoryBody, StatisticsBody
from omniforge import clock
from omniforge.agents.config import AgentConfig
from omniforge.agents.estimates import DAYS_OF_MONTH, Grounds, SkillForecast, counted, estimate
from omniforge.agents.modes import RunMode
from omniforge.agents.versions import AgentVersion
from omniforge.errors import AgentNotFound, Unauthenticated
from omniforge.execution.model_call.forecast import Forecaster
from omniforge.skills.pinned import PinnedSkills
from omniforge.store.history import Which
from omniforge.store.store import Repositories, TenantStore

router = APIRouter(prefix="/api/v1", tags=["history"], responses=responses(Unauthenticated))

# Enough for narrow error bars; what came before them says little of the agent as it is now.
RUNS_LEARNED_FROM = 500
# Their lists are read as they are, up to 64 KB each.
LISTS_LOOKED_AT = 20

Since = Annotated[date | None, Query(description="First day, UTC.")]
Until = Annotated[date | None, Query(description="Last day, UTC.")]
Mode = Annotated[RunMode, Query(description="Runs of this mode; `live` is the agent at work.")]


@router.get("/history")
async def history(
    mine: Mine,
    since: Since = None,
    until: Until = None,
    mode: Mode = RunMode.LIVE,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> HistoryBody:
    """The records of all runs that were accepted within these days, and what they come to.

    `including_children` adds runs that these started, whenever that was.
    """
    return await _history(mine, Which(None, since, until, mode), limit, cursor)


@router.get("/agents/{agent_id}/history", responses=responses(AgentNotFound))
async def history_of_agent(
    agent: OwnAgent,
    mine: Mine,
    since: Since = None,
    until: Until = None,
    mode: Mode = RunMode.LIVE,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> HistoryBody:
    """The records of an agent's runs, and what they come to."""
    return await _history(mine, Which(agent.id, since, until, mode), limit, cursor)


@router.get("/agents/{agent_id}/statistics", responses=responses(AgentNotFound))
async def statistics_of_agent(
    agent: OwnAgent, mine: Mine, since: Since = None, until: Until = None
) -> StatisticsBody:
    """How an agent's runs went, counted from the runs now. Tests, replays and forks are left out."""
    which = Which(agent.id, since, until)
    records = await mine.read(lambda db: db.history.of(which))
    return StatisticsBody.of(records.statistics())


class Estimating:
    """Gathers what an estimate is made from."""

    def __init__(self, request: Request, store: AllData, mine: Mine) -> None:
        self._mine, self._skills = mine, PinnedSkills(store.blobs)
        self._forecaster: Forecaster = request.app.state.forecaster

    async def grounds(
        self, agent: AgentConfig, runs_per_month: int | None, items: int | None
    ) -> Grounds:
        version = await self._mine.read(lambda db: db.agents.version(agent.id, agent.version))
        forecasts = [await self._forecast(version, step.reference.id) for step in version.steps]
        return await self._mine.read(
            lambda db: _grounds(db, version, forecasts, runs_per_month, items)
        )

    async def _forecast(self, version: AgentVersion, node: str) -> SkillForecast:
        pinned = version.pinned(node)
        skill = await self._skills.get(pinned.reference.name, pinned.content_hash)
        # In a thread: the first one loads the price list, which takes half a second.
        return await asyncio.to_thread(self._forecaster.of, skill, pinned.reference, version.limits)


@router.get("/agents/{agent_id}/estimate", responses=responses(AgentNotFound))
async def estimate_agent(
    agent: OwnAgent,
    estimating: Annotated[Estimating, Depends()],
    runs_per_month: Annotated[
        int | None,
        Query(ge=0, le=10_000_000, description="Default: as many as in the last thirty days."),
    ] = None,
    items: Annotated[
        int | None, Query(ge=0, le=1_000, description="How many items each `for_each` has.")
    ] = None,
) -> EstimateBody:
    """What a run and a month will cost: from the plan, and from this agent's runs so far."""
    return EstimateBody.of(
        agent.id, estimate(await estimating.grounds(agent, runs_per_month, items))
    )


async def _history(mine: TenantStore, which: Which, limit: int, cursor: str | None) -> HistoryBody:
    def work(db: Repositories) -> HistoryBody:
        return HistoryBody.of(db.history.page(which, limit, cursor), db.history.totals(which))

    return await mine.read(work)


def _grounds(
    db: Repositories,
    version: AgentVersion,
    forecasts: list[SkillForecast],
    runs_per_month: int | None,
    items: int | None,
) -> Grounds:
    agent_id = version.agent_id
    ended = Which(agent_id, only_ended=True)
    past = db.history.page(ended, RUNS_LEARNED_FROM, None).items
    numbers = {record.version for record in past if record.version is not None}
    others = (db.agents.version(agent_id, number) for number in numbers)
    month_ago = (clock.now() - timedelta(days=DAYS_OF_MONTH)).date()
    recent = db.history.totals(Which(agent_id, since=month_ago)).runs
    return Grounds(
        skills=[skill.reference for skill in version.skills],
        limits=version.limits,
        version=version.version,
        forecasts=forecasts,
        past=past,
        other_versions=frozenset(one.version for one in others if one.skills != version.skills),
        runs_per_month=recent if runs_per_month is None else runs_per_month,
        is_given=runs_per_month is not None,
        items=items,
        items_so_far=db.history.items([record.run_id for record in past[:LISTS_LOOKED_AT]]),
        budgets=counted(db.budgets.all(), agent_id),
        has_children=bool(version.sub_agents),
    )
