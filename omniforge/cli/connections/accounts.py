"""`omniforge connections`: list, connect, reconnect, add-token, disconnect."""

import asyncio
import sys
from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import typer

from omniforge.cli.agents import Cursor, Limit
from omniforge.cli.session import Session, on_platform

if TYPE_CHECKING:
    from omniforge.client.connections import Connection

app = typer.Typer(no_args_is_help=True, help="Accounts of outside services.")

# A person reads and clicks meanwhile.
POLL = 1.0

ConnectionId = Annotated[
    str, typer.Argument(metavar="CONNECTION", help="The connection's id.", show_default=False)
]
Service = Annotated[
    str, typer.Argument(metavar="SERVICE", help="github, linear, notion or slack, for example.")
]


@app.command("list")
@on_platform
async def list_connections(session: Session, limit: Limit = 50, cursor: Cursor = None) -> None:
    """Your connections; for admins those of the workspace."""
    page = await session.client.connections.list(limit=limit, cursor=cursor)
    if session.out.as_json:
        session.out.document({"connections": page.items, "next_cursor": page.next_cursor})
        return
    session.out.table(
        ("ID", "SERVICE", "ACCOUNT", "STATUS", "OF", "PROBLEM"),
        [
            (one.id, one.integration_id, one.name, one.status, one.user_id, one.problem or "-")
            for one in page
        ],
    )
    if not page:
        session.out.note(
            "No connections yet. Connect an account: omniforge connections connect github"
        )
    if page.next_cursor:
        session.out.note(f"There are more: --cursor {page.next_cursor}")


@app.command()
@on_platform
async def services(session: Session) -> None:
    """What can be connected, and how."""
    found = await session.client.connections.integrations()
    if session.out.as_json:
        session.out.document({"integrations": found})
        return
    session.out.table(
        ("SERVICE", "APP", "TAKES TOKENS", "TOOLS"),
        [(one.id, one.app or "none", one.takes_tokens, len(one.tools)) for one in found],
    )


@app.command()
@on_platform
async def connect(session: Session, service: Service) -> None:
    """Connect an account: open the link that this prints, in any browser."""
    known = {one.id: one.updated_at for one in await _mine(session)}

    def is_new(one: "Connection") -> bool:
        is_of_service = one.integration_id == service and one.status == "active"
        return is_of_service and known.get(one.id) != one.updated_at

    await _through_browser(session, service, None, is_new)


@app.command()
@on_platform
async def reconnect(session: Session, connection: ConnectionId) -> None:
    """Connect the same account again. The runs that wait for it go on then."""
    known = await session.client.connections.get(connection)

    def is_anew(one: "Connection") -> bool:
        is_same = one.id == known.id and one.status == "active"
        return is_same and one.updated_at != known.updated_at

    await _through_browser(session, known.integration_id, known.id, is_anew)


@app.command("add-token")
@on_platform
async def add_token(session: Session, service: Service) -> None:
    """Connect the account of a token that the service gave out; asked for, or read from stdin."""
    token = secret_from(session, "Token")
    _tell(session, await session.client.connections.bring(service, token))


@app.command()
@on_platform
async def disconnect(session: Session, connection: ConnectionId) -> None:
    """End a connection, at its service too where that can be asked."""
    await session.client.connections.disconnect(connection)
    session.out.note(f"{connection} is disconnected. Runs that need it wait for another.")


def secret_from(session: Session, name: str) -> str:
    """A secret that is typed unseen or piped in; never an argument, which other programs could read."""
    if session.out.can_ask:
        return str(typer.prompt(name, hide_input=True, err=True)).strip()
    return sys.stdin.readline().strip()


async def _through_browser(
    session: Session,
    service: str,
    connection_id: str | None,
    is_it: "Callable[[Connection], bool]",
) -> None:
    """Show a link, and wait until a person has gone through with it."""
    link = await session.client.connections.link(service, connection_id)
    again = f"reconnect {connection_id}" if connection_id else f"connect {service}"
    session.if_interrupted = (
        "The link stays good for its time; `omniforge connections list` shows what came of it."
        f" For another one: omniforge connections {again}"
    )
    session.out.note(f"Open this, in any browser, before {link.expires_at:%H:%M} UTC:")
    if session.out.as_json:
        session.out.note(link.url)
    else:
        typer.echo(link.url)
    session.out.note(f"Waiting for {service} ...")
    _tell(session, await _until(session, is_it, link.expires_at, again))


async def _until(
    session: Session,
    is_it: "Callable[[Connection], bool]",
    expires_at: datetime,
    again: str,
) -> "Connection":
    from omniforge import clock
    from omniforge.errors import LinkInvalid
    from omniforge.integrations.oauth.manager import CONSENT_LASTS

    while clock.now() < expires_at + CONSENT_LASTS:
        found = next(filter(is_it, await _mine(session)), None)
        if found is not None:
            return found
        await asyncio.sleep(POLL)
    raise LinkInvalid(f"Nobody has connected it in time. Again: omniforge connections {again}")


async def _mine(session: Session) -> "list[Connection]":
    """The caller's own: an admin sees those of others too."""
    me = await session.client.keys.me()
    listed = await session.client.connections.list(limit=200)
    return [one for one in listed if one.user_id == me.user_id]


def _tell(session: Session, connection: "Connection") -> None:
    if session.out.as_json:
        session.out.document(connection)
        return
    session.out.facts(
        [
            ("id", connection.id),
            ("service", connection.integration_id),
            ("account", connection.name),
            ("status", connection.status),
            ("scopes", ", ".join(connection.scopes)),
            ("refreshed", "by itself" if connection.is_refreshed else "never"),
        ]
    )
