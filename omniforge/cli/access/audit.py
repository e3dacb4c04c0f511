"""`omniforge audit`."""

from datetime import UTC, datetime
from typing import Annotated

import typer

from omniforge.cli.agents import Cursor, Limit
from omniforge.cli.session import Session, on_platform


@on_platform
async def audit(
    session: Session,
    action: Annotated[
        str | None, typer.Option(help="Only this kind of act, such as key.created.")
    ] = None,
    actor: Annotated[str | None, typer.Option(metavar="USER", help="Only of this user.")] = None,
    subject: Annotated[
        str | None, typer.Option("--on", metavar="ID", help="Only on this key, agent, ...")
    ] = None,
    since: Annotated[
        datetime | None, typer.Option(formats=["%Y-%m-%d"], metavar="DAY", help="From this day on.")
    ] = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> None:
    """Who did what to the workspace's security, and from where, newest first."""
    page = await session.client.audit.list(
        action=action,
        actor=actor,
        subject=subject,
        since=since and since.replace(tzinfo=UTC),
        limit=limit,
        cursor=cursor,
    )
    if session.out.as_json:
        session.out.document({"entries": page.items, "next_cursor": page.next_cursor})
        return
    session.out.table(
        ("AT", "WHO", "FROM", "WHAT", "ON", "OUTCOME"),
        [
            (
                f"{one.created_at:%Y-%m-%d %H:%M:%S}",
                one.actor,
                one.address or "-",
                one.action,
                one.subject,
                one.outcome,
            )
            for one in page
        ],
    )
    if page.next_cursor:
        session.out.note(f"There are more: --cursor {page.next_cursor}")
