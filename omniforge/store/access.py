"""Tenants, people and API keys."""

import hashlib
import secrets
from collections.abc import Sequence

from sqlalchemy import Connection, bindparam, insert, select

from omniforge import clock
from omniforge.errors import KeyRefused, Unauthenticated
from omniforge.identity import KeyScope, Permission, Principal, Role, new_id
from omniforge.store.tables import api_keys, memberships, tenants, users

KEY_PREFIX = "of_sk_"
# What is shown of a key later on. The rest of its 256 bits stays far out of anyone's reach.
SHOWN = len(KEY_PREFIX) + 5

UNKNOWN_KEY = "This API key is not known, or it was revoked."

# Built once, for it is part of every request.
_BY_HASH = (
    select(
        api_keys.c.id,
        api_keys.c.tenant_id,
        api_keys.c.user_id,
        api_keys.c.permissions,
        api_keys.c.agent_id,
        api_keys.c.expires_at,
        api_keys.c.revoked_at,
        memberships.c.role,
    )
    .outerjoin(
        memberships,
        (memberships.c.tenant_id == api_keys.c.tenant_id)
        & (memberships.c.user_id == api_keys.c.user_id),
    )
    .where(api_keys.c.key_hash == bindparam("hash"))
)


def new_key() -> str:
    """A fresh API key. 256 random bits, so that a plain hash of it can be stored."""
    return KEY_PREFIX + secrets.token_urlsafe(32)


def key_hash(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()


def principal_of(connection: Connection, key: str) -> Principal:
    """Who a key belongs to, and what it lets them do.

    Raises:
        Unauthenticated: The key is unknown.
        KeyRefused: It was revoked, has expired, or its owner is no member any more.
    """
    row = connection.execute(_BY_HASH, {"hash": key_hash(key)}).first()
    if row is None:
        raise Unauthenticated(UNKNOWN_KEY)
    if row.revoked_at is not None or row.role is None:
        raise KeyRefused(UNKNOWN_KEY, row.tenant_id, row.user_id, row.id)
    if row.expires_at is not None and row.expires_at <= clock.now():
        raise KeyRefused("This API key has expired.", row.tenant_id, row.user_id, row.id)
    scope = KeyScope(permissions_of(row.permissions), row.agent_id, row.expires_at)
    return Principal(row.tenant_id, row.user_id, Role(row.role), scope, row.id)


def permissions_of(column: Sequence[str] | None) -> frozenset[Permission] | None:
    """The permissions that a key's row lists. A word of another version grants nothing."""
    return None if column is None else frozenset(Permission) & frozenset(column)


def create_tenant(connection: Connection, name: str, owner: str) -> Principal:
    """A new tenant with its owner."""
    principal, at = Principal(new_id("tn"), new_id("us"), Role.OWNER), clock.now()
    connection.execute(
        insert(tenants), [{"id": principal.tenant_id, "name": name, "created_at": at}]
    )
    connection.execute(insert(users), [{"id": principal.user_id, "name": owner, "created_at": at}])
    row = {"tenant_id": principal.tenant_id, "user_id": principal.user_id, "role": principal.role}
    connection.execute(insert(memberships), [{**row, "created_at": at}])
    return principal


def create_key(connection: Connection, principal: Principal, name: str) -> str:
    """A new key of a person in a tenant. Only its hash is kept, so this is the one time it is seen."""
    key = new_key()
    row = {
        "id": new_id("key"),
        "tenant_id": principal.tenant_id,
        "user_id": principal.user_id,
        "name": name,
        "key_hash": key_hash(key),
        "prefix": key[:SHOWN],
        "created_by": principal.user_id,
        "created_at": clock.now(),
    }
    connection.execute(insert(api_keys), [row])
    return key
