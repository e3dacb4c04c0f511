"""What became of each time at which a schedule was due."""

from datetime import datetime

from sqlalchemy import Connection, RowMapping, select

from omniforge import clock
from omniforge.agents.config import AgentStatus
from omniforge.agents.runs import ErrorInfo, Run, RunStatus
from omniforge.agents.triggers.schedules import (
    Fire,
    FireOutcome,
    Overlap,
    SkipReason,
    occurrence_of,
)
from omniforge.journal.events import FireSkipped, NewEvent
from omniforge.store.admission import EARLIER_RUN
from omniforge.store.briefs import Entry
from omniforge.store.overlap import OverlapRepository
from omniforge.store.repository import Repository
from omniforge.store.sql import Page, insert_into, page_of
from omniforge.store.streams import advance
from omniforge.store.tables import agent_configs, fires, streams

_WHY = {
    SkipReason.OVERLAP: "Run {run} of the schedule has not ended.",
    SkipReason.BUFFER_FULL: "Run {run} of the schedule has not ended, and another one waits for it.",
    SkipReason.ON_REQUEST: "This time of the schedule was skipped on request.",
    SkipReason.SCHEDULE_PAUSED: "The schedule is paused.",
    SkipReason.SCHEDULE_REMOVED: "The schedule was removed.",
    SkipReason.AGENT_NOT_ACTIVE: "The agent is not active.",
}


class FireRepository(Repository):
    def __init__(self, connection: Connection, tenant_id: str, overlap: OverlapRepository) -> None:
        super().__init__(connection, tenant_id)
        self._overlap = overlap

    def enter(self, run: Run, fired_at: datetime) -> Entry:
        """Decide whether a time at which a schedule is due leads to a run, and record it.

        The run's id names the schedule and the time. Asked again, the answer is the same.
        """
        schedule = self._overlap.lock(run.trigger_id or "")
        if schedule is None:
            return Entry(refusal=_refusal(SkipReason.SCHEDULE_REMOVED))
        at = occurrence_of(run.id)
        if (earlier := self._find(schedule["id"], run.id)) is not None:
            return Entry(refusal=_refusal(SkipReason(earlier["reason"]), earlier["blocked_by"]))
        reason, blocker = self._reason(schedule, at)
        due_at = None if schedule["jitter_s"] else at
        fire = Fire(
            schedule_id=schedule["id"],
            scheduled_at=at,
            due_at=due_at,
            fired_at=fired_at,
            outcome=FireOutcome.RUN if reason is None else FireOutcome.SKIPPED,
            reason=reason,
            execution_id=run.id if reason is None else None,
            blocked_by=blocker,
        )
        self.record(fire, run.id)
        if reason is None:
            return Entry(run=_due(run, schedule, at, is_held=blocker is not None))
        if blocker is not None:
            self._tell(blocker, schedule["id"], at)
        return Entry(refusal=_refusal(reason, blocker))

    def record(self, fire: Fire, fire_id: str) -> bool:
        """Write a fire; False when it is on record. Its id is that of the run that it leads to, or would."""
        row = fire.model_dump(exclude={"fired_at"}) | {
            "id": fire_id,
            "tenant_id": self._tenant_id,
            "created_at": fire.fired_at,
        }
        statement = insert_into(self._connection, fires).on_conflict_do_nothing()
        return self._connection.execute(statement, [row]).rowcount == 1

    def page(self, schedule_id: str, limit: int, cursor: str | None) -> Page[Fire]:
        """What became of a schedule's times, the newest first."""
        mine = (fires.c.tenant_id == self._tenant_id, fires.c.schedule_id == schedule_id)
        return page_of(self._connection, select(fires).where(*mine), fires, limit, cursor, _fire_of)

    # ---- inside ------------------------------------------------------------------------------

    def _find(self, schedule_id: str, fire_id: str) -> RowMapping | None:
        mine = (fires.c.tenant_id == self._tenant_id, fires.c.schedule_id == schedule_id)
        query = select(fires).where(*mine, fires.c.id == fire_id)
        return self._connection.execute(query).mappings().first()

    def _reason(self, schedule: RowMapping, at: datetime) -> tuple[SkipReason | None, str | None]:
        """Why a time is skipped, and the run that is in the way of it, or of its run's beginning."""
        if schedule["removed_at"] is not None:
            return SkipReason.SCHEDULE_REMOVED, None
        if not schedule["enabled"]:
            return SkipReason.SCHEDULE_PAUSED, None
        if schedule["skip_at"] == at:
            return SkipReason.ON_REQUEST, None
        if not self._is_active(schedule["agent_id"]):
            return SkipReason.AGENT_NOT_ACTIVE, None
        overlap = Overlap(schedule["overlap"])
        blocker = None if overlap is Overlap.ALLOW else self._overlap.blocker(schedule)
        if blocker is None:
            return None, None
        if overlap is Overlap.SKIP:
            return SkipReason.OVERLAP, blocker
        if self._overlap.has_held(schedule["id"]):
            return SkipReason.BUFFER_FULL, blocker
        return None, blocker

    def _is_active(self, agent_id: str) -> bool:
        mine = (agent_configs.c.id == agent_id, agent_configs.c.tenant_id == self._tenant_id)
        status = self._connection.execute(select(agent_configs.c.status).where(*mine)).scalar()
        return status == AgentStatus.ACTIVE

    def _tell(self, run_id: str, schedule_id: str, at: datetime) -> None:
        """Let those who watch the run know what it is in the way of; before it begins nobody does."""
        mine = (streams.c.id == run_id, streams.c.tenant_id == self._tenant_id)
        if self._connection.execute(select(streams.c.id).where(*mine)).first() is None:
            return
        body = FireSkipped(schedule_id=schedule_id, scheduled_at=at)
        event = NewEvent(dedupe_key=f"{body.type}/{at.isoformat()}", at=clock.now(), body=body)
        advance(self._connection, run_id, self._tenant_id, [event])


def _due(run: Run, schedule: RowMapping, at: datetime, *, is_held: bool) -> Run:
    status, waiting_for = (RunStatus.QUEUED, EARLIER_RUN) if is_held else (RunStatus.PENDING, None)
    return run.model_copy(
        update={
            "status": status,
            "waiting_for": waiting_for,
            "scheduled_at": at,
            "input_data": schedule["input_data"],
        }
    )


def _refusal(reason: SkipReason, blocker: str | None = None) -> ErrorInfo:
    return ErrorInfo(code=reason, message=_WHY[reason].format(run=blocker))


def _fire_of(row: RowMapping) -> Fire:
    return Fire.model_validate({**row, "fired_at": row["created_at"]})
