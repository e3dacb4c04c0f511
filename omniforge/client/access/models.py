"""What a platform answers about access. Members that a newer platform adds are left out."""

from typing import Any

from pydantic import AwareDatetime, BaseModel

from omniforge.identity import Role


class Me(BaseModel, frozen=True):
    """The caller, as the platform knows it by the credential that was sent."""

    tenant_id: str
    tenant_name: str
    user_id: str
    role: Role
    permissions: tuple[str, ...]
    credential: str
    agent_id: str | None
    expires_at: AwareDatetime | None


class ApiKey(BaseModel, frozen=True):
    """What is known of a key: never the key itself.

    `permissions` null means all that the role of its owner has, `agent_id` that it is good for that
    agent only. `last_used_at` is a minute behind at most.
    """

    id: str
    user_id: str
    name: str
    prefix: str
    permissions: tuple[str, ...] | None
    agent_id: str | None
    created_by: str | None
    created_at: AwareDatetime
    expires_at: AwareDatetime | None
    last_used_at: AwareDatetime | None
    revoked_at: AwareDatetime | None


class CreatedKey(ApiKey, frozen=True):
    """A new key, in `key`: it is shown this once."""

    key: str


class Member(BaseModel, frozen=True):
    """A person, or a service, in the workspace."""

    user_id: str
    name: str
    role: Role
    is_service: bool
    joined_at: AwareDatetime | None


class Invitation(BaseModel, frozen=True):
    """Lets one person join. Open until it is accepted, withdrawn or expired."""

    id: str
    role: Role
    note: str
    created_by: str
    created_at: AwareDatetime
    expires_at: AwareDatetime
    revoked_at: AwareDatetime | None
    accepted_at: AwareDatetime | None
    accepted_by: str | None


class CreatedInvitation(Invitation, frozen=True):
    """A new invitation. `token` is shown this once: hand it on to whom it is for."""

    token: str


class Joined(BaseModel, frozen=True):
    """Who accepted an invitation, and the first key in the workspace, in `key`: shown this once."""

    tenant_id: str
    user_id: str
    role: Role
    key_id: str
    key: str


class AuditEntry(BaseModel, frozen=True):
    """Something that was done about the security of a workspace, or was refused."""

    id: str
    created_at: AwareDatetime
    actor: str
    credential: str
    address: str
    action: str
    subject: str
    outcome: str
    details: dict[str, Any]
