"""Members of a workspace: people and services, their roles, their leaving."""

from fastapi import APIRouter

from api.access.bodies import MemberBody, MemberList, NewService, RoleChange
from api.access.granting import refuse_above
from api.dependencies import Audited, Caller, Cursor, Limit, Mine
from api.errors import responses
from omniforge.errors import Forbidden, LastOwner, MemberNotFound, ScopeInvalid, Unauthenticated
from omniforge.identity import Role
from omniforge.store.audit import Act
from omniforge.store.members import Member
from omniforge.store.store import Repositories

router = APIRouter(
    prefix="/api/v1/members", tags=["access"], responses=responses(Unauthenticated, Forbidden)
)


@router.get("")
async def list_members(mine: Mine, limit: Limit = 50, cursor: Cursor = None) -> MemberList:
    """Who belongs to the workspace, newest users first."""
    page = await mine.read(lambda db: db.members.page(limit, cursor))
    return MemberList(members=[_body(one) for one in page.items], next_cursor=page.next_cursor)


@router.post("", status_code=201, responses=responses(ScopeInvalid))
async def add_service(body: NewService, caller: Caller, audited: Audited) -> MemberBody:
    """Add a service: a program with a role of its own. Then make a key for it. People are invited."""
    refuse_above(caller, body.role)
    _refuse_owning_service(body.role)

    def work(db: Repositories) -> Member:
        return db.members.add(body.name, body.role, is_service=True)

    return _body(await audited.write(Act.MEMBER_ADDED, body.name, work, role=body.role))


@router.patch("/{user_id}", responses=responses(MemberNotFound, LastOwner, ScopeInvalid))
async def change_role(
    user_id: str, body: RoleChange, caller: Caller, audited: Audited
) -> MemberBody:
    """Give a member another role. It holds at once, for every key they have."""
    refuse_above(caller, body.role)

    def work(db: Repositories) -> Member:
        member = db.members.get(user_id)
        refuse_above(caller, member.role)
        if member.is_service:
            _refuse_owning_service(body.role)
        return db.members.set_role(user_id, body.role)

    return _body(await audited.write(Act.MEMBER_CHANGED, user_id, work, role=body.role))


@router.delete("/{user_id}", status_code=204, responses=responses(MemberNotFound, LastOwner))
async def remove_member(user_id: str, caller: Caller, audited: Audited) -> None:
    """Let a member in no more. Their keys stop at once; their agents stay with the workspace."""

    def work(db: Repositories) -> None:
        refuse_above(caller, db.members.get(user_id).role)
        db.members.remove(user_id)

    await audited.write(Act.MEMBER_REMOVED, user_id, work)


def _refuse_owning_service(role: Role) -> None:
    if role is Role.OWNER:
        raise ScopeInvalid("A service cannot be an owner; `admin` is the most it can be.")


def _body(member: Member) -> MemberBody:
    return MemberBody.model_validate(member.model_dump())
