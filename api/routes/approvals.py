"""Questions that runs ask people, and the answers."""

import asyncio
import contextlib
import json
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query

from activities.payloads import Decided
from api.dependencies import AllData, Audited, Caller, Cursor, Limit, Mine, OwnRun, Temporal
from api.errors import responses
from api.schemas.approvals import AnswerBody, ApprovalList, ApprovalThread, DecisionBody
from api.updates import UPDATE_TIMEOUT, NotTaken, no_answer, update
from omniforge.agents.permissions import Action
from omniforge.errors import (
    AlreadyDecided,
    ApprovalNotFound,
    EditRefused,
    ExecutionNotFound,
    Observation,
    Rejected,
    RunFinished,
    TemporalUnavailable,
    Unauthenticated,
)
from omniforge.execution.loop.policy import CallPolicy
from omniforge.journal.blobs import BlobStore
from omniforge.journal.ports import DECISIONS, ApprovalKind, Decision, Verdict
from omniforge.journal.steps import as_recorded, is_nested_too_deep
from omniforge.skills.allowed_tools import AllowedTools
from omniforge.skills.pinned import PinnedSkills
from omniforge.store.approvals import Approval, Wanted
from omniforge.store.audit import Act
from omniforge.store.store import TenantStore
from omniforge.tools.schema import ArgumentSchema
from workflows.attributes import DECIDE

router = APIRouter(prefix="/api/v1", tags=["approvals"], responses=responses(Unauthenticated))

# For a run that has not heard of its question yet: milliseconds, or the time to replace its worker.
UNHEARD_PAUSE = 0.2
# Characters of JSON. More than people edit, and far below what travels through Temporal at once.
MAX_EDIT = 200_000

# What the words of a decision are for; without them it says nothing.
_WORDS = {Decision.ASK: "what you want to know", Decision.ANSWER: "the answer"}


class Deciding:
    """Hands decisions to the runs that wait for them."""

    def __init__(self, mine: Mine, audited: Audited, temporal: Temporal, store: AllData) -> None:
        self._mine, self._audited, self._temporal = mine, audited, temporal
        self._caller = audited.caller
        self._blobs = store.blobs

    async def decide(
        self, approval: Approval, decision: Decision, words: str, arguments: Any = None
    ) -> Approval:
        """Decide once. The same decision by the same person again is answered as the first time."""
        if is_nested_too_deep(arguments):
            raise EditRefused("The arguments are nested too deep.")
        verdict = Verdict(decision, self._caller.user_id, words, as_recorded(arguments))
        if not await self._counts(approval.id, verdict):
            await self._make(approval, verdict)
        approval = await self._mine.read(lambda db: db.approvals.get(approval.id))
        # Updates are one per approval: who comes second gets the outcome of the first.
        if approval.verdict != verdict:
            raise approval.refusal()
        return approval

    async def _make(self, approval: Approval, verdict: Verdict) -> None:
        _refuse_unfit(approval, verdict)
        if verdict.decision is Decision.EDIT:
            await _refuse_edit(self._mine, self._blobs, approval, verdict.arguments)
        decided = Decided(
            tenant_id=self._caller.tenant_id,
            approval_id=approval.id,
            decision=verdict.decision,
            decided_by=verdict.by,
            note=verdict.note,
            arguments=verdict.arguments,
        )
        try:
            async with asyncio.timeout(UPDATE_TIMEOUT):
                await self._tell(approval.execution_id, decided, verdict)
        except TimeoutError as error:
            raise no_answer() from error
        await self._audited.note(
            Act.APPROVAL_DECIDED, approval.id, decision=verdict.decision, tool=approval.tool
        )

    async def _tell(self, execution_id: str, decided: Decided, verdict: Verdict) -> None:
        """Hand it over. A run hears of its own question a moment after people can see it."""
        run = (self._temporal, decided.tenant_id, execution_id)
        while True:
            with contextlib.suppress(NotTaken):
                await update(*run, DECIDE, decided, decided.approval_id)
                return
            # It does not know the question yet, or has ended, perhaps with this very decision.
            if await self._counts(decided.approval_id, verdict):
                return
            await asyncio.sleep(UNHEARD_PAUSE)

    async def _counts(self, approval_id: str, verdict: Verdict) -> bool:
        """Whether this very decision has been made.

        Raises:
            AlreadyDecided: It says who decided, when and how.
            RunFinished: Nobody needs the decision any more.
        """
        approval = await self._mine.read(lambda db: db.approvals.get(approval_id))
        if approval.decision is not None and approval.verdict != verdict:
            raise approval.refusal()
        if approval.decision is not None:
            return True
        run = await self._mine.read(lambda db: db.runs.get(approval.execution_id))
        if run.status.is_final:
            raise RunFinished(run.id, run.status)
        return False


ByCaller = Annotated[Deciding, Depends()]


def _wanted(
    caller: Caller,
    is_open: Annotated[bool, Query(alias="open", description="Only undecided ones.")] = True,
    overdue: Annotated[
        bool, Query(description="Only those that people were reminded of, or that were escalated.")
    ] = False,
    escalated_to_me: Annotated[bool, Query(description="Only those that I was called to.")] = False,
    execution_id: Annotated[str | None, Query(description="Only those of this run.")] = None,
    agent_id: Annotated[str | None, Query(description="Only those of this agent's runs.")] = None,
    kind: ApprovalKind | None = None,
) -> Wanted:
    return Wanted(
        is_open=is_open,
        is_overdue=overdue,
        escalated_to=caller.user_id if escalated_to_me else None,
        execution_id=execution_id,
        agent_id=agent_id,
        kind=kind,
    )


@router.get("/approvals")
async def list_approvals(
    mine: Mine,
    wanted: Annotated[Wanted, Depends(_wanted)],
    limit: Limit = 50,
    cursor: Cursor = None,
) -> ApprovalList:
    """What runs wait for people to decide, newest first."""
    page = await mine.read(lambda db: db.approvals.page(limit, cursor, wanted))
    return ApprovalList(approvals=page.items, next_cursor=page.next_cursor)


@router.get("/approvals/{approval_id}", responses=responses(ApprovalNotFound))
async def get_approval(approval_id: str, mine: Mine) -> ApprovalThread:
    """One approval, with the questions and answers that led to it."""

    def found(approval: Approval, thread: list[Approval]) -> ApprovalThread:
        return ApprovalThread(**approval.model_dump(), thread=thread)

    return await mine.read(
        lambda db: found(one := db.approvals.get(approval_id), db.approvals.thread(one))
    )


@router.post(
    "/approvals/{approval_id}",
    responses=responses(
        ApprovalNotFound, AlreadyDecided, Rejected, EditRefused, RunFinished, TemporalUnavailable
    ),
)
async def decide(approval_id: str, body: DecisionBody, mine: Mine, by_caller: ByCaller) -> Approval:
    """Decide what a run waits for: once, by whoever is first. The run goes on at once."""
    approval = await mine.read(lambda db: db.approvals.get(approval_id))
    return await by_caller.decide(approval, body.decision, body.reason, body.arguments)


@router.post(
    "/executions/{execution_id}/answer",
    responses=responses(
        ExecutionNotFound,
        ApprovalNotFound,
        AlreadyDecided,
        Rejected,
        RunFinished,
        TemporalUnavailable,
    ),
)
async def answer(run: OwnRun, body: AnswerBody, mine: Mine, by_caller: ByCaller) -> Approval:
    """Answer the question that a run asks. The run goes on at once."""
    question = await mine.read(lambda db: db.approvals.question(run.id, body.id))
    return await by_caller.decide(question, Decision.ANSWER, body.answer)


def _refuse_unfit(approval: Approval, verdict: Verdict) -> None:
    """
    Raises:
        Rejected: Such a decision does not decide such a question, or lacks a part.
    """
    if verdict.decision not in DECISIONS[approval.kind]:
        raise Rejected(
            f"{verdict.decision.value!r} does not decide an approval of kind {approval.kind!r}; one of"
            f" {', '.join(DECISIONS[approval.kind])} does."
        )
    if (missing := _WORDS.get(verdict.decision)) and not verdict.note.strip():
        raise Rejected(f"{verdict.decision.value!r} needs {missing}, as `reason`.")
    if (verdict.arguments is not None) != (verdict.decision is Decision.EDIT):
        raise Rejected("`arguments` go with the decision 'edit', and 'edit' goes with `arguments`.")


async def _refuse_edit(
    mine: TenantStore, blobs: BlobStore, approval: Approval, arguments: dict[str, Any]
) -> None:
    """
    Raises:
        EditRefused: The tool does not take these arguments, or its caller may not use them.
    """
    if len(json.dumps(arguments)) > MAX_EDIT:
        raise EditRefused(f"The arguments are longer than {MAX_EDIT:,} characters.")
    schema, brief = await mine.read(
        lambda db: (
            db.approvals.offered(approval),
            db.runs.brief(approval.execution_id, approval.node),
        )
    )
    if schema is None:
        raise EditRefused(
            f"The skill was not given a tool {approval.tool!r}, so no edit can be checked."
        )
    try:
        ArgumentSchema(approval.tool, schema).check(arguments)
    except Observation as problem:
        raise EditRefused(problem.message) from problem
    pinned = brief.skill
    skill = await PinnedSkills(blobs).get(pinned.reference.name, pinned.content_hash)
    policy = CallPolicy(AllowedTools(skill.allowed_tools), brief.version.permissions)
    ruling = policy.ruling(approval.tool, arguments, schema)
    if ruling.action is Action.DENY:
        raise EditRefused(ruling.reason)
