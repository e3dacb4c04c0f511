"""Keys, members, invitations and the audit log over HTTP."""

from typing import Annotated

from pydantic import BaseModel, Field

from api.schemas.agents import Text
from omniforge.client.access import models
from omniforge.identity import Permission, Role

Name = Annotated[Text, Field(min_length=1, max_length=255)]
Days = Annotated[int, Field(ge=1, le=3_650, description="Days until it ends.")]

INVITED_FOR_DAYS = 7


class MeBody(models.Me):
    """Who calls, and what they may do with the credential they sent."""


class NewKeyBody(BaseModel, extra="forbid"):
    """A key to make. Left out, it may do what the caller may, with every agent, for good.

    A key that expires makes none that lasts longer.
    """

    name: Name
    permissions: Annotated[frozenset[Permission], Field(min_length=1)] | None = None
    agent_id: Annotated[Text, Field(max_length=64)] | None = None
    expires_in_days: Days | None = None


class KeyBody(models.ApiKey):
    """A key as it can be shown."""


class CreatedKeyBody(models.CreatedKey):
    """A new key. `key` is shown this once."""


class KeyList(BaseModel):
    keys: list[KeyBody]
    next_cursor: str | None


class NewService(BaseModel, extra="forbid"):
    """A program that is to use the platform under a name and a role of its own."""

    name: Name
    role: Role


class RoleChange(BaseModel, extra="forbid"):
    role: Role


class MemberBody(models.Member):
    """A member of the workspace."""


class MemberList(BaseModel):
    members: list[MemberBody]
    next_cursor: str | None


class NewInvitation(BaseModel, extra="forbid"):
    """Whom to let in, as what. `note` tells the inviters who it was for."""

    role: Role
    note: Annotated[Text, Field(max_length=255)] = ""
    expires_in_days: Annotated[int, Field(ge=1, le=90)] = INVITED_FOR_DAYS


class InvitationBody(models.Invitation):
    """An invitation as it can be shown."""


class CreatedInvitationBody(models.CreatedInvitation):
    """A new invitation. `token` is shown this once."""


class InvitationList(BaseModel):
    invitations: list[InvitationBody]
    next_cursor: str | None


class Acceptance(BaseModel, extra="forbid"):
    """`name` is for who is new here; who has a key somewhere sends it along and joins as themselves."""

    token: Annotated[Text, Field(max_length=200)]
    name: Name | None = None


class JoinedBody(models.Joined):
    """A new member and their first key here. `key` is shown this once."""


class AuditEntryBody(models.AuditEntry):
    """One line of the audit log."""


class AuditList(BaseModel):
    entries: list[AuditEntryBody]
    next_cursor: str | None
