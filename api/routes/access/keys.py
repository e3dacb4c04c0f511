"""The caller, the caller's keys, and the keys of services."""

from fastapi import APIRouter

from api.access.auditing import AuditedStore
from api.access.bodies import CreatedKeyBody, KeyBody, KeyList, MeBody, NewKeyBody
from api.access.granting import refuse_above, scope_for
from api.dependencies import Audited, Caller, Cursor, Limit, Mine
from api.errors import responses
from omniforge.errors import (
    AgentNotFound,
    Forbidden,
    KeyNotFound,
    MemberNotFound,
    ScopeInvalid,
    Unauthenticated,
)
from omniforge.identity import Principal
from omniforge.store.audit import Act
from omniforge.store.keys import ApiKey, fresh_key
from omniforge.store.sql import Page
from omniforge.store.store import Repositories

router = APIRouter(
    prefix="/api/v1", tags=["access"], responses=responses(Unauthenticated, Forbidden)
)

_REFUSALS = responses(ScopeInvalid, AgentNotFound, MemberNotFound)


@router.get("/me")
async def who_am_i(caller: Caller, mine: Mine) -> MeBody:
    """Who the caller is, in which workspace, and what they may do with the credential they sent."""
    return MeBody(
        tenant_id=caller.tenant_id,
        tenant_name=await mine.read(lambda db: db.members.tenant_name()),
        user_id=caller.user_id,
        role=caller.role,
        permissions=tuple(sorted(caller.permissions)),
        credential=caller.credential,
        agent_id=caller.scope.agent_id,
        expires_at=caller.scope.expires_at,
    )


@router.get("/keys")
async def list_keys(
    caller: Caller, mine: Mine, limit: Limit = 50, cursor: Cursor = None
) -> KeyList:
    """The caller's keys in this workspace, newest first, with those that open nothing any more."""
    return _listed(await mine.read(lambda db: db.keys.page(caller.user_id, limit, cursor)))


@router.post("/keys", status_code=201, responses=_REFUSALS)
async def create_key(body: NewKeyBody, caller: Caller, audited: Audited) -> CreatedKeyBody:
    """Make a key for the caller, which may do no more than the caller may. It is shown this once."""
    return await _create(body, caller.user_id, caller, audited)


@router.delete("/keys/{key_id}", status_code=204, responses=responses(KeyNotFound))
async def revoke_key(key_id: str, caller: Caller, audited: Audited) -> None:
    """Let one of the caller's keys open nothing from now on."""
    await audited.write(Act.KEY_REVOKED, key_id, lambda db: db.keys.revoke(key_id, caller.user_id))


@router.get("/members/{user_id}/keys", responses=responses(MemberNotFound))
async def list_keys_of_member(
    user_id: str, mine: Mine, limit: Limit = 50, cursor: Cursor = None
) -> KeyList:
    """The keys of a member in this workspace, newest first."""

    def work(db: Repositories) -> Page[ApiKey]:
        db.members.get(user_id)
        return db.keys.page(user_id, limit, cursor)

    return _listed(await mine.read(work))


@router.post("/members/{user_id}/keys", status_code=201, responses=_REFUSALS)
async def create_key_of_service(
    user_id: str, body: NewKeyBody, caller: Caller, audited: Audited
) -> CreatedKeyBody:
    """Make a key for a service. People make their own. It is shown this once."""
    return await _create(body, user_id, caller, audited)


@router.delete(
    "/members/{user_id}/keys/{key_id}",
    status_code=204,
    responses=responses(MemberNotFound, KeyNotFound),
)
async def revoke_key_of_member(user_id: str, key_id: str, caller: Caller, audited: Audited) -> None:
    """Let a key of a member open nothing from now on."""

    def work(db: Repositories) -> None:
        refuse_above(caller, db.members.get(user_id).role)
        db.keys.revoke(key_id, user_id)

    await audited.write(Act.KEY_REVOKED, key_id, work, owner=user_id)


async def _create(
    body: NewKeyBody, user_id: str, caller: Principal, audited: AuditedStore
) -> CreatedKeyBody:
    fresh = fresh_key()

    def work(db: Repositories) -> ApiKey:
        owner = db.members.get(user_id)
        if not (owner.is_service or user_id == caller.user_id):
            raise Forbidden("People make their own keys. Admins make those of services.")
        scope = scope_for(caller, owner.role, body.permissions, body.agent_id, body.expires_in_days)
        return db.keys.add(fresh, user_id, body.name, scope, caller.user_id)

    details = body.model_dump(mode="json", exclude_none=True) | {"owner": user_id}
    key = await audited.write(Act.KEY_CREATED, fresh.id, work, **details)
    return CreatedKeyBody(**key.model_dump(), key=fresh.secret)


def _listed(page: Page[ApiKey]) -> KeyList:
    keys = [KeyBody.model_validate(key.model_dump()) for key in page.items]
    return KeyList(keys=keys, next_cursor=page.next_cursor)
