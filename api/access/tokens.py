"""Tokens (JWT) of another issuer, who says which workspace, who, and as what."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jws import extract_compact

from api.access.issuers import Keys
from omniforge.errors import KeyRefused, Unauthenticated
from omniforge.identity import PERMISSIONS, KeyScope, Principal, Role
from omniforge.store.store import Store

LEEWAY_S = 30
# Far more than any issuer needs, and little enough to look at.
MAX_TOKEN = 8_192
# How an audit log calls them; they have no ids of ours.
CREDENTIAL = "jwt"
# The columns that hold users and tenants are as wide.
MAX_ID = 64


@dataclass(frozen=True, slots=True)
class Issuer:
    """Whose tokens are taken, which of them, and what their claims are called."""

    name: str
    audience: str
    algorithms: Collection[str]
    keys: Keys
    tenant_claim: str
    role_claim: str


@dataclass(frozen=True, slots=True)
class Claims:
    """What a token says, with the issuer's signature under it."""

    tenant_id: str
    user_id: str
    role: Role
    expires_at: datetime


class Tokens:
    """Tells who sent a token."""

    def __init__(self, issuer: Issuer, store: Store) -> None:
        self._issuer, self._store = issuer, store
        self._registry = jwt.JWTClaimsRegistry(
            leeway=LEEWAY_S,
            iss={"essential": True, "value": issuer.name},
            aud={"essential": True, "value": issuer.audience},
            exp={"essential": True},
            sub={"essential": True},
        )

    async def principal_of(self, token: str) -> Principal:
        """
        Raises:
            Unauthenticated: It is not a good token of the issuer, or its workspace is unknown.
            KeyRefused: It speaks for somebody who is no member of that workspace any more.
            IssuerUnavailable: The issuer's keys cannot be had.
        """
        claims = await self._verified(token)
        mine = self._store.for_tenant(claims.tenant_id)
        standing = await mine.read(lambda db: db.members.standing(claims.user_id))
        if standing is None:
            raise Unauthenticated("The token is for a workspace that does not exist.")
        role = claims.role
        if standing.role is not None:
            role = min(role, standing.role, key=lambda each: len(PERMISSIONS[each]))
        elif standing.is_user:
            raise KeyRefused(
                "The token speaks for somebody who is not a member of its workspace.",
                claims.tenant_id,
                claims.user_id,
                CREDENTIAL,
            )
        scope = KeyScope(expires_at=claims.expires_at)
        return Principal(claims.tenant_id, claims.user_id, role, scope, CREDENTIAL)

    async def _verified(self, token: str) -> Claims:
        """What a token says whose signature, issuer, audience and times are right."""
        if len(token) > MAX_TOKEN:
            raise Unauthenticated("The token is too long.")
        try:
            header = extract_compact(token.encode()).headers()
            if header.get("alg") not in self._issuer.algorithms:
                raise Unauthenticated("The token is signed in a way that is not accepted.")
            kid = header.get("kid")
            key = await self._issuer.keys.get(kid if isinstance(kid, str) else None)
            if key is None:
                raise Unauthenticated("The token is signed with a key that its issuer has not.")
            claims = jwt.decode(token, key, algorithms=[*self._issuer.algorithms]).claims
            self._registry.validate(claims)
            return self._read(claims)
        except (JoseError, ValueError, OverflowError, OSError) as error:
            raise Unauthenticated(f"The token is not good: {_why(error)}") from error

    def _read(self, claims: dict[str, Any]) -> Claims:
        return Claims(
            _id(claims, self._issuer.tenant_claim),
            _id(claims, "sub"),
            _role(claims.get(self._issuer.role_claim)),
            datetime.fromtimestamp(claims["exp"], UTC),
        )


def _id(claims: dict[str, Any], name: str) -> str:
    value = claims.get(name)
    if (
        isinstance(value, str)
        and 0 < len(value) <= MAX_ID
        and value.isascii()
        and value.isprintable()
    ):
        return value
    raise Unauthenticated(f"The token has no {name!r} of 1 to {MAX_ID} printable characters.")


def _role(value: object) -> Role:
    if isinstance(value, str) and value in set(Role):
        return Role(value)
    raise Unauthenticated(f"The token names no role; one of {', '.join(Role)} is expected.")


def _why(error: Exception) -> str:
    return (getattr(error, "description", "") or "it cannot be read").rstrip(".") + "."
