"""`omniforge approvals`."""

import json
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from omniforge.cli.agents import Cursor, Limit
from omniforge.cli.session import Session, on_platform

if TYPE_CHECKING:
    from omniforge.client.models import Approval

app = typer.Typer(no_args_is_help=True, help="Questions that runs ask people.")


class Verdict(StrEnum):
    HAPPENED = "happened"
    RESEND = "resend"
    SKIP = "skip"
    APPROVE = "approve"
    REJECT = "reject"
    ANSWER = "answer"


@app.command("list")
@on_platform
async def list_approvals(
    session: Session,
    every: Annotated[bool, typer.Option("--all", help="Decided ones, too.")] = False,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> None:
    """What runs wait for, newest first."""
    page = await session.client.approvals.list(open_only=not every, limit=limit, cursor=cursor)
    if session.out.as_json:
        session.out.document({"approvals": page.items, "next_cursor": page.next_cursor})
        return
    session.out.table(
        ("ID", "RUN", "SKILL", "KIND", "DECISION", "QUESTION"),
        [
            (one.id, one.execution_id, one.node, one.kind, one.decision or "-", _asked(one))
            for one in page
        ],
    )
    if not page:
        session.out.note("Nothing waits for a decision.")
    if page.next_cursor:
        session.out.note(f"There are more: --cursor {page.next_cursor}")


@app.command()
@on_platform
async def decide(
    session: Session,
    approval: Annotated[str, typer.Argument(metavar="APPROVAL", help="Its id.")],
    decision: Annotated[
        Verdict,
        typer.Argument(
            help="An effect: happened, resend or skip. A tool call: approve or reject. A question:"
            " answer, with --reason."
        ),
    ],
    reason: Annotated[
        str, typer.Option(help="Kept with the decision; to a question, the answer itself.")
    ] = "",
) -> None:
    """Decide what a run waits for. The run goes on at once."""
    from omniforge.journal.ports import Decision

    decided = await session.client.approvals.decide(approval, Decision(decision), reason=reason)
    if session.out.as_json:
        session.out.document(decided)
        return
    session.out.facts([("id", decided.id), ("decision", decided.decision)])
    session.out.note(f"Watch it go on: omniforge runs watch {decided.execution_id}")


def _asked(approval: "Approval") -> str:
    """The question, and what exactly would be called."""
    if approval.kind == "input":
        return approval.question
    return f"{approval.question} {approval.tool} {json.dumps(approval.arguments)}"
