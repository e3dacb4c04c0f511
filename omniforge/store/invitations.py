"""Invitations into a tenant: each opens it once, to whoever brings its token in time."""

import hashlib
import re
import secrets
from collections.abc import Sequence
from datetime import datetime

from pydantic import AwareDatetime, BaseModel
from sqlalchemy import ColumnElement, RowMapping, insert, select, update

from omniforge import clock
from omniforge.errors import InvitationInvalid, InvitationNotFound
from omniforge.identity import Role
from omniforge.store.repository import Repository
from omniforge.store.sql import Page, page_of
from omniforge.store.tables import invitations

_TOKEN = re.compile(r"of_inv_(tn_[0-9a-z]{26})\.[A-Za-z0-9_-]{43}")


class Invitation(BaseModel, frozen=True):
    """A row of `invitations`, without the hash."""

    id: str
    role: Role
    note: str
    created_by: str
    created_at: AwareDatetime
    expires_at: AwareDatetime
    revoked_at: AwareDatetime | None = None
    accepted_at: AwareDatetime | None = None
    accepted_by: str | None = None


def new_token(tenant_id: str) -> str:
    """A fresh token, which names its tenant and holds 256 random bits."""
    return f"of_inv_{tenant_id}.{secrets.token_urlsafe(32)}"


def tenant_of(token: str) -> str:
    """The tenant that a token says it is for.

    Raises:
        InvitationInvalid: It is no token.
    """
    if not (parts := _TOKEN.fullmatch(token)):
        raise InvitationInvalid
    return parts[1]


class InvitationRepository(Repository):
    def add(self, invitation: Invitation, token: str) -> None:
        row = invitation.model_dump() | {"tenant_id": self._tenant_id, "token_hash": _hash(token)}
        self._connection.execute(insert(invitations), [row])

    def page(self, limit: int, cursor: str | None) -> Page[Invitation]:
        query = select(invitations).where(invitations.c.tenant_id == self._tenant_id)
        return page_of(self._connection, query, invitations, limit, cursor, _invitation_of)

    def get(self, invitation_id: str) -> Invitation:
        """
        Raises:
            InvitationNotFound: Missing, or another tenant's.
        """
        query = select(invitations).where(*self._place(invitation_id))
        row = self._connection.execute(query).mappings().first()
        if row is None:
            raise InvitationNotFound(invitation_id)
        return _invitation_of(row)

    def open(self, token: str) -> Invitation:
        """The invitation of a token that is still good.

        Raises:
            InvitationInvalid: Unknown, used, expired or withdrawn.
        """
        query = select(invitations).where(invitations.c.token_hash == _hash(token), *self._open())
        row = self._connection.execute(query).mappings().first()
        if row is None:
            raise InvitationInvalid
        return _invitation_of(row)

    def accept(self, invitation_id: str, user_id: str, at: datetime) -> None:
        """Use an invitation up, for one person.

        Raises:
            InvitationInvalid: Somebody else has been faster.
        """
        change = update(invitations).where(*self._place(invitation_id), *self._open())
        values = {"accepted_at": at, "accepted_by": user_id}
        if not self._connection.execute(change.values(values)).rowcount:
            raise InvitationInvalid

    def withdraw(self, invitation_id: str) -> None:
        """Let nobody accept it from now on. One that was accepted stays so.

        Raises:
            InvitationNotFound: Missing, or another tenant's.
        """
        self.get(invitation_id)
        self._withdraw(invitations.c.id == invitation_id)

    def withdraw_all(self, created_by: str) -> None:
        """Let nobody accept what a person has invited to."""
        self._withdraw(invitations.c.created_by == created_by)

    # ---- inside ------------------------------------------------------------------------------

    def _withdraw(self, which: ColumnElement[bool]) -> None:
        change = update(invitations).where(*self._open(), which)
        self._connection.execute(change.values(revoked_at=clock.now()))

    def _place(self, invitation_id: str) -> Sequence[ColumnElement[bool]]:
        return invitations.c.tenant_id == self._tenant_id, invitations.c.id == invitation_id

    def _open(self) -> Sequence[ColumnElement[bool]]:
        return (
            invitations.c.tenant_id == self._tenant_id,
            invitations.c.revoked_at.is_(None),
            invitations.c.accepted_at.is_(None),
            invitations.c.expires_at > clock.now(),
        )


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


def _invitation_of(row: RowMapping) -> Invitation:
    return Invitation.model_validate(dict(row))
