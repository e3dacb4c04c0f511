"""Who acts, and the ids everything carries."""

import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

_CROCKFORD = "0123456789abcdefghjkmnpqrstvwxyz"


class Role(StrEnum):
    OWNER = "owner"
    ADMIN = "admin"
    BUILDER = "builder"
    OPERATOR = "operator"
    VIEWER = "viewer"


class Permission(StrEnum):
    """What a caller may do. Roles are sets of these, and so are the scopes of keys."""

    KEYS = "keys"
    """See, make and revoke the caller's own keys."""
    READ = "read"
    RUN = "run"
    CONTROL = "control"
    DECIDE = "decide"
    RETRY = "retry"
    AGENTS = "agents"
    """Create and change agents, with their skills."""
    SCHEDULES = "schedules"
    TRIGGERS = "triggers"
    TESTS = "tests"
    BUDGETS = "budgets"
    LIMITS = "limits"
    MCP_SERVERS = "mcp_servers"
    CONNECTIONS = "connections"
    """Change the connections of the workspace."""
    MEMBERS = "members"
    """Invite, change and remove members, and see and revoke their keys."""
    AUDIT = "audit"
    OWNERS = "owners"
    """Make and unmake owners."""


_EVERYBODY = frozenset({Permission.KEYS, Permission.READ})
_OPERATOR = _EVERYBODY | {
    Permission.RUN,
    Permission.CONTROL,
    Permission.DECIDE,
    Permission.RETRY,
}
_BUILDER = _OPERATOR | {
    Permission.AGENTS,
    Permission.SCHEDULES,
    Permission.TRIGGERS,
    Permission.TESTS,
}
_ADMIN = _BUILDER | {
    Permission.BUDGETS,
    Permission.LIMITS,
    Permission.MCP_SERVERS,
    Permission.CONNECTIONS,
    Permission.MEMBERS,
    Permission.AUDIT,
}

PERMISSIONS: Mapping[Role, frozenset[Permission]] = {
    Role.VIEWER: _EVERYBODY,
    Role.OPERATOR: _OPERATOR,
    Role.BUILDER: _BUILDER,
    Role.ADMIN: _ADMIN,
    Role.OWNER: _ADMIN | {Permission.OWNERS},
}
"""Each role has what the one before it has, and more."""


@dataclass(frozen=True, slots=True)
class KeyScope:
    """What a credential leaves of its owner's permissions. None: all of them, every agent, for good."""

    permissions: frozenset[Permission] | None = None
    agent_id: str | None = None
    expires_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Principal:
    """Tenant, user and role of a caller. Comes from a credential and from nowhere else."""

    tenant_id: str
    user_id: str
    role: Role
    scope: KeyScope = KeyScope()
    credential: str = field(default="", compare=False)
    """Id of the key, or how else the caller signed in."""

    @property
    def permissions(self) -> frozenset[Permission]:
        """What the caller may do with this credential."""
        granted = PERMISSIONS[self.role]
        return granted if self.scope.permissions is None else granted & self.scope.permissions


def new_id(prefix: str) -> str:
    """`<prefix>_` and 26 characters that sort by the millisecond they were made in (the ULID layout)."""
    number = (time.time_ns() // 1_000_000) << 80 | secrets.randbits(80)
    return f"{prefix}_" + "".join(_CROCKFORD[number >> shift & 31] for shift in range(125, -5, -5))
