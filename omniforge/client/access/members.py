"""`client.members`."""

from urllib.parse import quote

from omniforge.client.access.models import CreatedInvitation, Invitation, Joined, Member
from omniforge.client.models import Page
from omniforge.client.transport import Transport
from omniforge.identity import Role

_MEMBERS = "/api/v1/members"
_INVITATIONS = "/api/v1/invitations"


class Members:
    """Who belongs to the workspace, and how others come to."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    async def list(self, *, limit: int = 50, cursor: str | None = None) -> Page[Member]:
        return await self._transport.page(_MEMBERS, "members", Member, limit=limit, cursor=cursor)

    async def add_service(self, name: str, role: Role) -> Member:
        """Add a program under a role of its own; `client.keys.create(member=...)` makes its key."""
        return await self._transport.post(_MEMBERS, Member, json={"name": name, "role": role})

    async def set_role(self, user_id: str, role: Role) -> Member:
        """
        Raises:
            LastOwner: Nobody else owns the workspace.
        """
        path = f"{_MEMBERS}/{quote(user_id, safe='')}"
        return await self._transport.patch(path, Member, json={"role": role})

    async def remove(self, user_id: str) -> None:
        """End a membership and its keys. Agents stay with the workspace.

        Raises:
            LastOwner: Nobody else owns the workspace.
        """
        path = f"{_MEMBERS}/{quote(user_id, safe='')}"
        await self._transport.send("DELETE", path, repeatable=False)

    async def invite(
        self, role: Role, *, note: str = "", expires_in_days: int = 7
    ) -> CreatedInvitation:
        """Invite one person. The token is in this answer only."""
        body = {"role": role, "note": note, "expires_in_days": expires_in_days}
        return await self._transport.post(_INVITATIONS, CreatedInvitation, json=body)

    async def invitations(self, *, limit: int = 50, cursor: str | None = None) -> Page[Invitation]:
        return await self._transport.page(
            _INVITATIONS, "invitations", Invitation, limit=limit, cursor=cursor
        )

    async def withdraw(self, invitation_id: str) -> None:
        """Let nobody accept an invitation any more."""
        path = f"{_INVITATIONS}/{quote(invitation_id, safe='')}"
        await self._transport.send("DELETE", path, repeatable=True)

    async def accept(self, token: str) -> Joined:
        """Join the workspace of an invitation as the owner of this client's key.

        Raises:
            InvitationInvalid: It is unknown, was used, has expired or was withdrawn.
            AlreadyMember: The caller belongs to that workspace.
        """
        path = f"{_INVITATIONS}/accept"
        return await self._transport.post(path, Joined, json={"token": token})
