"""`omniforge keys`."""

from typing import TYPE_CHECKING, Annotated

import typer

from omniforge import clock
from omniforge.cli.agents import Cursor, Limit
from omniforge.cli.session import Session, on_platform

if TYPE_CHECKING:
    from omniforge.client.access.models import ApiKey

app = typer.Typer(no_args_is_help=True, help="API keys: yours, and those of services.")

KeyId = Annotated[str, typer.Argument(metavar="KEY", help="The key's id, as `keys list` shows it.")]
MemberOption = Annotated[
    str | None,
    typer.Option("--member", metavar="USER", help="Of this member, by id, instead of yours."),
]


@app.command()
@on_platform
async def me(session: Session) -> None:
    """Who the platform takes you for, and what you may do."""
    known = await session.client.keys.me()
    if session.out.as_json:
        session.out.document(known)
        return
    session.out.facts(
        [
            ("user", known.user_id),
            ("workspace", f"{known.tenant_name} ({known.tenant_id})"),
            ("role", known.role),
            ("may", ", ".join(known.permissions)),
            ("key", known.credential),
            ("for agent", known.agent_id),
            ("until", known.expires_at and f"{known.expires_at:%Y-%m-%d}"),
        ]
    )


@app.command("list")
@on_platform
async def list_keys(
    session: Session, member: MemberOption = None, limit: Limit = 50, cursor: Cursor = None
) -> None:
    """The keys, newest first, with those that open nothing any more."""
    page = await session.client.keys.list(member, limit=limit, cursor=cursor)
    if session.out.as_json:
        session.out.document({"keys": page.items, "next_cursor": page.next_cursor})
        return
    session.out.table(
        ("ID", "NAME", "KEY", "MAY", "AGENT", "STATE", "LAST USED"),
        [
            (
                key.id,
                key.name,
                f"{key.prefix}…" if key.prefix else "-",
                "all" if key.permissions is None else ", ".join(key.permissions),
                key.agent_id or "all",
                _state(key),
                f"{key.last_used_at:%Y-%m-%d %H:%M}" if key.last_used_at else "-",
            )
            for key in page
        ],
    )
    if page.next_cursor:
        session.out.note(f"There are more: --cursor {page.next_cursor}")


@app.command()
@on_platform
async def create(
    session: Session,
    name: Annotated[str, typer.Argument(help="What it is for.")],
    may: Annotated[
        list[str] | None,
        typer.Option(metavar="PERMISSION", help="Only this, as often as needed. Default: all."),
    ] = None,
    agent: Annotated[
        str | None, typer.Option(metavar="AGENT", help="Only for this agent, by its id.")
    ] = None,
    days: Annotated[
        int | None, typer.Option(min=1, max=3_650, help="It ends after so many days.")
    ] = None,
    member: MemberOption = None,
) -> None:
    """Make a key and show it, this once. With `--member`, for a service."""
    key = await session.client.keys.create(
        name, permissions=may, agent_id=agent, expires_in_days=days, member=member
    )
    if session.out.as_json:
        session.out.document(key)
        return
    typer.echo(key.key)
    session.out.note(f"This is key {key.id}. It is not shown again.")


@app.command()
@on_platform
async def revoke(session: Session, key: KeyId, member: MemberOption = None) -> None:
    """Let a key open nothing from now on."""
    await session.client.keys.revoke(key, member)
    session.out.note(f"Revoked {key}.")


def _state(key: "ApiKey") -> str:
    if key.revoked_at is not None:
        return "revoked"
    if key.expires_at is None:
        return "open"
    over = key.expires_at <= clock.now()
    return f"{'expired' if over else 'until'} {key.expires_at:%Y-%m-%d}"
