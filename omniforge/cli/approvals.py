"""`omniforge approvals`, and the same right where a run is watched."""

import json
from collections.abc import Iterator
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from omniforge.cli.agents import Cursor, Limit
from omniforge.cli.session import Session, json_object, on_platform

if TYPE_CHECKING:
    from datetime import datetime

    from omniforge.client.models import Approval
    from omniforge.journal.events import EventBody
    from omniforge.journal.ports import Decision

app = typer.Typer(no_args_is_help=True, help="Questions that runs ask people.")

_LATER = "later"
_UNITS = (("d", 86_400), ("h", 3_600), ("min", 60), ("s", 1))


class Verdict(StrEnum):
    HAPPENED = "happened"
    RESEND = "resend"
    SKIP = "skip"
    APPROVE = "approve"
    EDIT = "edit"
    REJECT = "reject"
    ASK = "ask"
    ANSWER = "answer"


class Kind(StrEnum):
    EFFECT = "effect"
    TOOL_CALL = "tool_call"
    INPUT = "input"


ApprovalId = Annotated[str, typer.Argument(metavar="APPROVAL", help="Its id.")]


@app.command("list")
@on_platform
async def list_approvals(
    session: Session,
    every: Annotated[bool, typer.Option("--all", help="Decided ones, too.")] = False,
    overdue: Annotated[
        bool, typer.Option("--overdue", help="Only what people were reminded of, or called to.")
    ] = False,
    mine: Annotated[bool, typer.Option("--mine", help="Only what you were called to.")] = False,
    run: Annotated[str | None, typer.Option(help="Only those of this run.")] = None,
    agent: Annotated[str | None, typer.Option(help="Only of this one's runs (id or name).")] = None,
    kind: Annotated[Kind | None, typer.Option(help="Only these.")] = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> None:
    """What runs wait for people to decide, newest first."""
    page = await session.client.approvals.list(
        open_only=not every,
        overdue=overdue,
        escalated_to_me=mine,
        execution_id=run,
        agent_id=None if agent is None else (await session.client.agents.find(agent)).id,
        kind=None if kind is None else kind.value,
        limit=limit,
        cursor=cursor,
    )
    if session.out.as_json:
        session.out.document({"approvals": page.items, "next_cursor": page.next_cursor})
        return
    columns = ("ID", "RUN", "AGENT", "SKILL", "KIND", "AGE", "DECISION", "QUESTION")
    session.out.table(columns, [_row(one) for one in page])
    if not page:
        is_narrow = every or overdue or mine or run or agent or kind
        session.out.note("None is like that." if is_narrow else "Nothing waits for a decision.")
    if page.next_cursor:
        session.out.note(f"There are more: --cursor {page.next_cursor}")


@app.command()
@on_platform
async def show(session: Session, approval: ApprovalId) -> None:
    """One approval: what would be called, what the model says, and what was said before."""
    found = await session.client.approvals.get(approval)
    if session.out.as_json:
        session.out.document(found)
        return
    _tell(session, found)
    for earlier in found.thread:
        session.out.note(
            f"Before: {_asked(earlier)}\n  {earlier.decided_by}: {earlier.note} ({earlier.id})"
        )
    if found.decision is None:
        session.out.note(f"Decide: {command(found.id, found.kind)}")


@app.command()
@on_platform
async def decide(
    session: Session,
    approval: ApprovalId,
    decision: Annotated[
        Verdict,
        typer.Argument(
            help="An effect: happened, resend or skip. A tool call: approve, edit with --arguments, reject"
            " or ask, both with --reason. A question: answer, with --reason."
        ),
    ],
    reason: Annotated[
        str,
        typer.Option(
            help="Kept with the decision. The model is told it: why not, what you want to know, or the"
            " answer itself."
        ),
    ] = "",
    arguments: Annotated[
        dict[str, Any] | None,
        typer.Option(
            metavar="JSON|@FILE",
            parser=json_object,
            help="All arguments with which an edited call is made.",
        ),
    ] = None,
) -> None:
    """Decide what a run waits for. The run goes on at once."""
    from omniforge.journal.ports import Decision

    decided = await session.client.approvals.decide(
        approval, Decision(decision), reason=reason, arguments=arguments
    )
    if session.out.as_json:
        session.out.document(decided)
        return
    session.out.facts([("id", decided.id), ("decision", decided.decision)])
    session.out.note(f"Watch it go on: omniforge runs watch {decided.execution_id}")


# ---- while a run is watched --------------------------------------------------------------------


async def offer_to_decide(session: Session, told: "EventBody") -> None:
    """Ask the person who watches a run what it asks people, if there is one."""
    from omniforge.journal.events import SkillWaiting
    from omniforge.journal.ports import APPROVAL_KINDS

    if not isinstance(told, SkillWaiting) or not session.out.can_ask:
        return
    for wait in told.waits:
        if wait.kind in APPROVAL_KINDS:
            await _offer(session, wait.id)


async def _offer(session: Session, approval_id: str) -> None:
    from omniforge.errors import OmniForgeError
    from omniforge.journal.ports import DECISIONS, Decision

    approval = await session.client.approvals.get(approval_id)
    run = await session.client.runs.get(approval.execution_id)
    if approval.decision is not None or run.status.is_final:
        return
    _tell(session, approval)
    while True:
        chosen = _chosen([*DECISIONS[approval.kind], _LATER])
        if chosen == _LATER:
            session.out.note(f"Later: {command(approval.id, approval.kind)}")
            return
        decision = Decision(chosen)
        arguments = _edited(approval.arguments) if decision is Decision.EDIT else None
        reason = _reason(decision)
        try:
            await session.client.approvals.decide(
                approval.id, decision, reason=reason, arguments=arguments
            )
        except OmniForgeError as error:
            session.out.note(error.message)
            if error.code in {"rejected", "edit_refused"}:
                continue
        return


def _chosen(words: list[str]) -> str:
    def known(word: str) -> str:
        if word not in words:
            raise typer.BadParameter(f"it is one of {', '.join(words)}")
        return word

    return str(_prompt(f"Decide ({', '.join(words)})", default=_LATER, value_proc=known))


def _reason(decision: "Decision") -> str:
    from omniforge.journal.ports import Decision

    asked = {
        Decision.ASK: "What do you want to know",
        Decision.ANSWER: "Your answer",
        Decision.REJECT: "Why not (the model is told)",
        Decision.EDIT: "Why (the model is told)",
    }
    if decision not in asked:
        return ""
    is_needed = decision in {Decision.ASK, Decision.ANSWER}
    return str(_prompt(asked[decision], default=None if is_needed else "", show_default=False))


def _edited(arguments: Any) -> dict[str, Any]:
    now = json.dumps(arguments, ensure_ascii=False)
    edited: dict[str, Any] = _prompt("Arguments", default=now, value_proc=json_object)
    return edited


def _prompt(text: str, **how: Any) -> Any:
    try:
        return typer.prompt(text, err=True, **how)
    except typer.Abort:
        raise KeyboardInterrupt from None


# ---- words -------------------------------------------------------------------------------------


def command(approval_id: str, kind: str) -> str:
    """How to decide an approval of a kind."""
    from omniforge.journal.ports import DECISIONS

    decisions = next((words for known, words in DECISIONS.items() if known == kind), ())
    return f"omniforge approvals decide {approval_id} {'|'.join(decisions)}"


def _tell(session: Session, approval: "Approval") -> None:
    session.out.facts(list(_facts(approval)))


def _facts(approval: "Approval") -> Iterator[tuple[str, object]]:
    yield "id", approval.id
    yield "run", approval.execution_id
    yield "agent", approval.agent_name
    yield "skill", approval.node
    yield "question", approval.question
    yield "tool", approval.tool if approval.kind != "input" else ""
    if approval.kind != "input":
        yield "arguments", _as_json(approval.arguments)
    yield "the model says", approval.said
    yield "follows", approval.follows
    yield "waits since", f"{_moment(approval.created_at)} ({_age(approval.age_s)})"
    if approval.decision is None:
        yield "reminds", _moment(approval.remind_at)
        yield "escalates", _moment(approval.escalate_at)
        yield "gives up", _moment(approval.gives_up_at)
    yield "escalated to", approval.escalated_to
    yield "decision", approval.decision
    yield "decided by", approval.decided_by
    yield "made with", _as_json(approval.edited_arguments) if approval.decision == "edit" else ""
    yield "reason", approval.note


def _row(approval: "Approval") -> tuple[object, ...]:
    return (
        approval.id,
        approval.execution_id,
        approval.agent_name,
        approval.node,
        approval.kind,
        _age(approval.age_s),
        approval.decision or "-",
        _asked(approval),
    )


def _asked(approval: "Approval") -> str:
    """The question, and what exactly would be called."""
    if approval.kind == "input":
        return approval.question
    return f"{approval.question} {approval.tool} {_as_json(approval.arguments)}"


def _as_json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def _moment(at: "datetime | None") -> str:
    return "" if at is None else f"{at:%Y-%m-%d %H:%M:%S} UTC"


def _age(seconds: float) -> str:
    name, size = next((unit for unit in _UNITS if seconds >= unit[1]), _UNITS[-1])
    return f"{int(seconds // size)} {name}"
