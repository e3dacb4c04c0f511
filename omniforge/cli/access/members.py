"""`omniforge members`."""

from enum import StrEnum
from typing import Annotated

import typer

from omniforge.cli.agents import Cursor, Limit
from omniforge.cli.session import Session, on_platform

app = typer.Typer(no_args_is_help=True, help="People and services of the workspace.")


class RoleWord(StrEnum):
    VIEWER = "viewer"
    OPERATOR = "operator"
    BUILDER = "builder"
    ADMIN = "admin"
    OWNER = "owner"


UserId = Annotated[
    str, typer.Argument(metavar="USER", help="The member's id, as `members list` shows it.")
]
RoleArgument = Annotated[RoleWord, typer.Argument(metavar="ROLE", help="What they are to be.")]


@app.command("list")
@on_platform
async def list_members(session: Session, limit: Limit = 50, cursor: Cursor = None) -> None:
    """Who belongs to the workspace."""
    page = await session.client.members.list(limit=limit, cursor=cursor)
    if session.out.as_json:
        session.out.document({"members": page.items, "next_cursor": page.next_cursor})
        return
    session.out.table(
        ("USER", "NAME", "ROLE", "KIND", "SINCE"),
        [
            (
                one.user_id,
                one.name,
                one.role,
                "service" if one.is_service else "person",
                f"{one.joined_at:%Y-%m-%d}" if one.joined_at else "-",
            )
            for one in page
        ],
    )
    if page.next_cursor:
        session.out.note(f"There are more: --cursor {page.next_cursor}")


@app.command()
@on_platform
async def role(session: Session, user: UserId, role: RoleArgument) -> None:
    """Give a member another role. It holds at once, for all their keys."""
    from omniforge.identity import Role

    member = await session.client.members.set_role(user, Role(role))
    session.out.note(f"{member.name} is {member.role} now.")


@app.command()
@on_platform
async def remove(session: Session, user: UserId) -> None:
    """Let a member in no more. Their keys stop at once, their agents stay."""
    await session.client.members.remove(user)
    session.out.note(f"Removed {user}.")


@app.command("add-service")
@on_platform
async def add_service(
    session: Session,
    name: Annotated[str, typer.Argument(help="What the program is called.")],
    role: RoleArgument,
) -> None:
    """Add a program with a role of its own."""
    from omniforge.identity import Role

    member = await session.client.members.add_service(name, Role(role))
    if session.out.as_json:
        session.out.document(member)
        return
    typer.echo(member.user_id)
    session.out.note(f"Next: omniforge keys create NAME --member {member.user_id}")


@app.command()
@on_platform
async def invite(
    session: Session,
    role: RoleArgument,
    note: Annotated[str, typer.Option(help="Who it is for, for your own list.")] = "",
    days: Annotated[int, typer.Option(min=1, max=90, help="It ends after so many days.")] = 7,
) -> None:
    """Invite one person: shows a token, this once, to hand on to them."""
    from omniforge.identity import Role

    made = await session.client.members.invite(Role(role), note=note, expires_in_days=days)
    if session.out.as_json:
        session.out.document(made)
        return
    typer.echo(made.token)
    session.out.note(
        f"This is invitation {made.id}, good once until {made.expires_at:%Y-%m-%d}. Hand the token on."
    )


@app.command()
@on_platform
async def invitations(session: Session, limit: Limit = 50, cursor: Cursor = None) -> None:
    """All invitations, newest first."""
    page = await session.client.members.invitations(limit=limit, cursor=cursor)
    if session.out.as_json:
        session.out.document({"invitations": page.items, "next_cursor": page.next_cursor})
        return
    session.out.table(
        ("ID", "ROLE", "NOTE", "UNTIL", "STATE"),
        [
            (
                one.id,
                one.role,
                one.note,
                f"{one.expires_at:%Y-%m-%d}",
                one.accepted_by or ("withdrawn" if one.revoked_at else "open"),
            )
            for one in page
        ],
    )


@app.command()
@on_platform
async def withdraw(
    session: Session, invitation: Annotated[str, typer.Argument(metavar="INVITATION")]
) -> None:
    """Let nobody accept an invitation any more."""
    await session.client.members.withdraw(invitation)
    session.out.note(f"Withdrew {invitation}.")


@app.command()
@on_platform
async def accept(session: Session, token: Annotated[str, typer.Argument(metavar="TOKEN")]) -> None:
    """Join the workspace of an invitation as the owner of your key; shows your key there, once."""
    joined = await session.client.members.accept(token)
    if session.out.as_json:
        session.out.document(joined)
        return
    typer.echo(joined.key)
    session.out.note(f"You are {joined.role} of {joined.tenant_id}. The key is not shown again.")
