"""Invitations: how people come to be members."""

from datetime import timedelta

from fastapi import APIRouter, Request

from api.access.bodies import (
    Acceptance,
    CreatedInvitationBody,
    InvitationBody,
    InvitationList,
    JoinedBody,
    NewInvitation,
)
from api.access.gate import Gate, address_of
from api.access.granting import refuse_above
from api.dependencies import AllData, Audited, Bearer, Caller, Cursor, Limit, Mine
from api.errors import responses
from omniforge import clock
from omniforge.errors import (
    AlreadyMember,
    Forbidden,
    InvitationInvalid,
    InvitationNotFound,
    ScopeInvalid,
    TooManyFailedSignIns,
    Unauthenticated,
)
from omniforge.identity import KeyScope, Permission, Principal, new_id
from omniforge.store.audit import Act, Actor
from omniforge.store.invitations import Invitation, new_token, tenant_of
from omniforge.store.keys import NewKey, fresh_key
from omniforge.store.members import Member
from omniforge.store.store import Repositories

router = APIRouter(
    prefix="/api/v1/invitations", tags=["access"], responses=responses(Unauthenticated, Forbidden)
)

FIRST_KEY = "first key, from the invitation"


@router.get("")
async def list_invitations(mine: Mine, limit: Limit = 50, cursor: Cursor = None) -> InvitationList:
    """All invitations, newest first: open, accepted, withdrawn and expired."""
    page = await mine.read(lambda db: db.invitations.page(limit, cursor))
    bodies = [InvitationBody.model_validate(one.model_dump()) for one in page.items]
    return InvitationList(invitations=bodies, next_cursor=page.next_cursor)


@router.post("", status_code=201)
async def invite(body: NewInvitation, caller: Caller, audited: Audited) -> CreatedInvitationBody:
    """Invite one person, with at most the caller's own role. Hand the token on: it is shown this once."""
    refuse_above(caller, body.role)
    at, token = clock.now(), new_token(caller.tenant_id)
    invitation = Invitation(
        id=new_id("inv"),
        role=body.role,
        note=body.note,
        created_by=caller.user_id,
        created_at=at,
        expires_at=at + timedelta(days=body.expires_in_days),
    )
    await audited.write(
        Act.INVITATION_CREATED,
        invitation.id,
        lambda db: db.invitations.add(invitation, token),
        role=body.role,
    )
    return CreatedInvitationBody(**invitation.model_dump(), token=token)


@router.delete("/{invitation_id}", status_code=204, responses=responses(InvitationNotFound))
async def withdraw(invitation_id: str, audited: Audited) -> None:
    """Let nobody accept an invitation any more."""
    await audited.write(
        Act.INVITATION_WITHDRAWN,
        invitation_id,
        lambda db: db.invitations.withdraw(invitation_id),
    )


@router.post(
    "/accept",
    status_code=201,
    responses=responses(InvitationInvalid, AlreadyMember, ScopeInvalid, TooManyFailedSignIns),
)
async def accept(
    body: Acceptance, request: Request, store: AllData, credentials: Bearer
) -> JoinedBody:
    """Join a workspace with an invitation's token.

    Whoever sends a key of theirs along joins as who they are; everybody else gives a `name`.
    """
    gate: Gate = request.app.state.gate
    who = await gate.identify(request, credentials.credentials) if credentials else None
    if who is not None and Permission.KEYS not in who.permissions:
        raise Forbidden("This key cannot make another one, and joining does.")
    if who is None and body.name is None:
        raise ScopeInvalid("Say who you are: `name`, or send a key of yours along.")
    joining = _Joining(body, who, address_of(request), fresh_key())
    try:
        tenant_id = tenant_of(body.token)
        member = await store.for_tenant(tenant_id).write(joining.join)
    except InvitationInvalid as refusal:
        gate.count_failure(request, refusal)
        raise
    return JoinedBody(
        tenant_id=tenant_id,
        user_id=member.user_id,
        role=member.role,
        key_id=joining.key.id,
        key=joining.key.secret,
    )


class _Joining:
    """One person on their way in."""

    def __init__(self, body: Acceptance, who: Principal | None, address: str, key: NewKey) -> None:
        self._body, self._who, self._address, self.key = body, who, address, key

    def join(self, db: Repositories) -> Member:
        invitation = db.invitations.open(self._body.token)
        member = self._member(db, invitation)
        db.invitations.accept(invitation.id, member.user_id, clock.now())
        db.keys.add(self.key, member.user_id, FIRST_KEY, KeyScope(), member.user_id)
        actor = Actor(member.user_id, invitation.id, self._address)
        details = {"role": member.role, "key": self.key.id, "invited_by": invitation.created_by}
        db.audit.add(actor, Act.INVITATION_ACCEPTED, invitation.id, details)
        return member

    def _member(self, db: Repositories, invitation: Invitation) -> Member:
        if self._who is None:
            return db.members.add(self._body.name or "", invitation.role, is_service=False)
        if not db.members.is_person(self._who.user_id):
            raise ScopeInvalid("Only people are invited. Services are added by admins.")
        return db.members.join(self._who.user_id, invitation.role)
