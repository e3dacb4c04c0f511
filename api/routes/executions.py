"""Runs: start, follow, read, cancel."""

from collections.abc import AsyncIterator, Sequence
from typing import Annotated

from fastapi import APIRouter, Depends, Header, Request, Response
from fastapi.sse import EventSourceResponse, ServerSentEvent
from temporalio.service import RPCError, RPCStatusCode

from api.dependencies import (
    AllData,
    Caller,
    Cursor,
    IdempotencyHeader,
    Limit,
    Mine,
    OwnAgent,
    OwnRun,
    Temporal,
)
from api.errors import responses
from api.launch import Launching, Order, stored
from api.schemas.runs import (
    ArtifactList,
    Execution,
    ExecutionList,
    RunAccepted,
    RunRequest,
    StepBody,
    StepList,
)
from api.sse import tail
from omniforge.agents.modes import Terms
from omniforge.agents.runs import Run, RunStatus
from omniforge.client import models
from omniforge.errors import (
    AgentNotActive,
    AgentNotFound,
    ArtifactNotFound,
    ExecutionNotFound,
    IdempotencyConflict,
    Rejected,
    RunFinished,
    SkillInvalid,
    TemporalUnavailable,
    Unauthenticated,
)
from omniforge.store.bell import Bell
from workflows.attributes import run_workflow_id
from workflows.wire import web_ui_link

router = APIRouter(prefix="/api/v1", tags=["runs"], responses=responses(Unauthenticated))


def _bell(request: Request) -> Bell:
    bell: Bell = request.app.state.bell
    return bell


class Telling:
    """What is told of runs beside their rows: their pages in Temporal's Web UI, their places in the queue,
    what they wait for."""

    def __init__(self, request: Request, mine: Mine) -> None:
        self._mine = mine
        self._ui = request.app.state.temporal_ui_url
        self._namespace = request.app.state.temporal.namespace

    async def of(self, run: Run) -> Execution:
        (execution,) = await self.of_all([run])
        return execution

    async def of_all(self, runs: Sequence[Run]) -> list[Execution]:
        queued = [run.id for run in runs if run.status is RunStatus.QUEUED]
        positions = (
            await self._mine.read(lambda db: db.admission.positions(queued)) if queued else {}
        )
        waiting = [run.id for run in runs if run.status is RunStatus.WAITING]
        waits = await self._mine.read(lambda db: db.waits.of(waiting)) if waiting else {}
        return [
            Execution.of(run, self._page(run), positions.get(run.id), waits.get(run.id, ()))
            for run in runs
        ]

    def _page(self, run: Run) -> str:
        workflow_id = run_workflow_id(run.tenant_id, run.id)
        return web_ui_link(self._ui, self._namespace, workflow_id)


Told = Annotated[Telling, Depends()]


@router.post(
    "/agents/{agent_id}/run",
    status_code=202,
    responses=responses(
        AgentNotFound, AgentNotActive, IdempotencyConflict, SkillInvalid, TemporalUnavailable
    ),
)
async def run_agent(
    agent: OwnAgent,
    body: RunRequest,
    caller: Caller,
    store: AllData,
    launch: Launching,
    idempotency_key: IdempotencyHeader = None,
) -> RunAccepted:
    """Start a run and return once it cannot be lost. Follow it on its event stream.

    With an `Idempotency-Key`, repeating the request answers with the run of the first time. While the
    workspace has as many runs under way as it may, the run is `queued`, the interactive ones first.
    """
    files = await stored(body.files, store.blobs)
    terms = Terms(budget=body.budget_terms)
    order = Order(body.input_data, files, idempotency_key, terms=terms, priority=body.priority)
    run = await launch.start(agent, order, caller)
    return RunAccepted(execution_id=run.id, status=run.status)


@router.get("/agents/{agent_id}/executions", responses=responses(AgentNotFound))
async def list_runs_of_agent(
    agent: OwnAgent,
    mine: Mine,
    told: Told,
    limit: Limit = 50,
    cursor: Cursor = None,
    status: RunStatus | None = None,
) -> ExecutionList:
    """The runs of one agent, newest first."""
    page = await mine.read(lambda db: db.runs.page(limit, cursor, agent.id, status))
    return ExecutionList(executions=await told.of_all(page.items), next_cursor=page.next_cursor)


@router.get("/executions")
async def list_runs(
    mine: Mine,
    told: Told,
    limit: Limit = 50,
    cursor: Cursor = None,
    status: RunStatus | None = None,
) -> ExecutionList:
    """All runs of the workspace, newest first."""
    page = await mine.read(lambda db: db.runs.page(limit, cursor, None, status))
    return ExecutionList(executions=await told.of_all(page.items), next_cursor=page.next_cursor)


@router.get("/executions/{execution_id}", responses=responses(ExecutionNotFound))
async def get_run(run: OwnRun, told: Told) -> Execution:
    """One run, with what each of its skills came to."""
    return await told.of(run)


@router.get("/executions/{execution_id}/steps", responses=responses(ExecutionNotFound))
async def get_steps(run: OwnRun, mine: Mine) -> StepList:
    """The journal of a run: every model call and tool call, once."""
    steps = await mine.read(lambda db: db.runs.steps(run.id))
    return StepList(steps=[StepBody.of(node, step) for node, step in steps])


@router.get(
    "/executions/{execution_id}/events",
    response_class=EventSourceResponse,
    responses=responses(ExecutionNotFound, Rejected),
)
async def watch_run(
    run: OwnRun,
    mine: Mine,
    bell: Annotated[Bell, Depends(_bell)],
    last_event_id: Annotated[str | None, Header()] = None,
) -> AsyncIterator[ServerSentEvent]:
    """What happens in a run, as it happens, and again from the start for those who come later.

    The stream ends after the event `run_finished`. With `Last-Event-ID` it goes on after that event.
    """
    after = int(last_event_id) if last_event_id and last_event_id.isdigit() else 0
    async for event in tail(mine, bell, run.id, after):
        yield event


@router.get("/executions/{execution_id}/artifacts", responses=responses(ExecutionNotFound))
async def list_artifacts(run: OwnRun, mine: Mine) -> ArtifactList:
    """The files of a run, as its skills left them."""
    files = await mine.read(lambda db: db.runs.files(run.id))
    return ArtifactList(
        artifacts=[
            models.Artifact(path=path, digest=digest) for path, digest in sorted(files.items())
        ]
    )


@router.get(
    "/executions/{execution_id}/artifacts/{path:path}",
    response_class=Response,
    responses=responses(ExecutionNotFound, ArtifactNotFound),
)
async def get_artifact(path: str, run: OwnRun, mine: Mine, store: AllData) -> Response:
    """The bytes of one file. Always a download: a run's files are never rendered as ours."""
    files = await mine.read(lambda db: db.runs.files(run.id))
    if path not in files:
        raise ArtifactNotFound(path)
    return Response(
        await store.blobs.get(files[path]),
        media_type="application/octet-stream",
        headers={"Content-Disposition": "attachment", "X-Content-Type-Options": "nosniff"},
    )


@router.post(
    "/executions/{execution_id}/cancel",
    status_code=202,
    responses=responses(ExecutionNotFound, RunFinished, TemporalUnavailable),
)
async def cancel_run(run: OwnRun, temporal: Temporal) -> RunAccepted:
    """Ask a run to stop. It ends as `cancelled` and keeps what it has recorded."""
    if run.status.is_final:
        raise RunFinished(run.id, run.status)
    handle = temporal.get_workflow_handle(run_workflow_id(run.tenant_id, run.id))
    try:
        await handle.cancel()
    except (RPCError, RuntimeError) as error:
        if isinstance(error, RPCError) and error.status is RPCStatusCode.NOT_FOUND:
            raise RunFinished(run.id, run.status) from error
        raise TemporalUnavailable(
            "The Temporal server does not answer. Try again shortly."
        ) from error
    return RunAccepted(execution_id=run.id, status=run.status)
