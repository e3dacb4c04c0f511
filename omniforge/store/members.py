"""Who belongs to a tenant, and as what."""

from dataclasses import dataclass

from pydantic import AwareDatetime, BaseModel
from sqlalchemy import ColumnElement, RowMapping, Select, delete, func, insert, select, update

from omniforge import clock
from omniforge.errors import AlreadyMember, LastOwner, MemberNotFound
from omniforge.identity import Role, new_id
from omniforge.store.invitations import InvitationRepository
from omniforge.store.keys import KeyRepository
from omniforge.store.repository import Repository
from omniforge.store.sql import Page, insert_into, page_of
from omniforge.store.tables import memberships, tenants, users


class Member(BaseModel, frozen=True):
    """A person, or a service, in a tenant."""

    user_id: str
    name: str
    role: Role
    is_service: bool
    joined_at: AwareDatetime | None


@dataclass(frozen=True, slots=True)
class Standing:
    """What a tenant knows of a user whom somebody else speaks for. No role: no member."""

    is_user: bool
    role: Role | None


class MemberRepository(Repository):
    def page(self, limit: int, cursor: str | None) -> Page[Member]:
        """Newest users first."""
        return page_of(self._connection, self._members(), users, limit, cursor, _member_of)

    def get(self, user_id: str) -> Member:
        """
        Raises:
            MemberNotFound: No member, or of another tenant only.
        """
        query = self._members().where(users.c.id == user_id)
        row = self._connection.execute(query).mappings().first()
        if row is None:
            raise MemberNotFound(user_id)
        return _member_of(row)

    def tenant_name(self) -> str:
        query = select(tenants.c.name).where(tenants.c.id == self._tenant_id)
        return str(self._connection.execute(query).scalar_one())

    def standing(self, user_id: str) -> Standing | None:
        """What is known of a user; None where there is no such tenant."""
        query = (
            select(users.c.id, memberships.c.role)
            .select_from(tenants)
            .outerjoin(users, users.c.id == user_id)
            .outerjoin(
                memberships,
                (memberships.c.tenant_id == tenants.c.id) & (memberships.c.user_id == users.c.id),
            )
            .where(tenants.c.id == self._tenant_id)
        )
        row = self._connection.execute(query).first()
        if row is None:
            return None
        return Standing(row.id is not None, None if row.role is None else Role(row.role))

    def is_person(self, user_id: str) -> bool:
        """Whether a user is known, in whichever tenant, and is no service."""
        people = users.c.id == user_id, users.c.is_service.is_(False)
        return self._connection.execute(select(users.c.id).where(*people)).first() is not None

    def add(self, name: str, role: Role, is_service: bool) -> Member:
        """A new user, who belongs to this tenant."""
        user_id = new_id("us")
        row = {"id": user_id, "name": name, "is_service": is_service, "created_at": clock.now()}
        self._connection.execute(insert(users), [row])
        return self.join(user_id, role)

    def join(self, user_id: str, role: Role) -> Member:
        """A user whom other tenants may know becomes a member of this one, too.

        Raises:
            AlreadyMember: They are one.
        """
        row = {"tenant_id": self._tenant_id, "user_id": user_id, "role": role}
        statement = insert_into(self._connection, memberships).on_conflict_do_nothing()
        if not self._connection.execute(statement, [{**row, "created_at": clock.now()}]).rowcount:
            raise AlreadyMember("You are a member of this workspace already.")
        return self.get(user_id)

    def set_role(self, user_id: str, role: Role) -> Member:
        """Give a member another role. Their keys follow it at once; their open invitations end.

        Raises:
            MemberNotFound: No member.
            LastOwner: Nobody else owns the tenant.
        """
        self._refuse_orphaning(user_id, role)
        changed = update(memberships).where(*self._place(user_id)).values(role=role)
        self._connection.execute(changed)
        self._invitations.withdraw_all(user_id)
        return self.get(user_id)

    def remove(self, user_id: str) -> int:
        """End a membership, with its keys and open invitations; how many keys it had.

        Agents, schedules and runs stay: they belong to the tenant.

        Raises:
            MemberNotFound: No member.
            LastOwner: Nobody else owns the tenant.
        """
        self._refuse_orphaning(user_id, None)
        keys = KeyRepository(self._connection, self._tenant_id).revoke_all(user_id)
        self._invitations.withdraw_all(user_id)
        self._connection.execute(delete(memberships).where(*self._place(user_id)))
        return keys

    # ---- inside ------------------------------------------------------------------------------

    @property
    def _invitations(self) -> InvitationRepository:
        return InvitationRepository(self._connection, self._tenant_id)

    def _refuse_orphaning(self, user_id: str, role: Role | None) -> None:
        """Two owners who unmake each other at once wait here: one of them comes second, and is told so."""
        lock = select(tenants.c.id).where(tenants.c.id == self._tenant_id).with_for_update()
        self._connection.execute(lock)
        is_owner = self.get(user_id).role is Role.OWNER
        if is_owner and role is not Role.OWNER and self._owners() == 1:
            raise LastOwner(user_id)

    def _owners(self) -> int:
        owners = memberships.c.tenant_id == self._tenant_id, memberships.c.role == Role.OWNER
        return self._connection.execute(select(func.count()).where(*owners)).scalar_one()

    def _place(self, user_id: str) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
        return memberships.c.tenant_id == self._tenant_id, memberships.c.user_id == user_id

    def _members(self) -> Select[tuple[object, ...]]:
        return (
            select(users, memberships.c.role, memberships.c.created_at.label("joined_at"))
            .join(memberships, memberships.c.user_id == users.c.id)
            .where(memberships.c.tenant_id == self._tenant_id)
        )


def _member_of(row: RowMapping) -> Member:
    return Member(
        user_id=row["id"],
        name=row["name"],
        role=row["role"],
        is_service=row["is_service"],
        joined_at=row["joined_at"],
    )
