"""Tenants, people and API keys."""

import hashlib
import secrets

from sqlalchemy import Connection, insert, select

from omniforge import clock
from omniforge.errors import Unauthenticated
from omniforge.identity import Principal, Role, new_id
from omniforge.store.tables import api_keys, memberships, tenants, users

KEY_PREFIX = "of_sk_"


def new_key() -> str:
    """A fresh API key. 256 random bits, so that a plain hash of it can be stored."""
    return KEY_PREFIX + secrets.token_urlsafe(32)


def key_hash(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()


def principal_of(connection: Connection, key: str) -> Principal:
    """Who a key belongs to.

    Raises:
        Unauthenticated: The key is unknown or revoked.
    """
    query = (
        select(api_keys.c.tenant_id, api_keys.c.user_id, memberships.c.role)
        .join(
            memberships,
            (memberships.c.tenant_id == api_keys.c.tenant_id)
            & (memberships.c.user_id == api_keys.c.user_id),
        )
        .where(api_keys.c.key_hash == key_hash(key), api_keys.c.revoked_at.is_(None))
    )
    row = connection.execute(query).first()
    if row is None:
        raise Unauthenticated("This API key is not known, or it was revoked.")
    return Principal(row.tenant_id, row.user_id, Role(row.role))


def create_tenant(connection: Connection, name: str, owner: str) -> Principal:
    """A new tenant with its owner."""
    principal, at = Principal(new_id("tn"), new_id("us"), Role.OWNER), clock.now()
    connection.execute(
        insert(tenants), [{"id": principal.tenant_id, "name": name, "created_at": at}]
    )
    connection.execute(insert(users), [{"id": principal.user_id, "name": owner, "created_at": at}])
    row = {"tenant_id": principal.tenant_id, "user_id": principal.user_id, "role": principal.role}
    connection.execute(insert(memberships), [row])
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
        "created_at": clock.now(),
    }
    connection.execute(insert(api_keys), [row])
    return key
