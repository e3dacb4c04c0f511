"""Runs that people have a schedule start: one now, or one for each of some times that have passed."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from omniforge import clock
from omniforge.agents.config import AgentConfig, AgentStatus
from omniforge.agents.runs import Run, RunPriority, RunStatus, RunTrigger
from omniforge.agents.triggers.schedules import (
    Fire,
    FireKind,
    FireOutcome,
    Overlap,
    Schedule,
    occurrence_id,
)
from omniforge.errors import AgentNotActive, ScheduleBusy
from omniforge.identity import Principal, new_id
from omniforge.store.admission import EARLIER_RUN
from omniforge.store.store import Repositories


@dataclass(frozen=True, slots=True)
class Accepted:
    """Runs that are on record, and what else it takes to start their workflows."""

    runs: tuple[Run, ...]
    agent_name: str
    weight: float


def accept_now(
    db: Repositories, schedule_id: str, caller: Principal, may_overlap: bool
) -> Accepted:
    """
    Raises:
        ScheduleBusy: Another run has not ended, and they may not overlap.
        AgentNotActive: The agent is a draft, paused or archived.
    """
    schedule, agent, blocker = _look(db, schedule_id)
    if blocker is not None and not may_overlap:
        raise ScheduleBusy(schedule_id, blocker)
    at = clock.now()
    run = _run_of(schedule, agent, caller, new_id("ex"), at)
    db.runs.add(run, {}, None)
    db.fires.record(_fire_of(run, "now"), run.id)
    return Accepted((run,), agent.name, db.admission.weight())


def accept_backfill(
    db: Repositories, schedule_id: str, caller: Principal, times: Sequence[datetime]
) -> Accepted:
    """Accept a run for each time that has not fired; each waits for the one before unless they may overlap.

    Raises:
        AgentNotActive: The agent is a draft, paused or archived.
    """
    schedule, agent, blocker = _look(db, schedule_id)
    runs: list[Run] = []
    for at in times:
        run = _run_of(schedule, agent, caller, occurrence_id(schedule_id, at), at)
        run.priority = RunPriority.BULK
        if blocker is not None:
            run.status, run.waiting_for = RunStatus.QUEUED, EARLIER_RUN
        if db.fires.record(_fire_of(run, "backfill"), run.id):
            db.runs.add(run, {}, None)
            runs.append(run)
            blocker = None if schedule.overlap is Overlap.ALLOW else run.id
    return Accepted(tuple(runs), agent.name, db.admission.weight())


def _look(db: Repositories, schedule_id: str) -> tuple[Schedule, AgentConfig, str | None]:
    """A schedule, its agent, and the run that keeps others from beginning."""
    row = db.overlap.lock(schedule_id)
    schedule = db.schedules.get(schedule_id)
    agent = db.agents.get(schedule.agent_id)
    if agent.status is not AgentStatus.ACTIVE:
        raise AgentNotActive(agent.id, agent.status)
    if row is None or schedule.overlap is Overlap.ALLOW:
        return schedule, agent, None
    return schedule, agent, db.overlap.blocker(row)


def _run_of(
    schedule: Schedule, agent: AgentConfig, caller: Principal, run_id: str, at: datetime
) -> Run:
    return Run(
        id=run_id,
        agent_id=agent.id,
        tenant_id=schedule.tenant_id,
        agent_version=agent.version,
        status=RunStatus.PENDING,
        trigger_type=RunTrigger.SCHEDULED,
        trigger_id=schedule.id,
        scheduled_at=at,
        triggered_by=caller.user_id,
        input_data=schedule.input_data,
        created_at=clock.now(),
    )


def _fire_of(run: Run, kind: FireKind) -> Fire:
    at = run.scheduled_at or run.created_at
    return Fire(
        schedule_id=run.trigger_id or "",
        scheduled_at=at,
        due_at=at,
        fired_at=run.created_at,
        kind=kind,
        outcome=FireOutcome.RUN,
        execution_id=run.id,
    )
