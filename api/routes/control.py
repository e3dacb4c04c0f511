"""What people ask of a run: to pause, to go on, to stop, to mind something, to be taken up again."""

from collections.abc import Mapping
from typing import Annotated

from fastapi import APIRouter, Depends

from activities.payloads import Steer, Wished
from api.access.permissions import refuse_unpermitted
from api.dependencies import Caller, IdempotencyHeader, Mine, OwnRun, Temporal
from api.errors import responses
from api.launch import Launching
from api.schemas.control import ControlBody, Controlled, RetryBody, SteerBody
from api.updates import NotTaken, update
from omniforge.agents.modes import RunMode
from omniforge.agents.runs import Run
from omniforge.errors import (
    AlreadyPaused,
    BudgetNotRaised,
    Conflict,
    ExecutionNotFound,
    IdempotencyConflict,
    LimitReached,
    NothingToSteer,
    NotPaused,
    Rejected,
    RunFinished,
    RunNotBegun,
    RunNotFinished,
    RunNotRetried,
    RunStopping,
    TemporalUnavailable,
    TooManyMessages,
    Unauthenticated,
)
from omniforge.identity import Permission, new_id
from omniforge.journal.steps import Wish
from omniforge.store.retries import Retry
from workflows.attributes import STEER, WISH

router = APIRouter(
    prefix="/api/v1/executions", tags=["control"], responses=responses(Unauthenticated)
)

_REFUSALS: Mapping[str, type[Conflict | LimitReached]] = {
    kind.code: kind
    for kind in (
        RunNotBegun,
        RunStopping,
        AlreadyPaused,
        NotPaused,
        NothingToSteer,
        TooManyMessages,
    )
}
_ASKING = (ExecutionNotFound, RunFinished, RunNotBegun, RunStopping, TemporalUnavailable)


class Control:
    """Asks something of a run's workflow and waits until that has obeyed or refused."""

    def __init__(self, mine: Mine, caller: Caller, temporal: Temporal) -> None:
        self._mine, self._caller, self._temporal = mine, caller, temporal

    async def wish(self, run: Run, wish: Wish | None, reason: str) -> Controlled:
        wished = Wished(
            execution_id=run.id,
            tenant_id=run.tenant_id,
            wish=wish,
            by=self._caller.user_id,
            note=reason,
        )
        return await self._tell(run, WISH, wished, new_id("up"))

    async def steer(self, run: Run, body: SteerBody) -> Controlled:
        message = Steer(
            execution_id=run.id,
            tenant_id=run.tenant_id,
            id=body.message_id or new_id("up"),
            text=body.message,
            by=self._caller.user_id,
            nodes=(body.node,) if body.node else (),
        )
        return await self._tell(run, STEER, message, f"{STEER}/{message.id}")

    async def _tell(self, run: Run, name: str, what: Wished | Steer, update_id: str) -> Controlled:
        if run.status.is_final:
            raise RunFinished(run.id, run.status)
        try:
            await update(self._temporal, run.tenant_id, run.id, name, what, update_id)
        except NotTaken as refused:
            if (kind := _REFUSALS.get(refused.code)) is not None:
                raise kind(refused.message) from refused
            raise RunFinished(run.id, (await self._now(run)).status) from refused
        return Controlled.of(await self._now(run))

    async def _now(self, run: Run) -> Run:
        return await self._mine.read(lambda db: db.runs.get(run.id))


Controls = Annotated[Control, Depends()]
_NO_REASON, _AS_IT_WAS = ControlBody(), RetryBody()


@router.post("/{execution_id}/pause", responses=responses(AlreadyPaused, *_ASKING))
async def pause(run: OwnRun, control: Controls, body: ControlBody = _NO_REASON) -> Controlled:
    """Have a run begin nothing more. The steps under way finish; then it waits, and holds no worker."""
    return await control.wish(run, "pause", body.reason)


@router.post("/{execution_id}/resume", responses=responses(NotPaused, *_ASKING))
async def resume(run: OwnRun, control: Controls, body: ControlBody = _NO_REASON) -> Controlled:
    """Let a paused run go on where it was."""
    return await control.wish(run, None, body.reason)


@router.post("/{execution_id}/interrupt", status_code=202, responses=responses(*_ASKING))
async def interrupt(run: OwnRun, control: Controls, body: ControlBody = _NO_REASON) -> Controlled:
    """End a run after the steps under way, as `cancelled` with the code `interrupted`.

    It keeps what it has come to, and can be taken up again: see `retry`.
    """
    return await control.wish(run, "stop", body.reason)


@router.post(
    "/{execution_id}/steer",
    status_code=202,
    responses=responses(NothingToSteer, TooManyMessages, Rejected, *_ASKING),
)
async def steer(run: OwnRun, body: SteerBody, control: Controls) -> Controlled:
    """Say something to the skills at work. They take it in before their next turn.

    A skill that is just done takes it in as well, and answers anew. The event `steered` tells when.
    """
    if run.mode is RunMode.REPLAY:
        raise Rejected("A replay plays what is on record, so nobody can tell it anything.")
    return await control.steer(run, body)


@router.post(
    "/{execution_id}/retry",
    status_code=202,
    responses=responses(
        ExecutionNotFound,
        RunNotFinished,
        RunNotRetried,
        BudgetNotRaised,
        IdempotencyConflict,
        TemporalUnavailable,
    ),
)
async def retry(
    run: OwnRun,
    caller: Caller,
    launch: Launching,
    body: RetryBody = _AS_IT_WAS,
    idempotency_key: IdempotencyHeader = None,
) -> Controlled:
    """Take a run that failed, timed out or was stopped up again, where it was, under its own id.

    Skills that are done keep what they gave. The others go on after what is on record of them: no call
    that went well is made again or paid for again. Their limits of turns and time count anew.
    """
    if body.budget_usd is not None:
        refuse_unpermitted(caller, Permission.BUDGETS)
    wanted = Retry(caller.user_id, body.in_doubt, body.budget_usd, idempotency_key)
    return Controlled.of(await launch.retry(run, wanted))
