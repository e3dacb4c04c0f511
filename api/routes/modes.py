"""Tests of agents; earlier runs, played again or gone on from."""

from collections.abc import Mapping

from fastapi import APIRouter

from api.dependencies import AllData, Caller, IdempotencyHeader, Mine, OwnAgent, OwnRun
from api.errors import responses
from api.launch import Launching, Order, stored
from api.schemas.modes import ComparisonBody, ForkRequest, HeldBody, HeldList, TestRequest
from api.schemas.runs import RunAccepted
from omniforge.agents.config import AgentConfig
from omniforge.agents.modes import NodeChange, RunMode, Terms
from omniforge.agents.runs import Run
from omniforge.errors import (
    AgentNotActive,
    AgentNotFound,
    ExecutionNotFound,
    IdempotencyConflict,
    RecordUnusable,
    Rejected,
    RunNotFinished,
    SkillInvalid,
    TemporalUnavailable,
    Unauthenticated,
)
from omniforge.journal.blobs import BlobStore, Manifest, put_folder
from omniforge.skills.archive import from_json
from omniforge.skills.parser import SkillParser
from omniforge.store.store import Repositories, TenantStore

router = APIRouter(prefix="/api/v1", tags=["tests"], responses=responses(Unauthenticated))

_STARTING = (AgentNotActive, IdempotencyConflict, TemporalUnavailable)


@router.post(
    "/agents/{agent_id}/test",
    status_code=202,
    responses=responses(AgentNotFound, ExecutionNotFound, Rejected, SkillInvalid, *_STARTING),
)
async def try_out(
    agent: OwnAgent,
    body: TestRequest,
    caller: Caller,
    store: AllData,
    mine: Mine,
    launch: Launching,
    idempotency_key: IdempotencyHeader = None,
) -> RunAccepted:
    """Try an agent out. A test is followed like any run, and counts in no figure of the agent."""
    is_rehearsal = body.mode is RunMode.DRY_RUN
    if not is_rehearsal and (body.answers or body.answers_of):
        raise Rejected(
            "An integration test calls the tools themselves; `answers` are for a dry run."
        )
    if body.answers_of is not None:
        earlier = body.answers_of
        await mine.read(lambda db: db.runs.get(earlier))
    terms = Terms(is_rehearsal=is_rehearsal, answers=body.answers, answers_of=body.answers_of)
    files = await stored(body.files, store.blobs)
    order = Order(body.input_data, files, idempotency_key, body.mode, terms=terms)
    run = await launch.start(agent, order, caller)
    return RunAccepted(execution_id=run.id, status=run.status)


@router.get("/executions/{execution_id}/held", responses=responses(ExecutionNotFound))
async def list_held(run: OwnRun, mine: Mine) -> HeldList:
    """The calls that a dry run held back, each with exactly what would have been sent."""
    if not run.terms.is_rehearsal:
        return HeldList(held=[])
    steps = await mine.read(lambda db: db.runs.steps(run.id))
    held = [HeldBody.of(node, step) for node, step in steps if step.effect_class is not None]
    return HeldList(held=held)


@router.post(
    "/executions/{execution_id}/replay",
    status_code=202,
    responses=responses(ExecutionNotFound, RunNotFinished, RecordUnusable, *_STARTING),
)
async def replay_run(
    run: OwnRun,
    caller: Caller,
    mine: Mine,
    launch: Launching,
    idempotency_key: IdempotencyHeader = None,
) -> RunAccepted:
    """Play a run again from its record: no model and no tool is called, and nothing is sent or spent.

    `/executions/{id}/comparison` says whether the replay did the same.
    """

    def look(db: Repositories) -> tuple[AgentConfig, Manifest]:
        db.recordings.refuse_unfinished(run)
        return db.agents.get(run.agent_id), db.recordings.given_files(run.id)

    agent, files = await mine.read(look)
    order = _order(run, files, idempotency_key, RunMode.REPLAY, run.terms)
    replay = await launch.start(agent, order, caller)
    return RunAccepted(execution_id=replay.id, status=replay.status)


@router.post(
    "/executions/{execution_id}/fork",
    status_code=202,
    responses=responses(
        ExecutionNotFound, RunNotFinished, RecordUnusable, SkillInvalid, *_STARTING
    ),
)
async def fork_run(
    run: OwnRun,
    body: ForkRequest,
    caller: Caller,
    store: AllData,
    mine: Mine,
    launch: Launching,
    idempotency_key: IdempotencyHeader = None,
) -> RunAccepted:
    """Play a run up to a step of one of its skills, and go on from there with what is changed.

    Effects before that step are not repeated; those after it are done. A fork of a dry run is one.
    """
    changes = await _changes(body, await _skill_names(run, mine), store.blobs)

    def look(db: Repositories) -> tuple[AgentConfig, Manifest, Terms]:
        terms = db.recordings.forked(run, body.node, body.step, changes)
        return db.agents.get(run.agent_id), db.recordings.given_files(run.id), terms

    agent, files, terms = await mine.read(look)
    order = _order(run, files, idempotency_key, RunMode.FORK, terms)
    fork = await launch.start(agent, order, caller)
    return RunAccepted(execution_id=fork.id, status=fork.status)


@router.get(
    "/executions/{execution_id}/comparison",
    responses=responses(ExecutionNotFound, RunNotFinished, RecordUnusable),
)
async def compare_run(run: OwnRun, mine: Mine) -> ComparisonBody:
    """Whether a replay or a fork did the same as the run it comes from, and where first it did not."""
    if run.source_id is None:
        raise RecordUnusable(f"Execution {run.id!r} comes from no other run to compare it with.")
    source_id = run.source_id
    difference = await mine.read(lambda db: db.recordings.difference(run, source_id))
    return ComparisonBody(
        execution_id=run.id,
        source_id=source_id,
        identical=difference is None,
        difference=difference,
    )


def _order(run: Run, files: Manifest, key: str | None, mode: RunMode, terms: Terms) -> Order:
    """A run like an earlier one: of the same version, on the same input and files."""
    return Order(run.input_data, files, key, mode, run.id, terms, run.agent_version)


async def _skill_names(run: Run, mine: TenantStore) -> dict[str, str]:
    """What the skills of a run are called, by their ids."""
    number = run.agent_version
    if number is None:
        return {}
    version = await mine.read(lambda db: db.agents.version(run.agent_id, number))
    return {skill.reference.id: skill.reference.name for skill in version.skills}


async def _changes(
    body: ForkRequest, names: Mapping[str, str], blobs: BlobStore
) -> dict[str, NodeChange]:
    """What a fork changes, by skill. New texts are checked and kept under their content hashes."""
    own = NodeChange(
        model=body.model, input=body.input_data, files=dict(await stored(body.files, blobs))
    )
    changes = {body.node: own} if own != NodeChange() else {}
    for node, text in body.skills.items():
        if node not in names:
            raise RecordUnusable(f"The run has no skill {node!r}. It has: {', '.join(names)}.")
        skill = SkillParser().parse(from_json(text.files), names[node])
        content_hash = await put_folder(blobs, skill.files)
        changed = changes.get(node, NodeChange())
        changes[node] = changed.then(NodeChange(content_hash=content_hash))
    return changes
