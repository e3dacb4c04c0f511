"""Nobody gives away more than they have."""

from collections.abc import Iterable
from datetime import datetime, timedelta

from omniforge import clock
from omniforge.errors import Forbidden, ScopeInvalid
from omniforge.identity import PERMISSIONS, KeyScope, Permission, Principal, Role


def refuse_above(caller: Principal, role: Role) -> None:
    """
    Raises:
        Forbidden: The role has permissions that the caller, with this credential, has not.
    """
    _refuse_missing(caller, PERMISSIONS[role], f"the role {role.value!r}")


def scope_for(
    caller: Principal,
    role: Role,
    permissions: frozenset[Permission] | None,
    agent_id: str | None,
    expires_in_days: int | None,
) -> KeyScope:
    """The scope of a key that the caller makes for somebody of a role.

    Raises:
        Forbidden: It would open more than the caller's own credential.
        ScopeInvalid: Its owner has not what it is to be permitted.
    """
    if permissions is not None and (missing := permissions - PERMISSIONS[role]):
        raise ScopeInvalid(
            f"The role {role.value!r} does not include {_names(missing)}, so no key of it can."
        )
    if permissions is None:
        permissions = caller.scope.permissions
    granted = PERMISSIONS[role] if permissions is None else permissions & PERMISSIONS[role]
    _refuse_missing(caller, granted, "this key")
    return KeyScope(permissions, agent_id, _end(caller, expires_in_days))


def _end(caller: Principal, days: int | None) -> datetime | None:
    wanted = None if days is None else clock.now() + timedelta(days=days)
    ends = [at for at in (wanted, caller.scope.expires_at) if at is not None]
    return min(ends, default=None)


def _refuse_missing(caller: Principal, granted: Iterable[Permission], what: str) -> None:
    if missing := frozenset(granted) - caller.permissions:
        raise Forbidden(
            f"You cannot deal with {what}: it includes {_names(missing)}, which you have not."
        )


def _names(permissions: Iterable[Permission]) -> str:
    return ", ".join(sorted(permissions))
