"""Schedules: the times at which agents run by themselves, and what became of each."""

from dataclasses import asdict

from fastapi import APIRouter

from api.dependencies import Caller, Cursor, IdempotencyHeader, Limit, Mine
from api.errors import responses
from api.schemas.runs import RunAccepted
from api.schemas.schedules import (
    BackfillBody,
    BackfillRequest,
    FireBody,
    FireList,
    NewSchedule,
    PauseRequest,
    PreviewBody,
    PreviewRequest,
    RunNowRequest,
    ScheduleBody,
    ScheduleChange,
    ScheduleDetailBody,
    ScheduleList,
)
from api.triggers.schedules import AgentScheduler, Scheduling, Shown
from omniforge.agents.triggers.schedules import Fire, Schedule
from omniforge.errors import (
    AgentArchived,
    AgentNotActive,
    AgentNotFound,
    BackfillTooLarge,
    CronInvalid,
    ScheduleBusy,
    ScheduleInvalid,
    ScheduleNotFound,
    TemporalUnavailable,
    TimeZoneUnknown,
    Unauthenticated,
)
from omniforge.store.sql import Page
from omniforge.store.store import Repositories

router = APIRouter(
    prefix="/api/v1/schedules", tags=["schedules"], responses=responses(Unauthenticated)
)

_REFUSALS = (CronInvalid, TimeZoneUnknown, ScheduleInvalid)


@router.post("", status_code=201, responses=responses(AgentNotFound, AgentArchived, *_REFUSALS))
async def add_schedule(
    body: NewSchedule,
    caller: Caller,
    scheduler: Scheduling,
    idempotency_key: IdempotencyHeader = None,
) -> ScheduleBody:
    """Have an agent run at these times, once it is active.

    With an `Idempotency-Key`, repeating the request answers with the schedule of the first time.
    """
    schedule = await scheduler.add_schedule(body.config(caller.tenant_id), caller, idempotency_key)
    return await _shown(scheduler, schedule)


@router.get("")
async def list_schedules(
    mine: Mine,
    scheduler: Scheduling,
    agent_id: str | None = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> ScheduleList:
    """The schedules of the workspace, newest first."""
    page = await mine.read(lambda db: db.schedules.page(limit, cursor, agent_id))
    shown = await scheduler.shown(page.items)
    bodies = [_body(one) for one in shown]
    return ScheduleList(schedules=bodies, next_cursor=page.next_cursor)


@router.post("/preview", responses=responses(*_REFUSALS, TemporalUnavailable))
async def preview_schedule(
    body: PreviewRequest, caller: Caller, scheduler: Scheduling
) -> PreviewBody:
    """What a schedule would be in words, and its next five times. Nothing is kept of it."""
    seen = await scheduler.preview(body.config(caller.tenant_id))
    return PreviewBody(words=seen.words, next_times=seen.next_times)


@router.get("/{schedule_id}", responses=responses(ScheduleNotFound))
async def get_schedule(schedule_id: str, mine: Mine, scheduler: Scheduling) -> ScheduleDetailBody:
    """One schedule, with how late its last fires came."""
    schedule = await mine.read(lambda db: db.schedules.get(schedule_id))
    body, lateness = await _shown(scheduler, schedule), await scheduler.lateness(schedule)
    late = None if lateness is None else asdict(lateness)
    return ScheduleDetailBody.model_validate({**body.model_dump(), "lateness": late})


@router.patch("/{schedule_id}", responses=responses(ScheduleNotFound, AgentArchived, *_REFUSALS))
async def change_schedule(
    schedule_id: str, change: ScheduleChange, caller: Caller, scheduler: Scheduling
) -> ScheduleBody:
    """Change a schedule. Runs under way go on."""
    changed = await scheduler.update_schedule(schedule_id, change.changes, caller)
    return await _shown(scheduler, changed)


@router.delete("/{schedule_id}", status_code=204, responses=responses(ScheduleNotFound))
async def remove_schedule(schedule_id: str, caller: Caller, scheduler: Scheduling) -> None:
    """Forget a schedule. Runs under way go on, and its runs stay."""
    await scheduler.remove_schedule(schedule_id, caller)


@router.post("/{schedule_id}/pause", responses=responses(ScheduleNotFound, AgentArchived))
async def pause_schedule(
    schedule_id: str, body: PauseRequest, caller: Caller, scheduler: Scheduling
) -> ScheduleBody:
    """Let it fire no more until it is resumed. What is due meanwhile is not caught up."""
    return await _shown(scheduler, await scheduler.pause(schedule_id, body.note, caller))


@router.post("/{schedule_id}/resume", responses=responses(ScheduleNotFound, AgentArchived))
async def resume_schedule(schedule_id: str, caller: Caller, scheduler: Scheduling) -> ScheduleBody:
    """Let it fire again."""
    return await _shown(scheduler, await scheduler.resume(schedule_id, caller))


@router.post(
    "/{schedule_id}/skip-next",
    responses=responses(ScheduleNotFound, ScheduleInvalid, TemporalUnavailable),
)
async def skip_next(schedule_id: str, caller: Caller, scheduler: Scheduling) -> ScheduleBody:
    """Leave the next time out. As long as that has not come, asking again skips nothing more."""
    skipped = await scheduler.skip_next(schedule_id, caller)
    return await _shown(scheduler, skipped.schedule)


@router.post(
    "/{schedule_id}/run",
    status_code=202,
    responses=responses(ScheduleNotFound, ScheduleBusy, AgentNotActive, TemporalUnavailable),
)
async def run_now(
    schedule_id: str, body: RunNowRequest, caller: Caller, scheduler: Scheduling
) -> RunAccepted:
    """Start a run with the schedule's input now, beside its times; also of a paused schedule."""
    run = await scheduler.run_now(schedule_id, caller, body.overlap)
    return RunAccepted(execution_id=run.id, status=run.status)


@router.post(
    "/{schedule_id}/backfill",
    responses=responses(
        *(ScheduleNotFound, ScheduleInvalid, BackfillTooLarge, AgentNotActive, TemporalUnavailable)
    ),
)
async def backfill(
    schedule_id: str, body: BackfillRequest, caller: Caller, scheduler: Scheduling
) -> BackfillBody:
    """Have the times of a range run now; a time that had its run gets no second one."""
    done = await scheduler.backfill(schedule_id, body.start, body.end, caller, body.preview)
    return BackfillBody(times=done.times, execution_ids=tuple(run.id for run in done.runs))


@router.get("/{schedule_id}/fires", responses=responses(ScheduleNotFound))
async def list_fires(
    schedule_id: str, mine: Mine, limit: Limit = 50, cursor: Cursor = None
) -> FireList:
    """What became of each time at which a schedule was due, newest first."""

    def work(db: Repositories) -> Page[Fire]:
        db.schedules.get(schedule_id)
        return db.fires.page(schedule_id, limit, cursor)

    page = await mine.read(work)
    return FireList(fires=[FireBody.of(one) for one in page.items], next_cursor=page.next_cursor)


async def _shown(scheduler: AgentScheduler, schedule: Schedule) -> ScheduleBody:
    (shown,) = await scheduler.shown([schedule])
    return _body(shown)


def _body(shown: Shown) -> ScheduleBody:
    beside = {
        "words": shown.words,
        "next_times": shown.next_times,
        "in_sync": shown.is_in_sync,
    }
    return ScheduleBody.model_validate({**shown.schedule.model_dump(), **beside})
