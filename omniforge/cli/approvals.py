"""`omniforge approvals`."""

from enum import StrEnum
from typing import Annotated

import typer

from omniforge.cli.agents import Cursor, Limit
from omniforge.cli.session import Session, on_platform

app = typer.Typer(no_args_is_help=True, help="Questions that runs ask people.")


class Verdict(StrEnum):
    HAPPENED = "happened"
    RESEND = "resend"
    SKIP = "skip"


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
        ("ID", "RUN", "SKILL", "DECISION", "QUESTION"),
        [(one.id, one.execution_id, one.node, one.decision or "-", one.question) for one in page],
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
        Verdict, typer.Argument(help="It happened; send it again; or go on without it.")
    ],
    reason: Annotated[str, typer.Option(help="Kept with the decision.")] = "",
) -> None:
    """Decide an effect in doubt. Its run goes on at once."""
    from omniforge.journal.ports import Decision

    decided = await session.client.approvals.decide(approval, Decision(decision), reason=reason)
    if session.out.as_json:
        session.out.document(decided)
        return
    session.out.facts([("id", decided.id), ("decision", decided.decision)])
    session.out.note(f"Watch it go on: omniforge runs watch {decided.execution_id}")
