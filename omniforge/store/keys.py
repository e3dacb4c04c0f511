"""API keys of a tenant: what they open, never what they are."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from pydantic import AwareDatetime, BaseModel
from sqlalchemy import ColumnElement, RowMapping, bindparam, insert, or_, select, update

from omniforge import clock
from omniforge.errors import AgentNotFound, KeyNotFound
from omniforge.identity import KeyScope, Permission, new_id
from omniforge.store.access import SHOWN, key_hash, new_key
from omniforge.store.repository import Repository
from omniforge.store.sql import Page, page_of
from omniforge.store.tables import agent_configs, api_keys


class ApiKey(BaseModel, frozen=True):
    """A row of `api_keys`, without the hash."""

    id: str
    user_id: str
    name: str
    prefix: str
    permissions: tuple[Permission, ...] | None
    agent_id: str | None
    created_by: str | None
    created_at: AwareDatetime
    expires_at: AwareDatetime | None
    last_used_at: AwareDatetime | None
    revoked_at: AwareDatetime | None


class NewKey(BaseModel, frozen=True):
    """A key in the one moment in which it is known."""

    id: str
    secret: str


_USED = (
    update(api_keys)
    .where(
        api_keys.c.tenant_id == bindparam("tenant"),
        api_keys.c.id == bindparam("key"),
        or_(api_keys.c.last_used_at.is_(None), api_keys.c.last_used_at < bindparam("at")),
    )
    .values(last_used_at=bindparam("at"))
)


class KeyRepository(Repository):
    def add(self, key: NewKey, user_id: str, name: str, scope: KeyScope, created_by: str) -> ApiKey:
        """
        Raises:
            AgentNotFound: The agent that it is to be good for is missing, or another tenant's.
        """
        self._refuse_strange_agent(scope.agent_id)
        row = {
            "id": key.id,
            "tenant_id": self._tenant_id,
            "user_id": user_id,
            "name": name,
            "key_hash": key_hash(key.secret),
            "prefix": key.secret[:SHOWN],
            "permissions": None if scope.permissions is None else sorted(scope.permissions),
            "agent_id": scope.agent_id,
            "created_by": created_by,
            "created_at": clock.now(),
            "expires_at": scope.expires_at,
        }
        self._connection.execute(insert(api_keys), [row])
        return self.get(key.id, user_id)

    def get(self, key_id: str, user_id: str) -> ApiKey:
        """
        Raises:
            KeyNotFound: The person has no such key here.
        """
        query = select(api_keys).where(*self._of(user_id), api_keys.c.id == key_id)
        row = self._connection.execute(query).mappings().first()
        if row is None:
            raise KeyNotFound(key_id)
        return _key_of(row)

    def page(self, user_id: str, limit: int, cursor: str | None) -> Page[ApiKey]:
        """The keys of a person, newest first, with those that open nothing any more."""
        query = select(api_keys).where(*self._of(user_id))
        return page_of(self._connection, query, api_keys, limit, cursor, _key_of)

    def revoke(self, key_id: str, user_id: str) -> None:
        """From now on the key opens nothing. Again changes nothing.

        Raises:
            KeyNotFound: The person has no such key here.
        """
        self.get(key_id, user_id)
        self._revoke(user_id, api_keys.c.id == key_id)

    def revoke_all(self, user_id: str) -> int:
        """Revoke every key of a person in this tenant; how many there were."""
        return self._revoke(user_id)

    def used(self, times: Mapping[str, datetime]) -> None:
        """When keys, by their ids, were used last. A moment before the known one changes nothing."""
        rows = [{"tenant": self._tenant_id, "key": key, "at": at} for key, at in times.items()]
        self._connection.execute(_USED, rows)

    # ---- inside ------------------------------------------------------------------------------

    def _revoke(self, user_id: str, *which: ColumnElement[bool]) -> int:
        live = *self._of(user_id), api_keys.c.revoked_at.is_(None), *which
        statement = update(api_keys).where(*live).values(revoked_at=clock.now())
        return self._connection.execute(statement).rowcount

    def _of(self, user_id: str) -> Sequence[ColumnElement[bool]]:
        return api_keys.c.tenant_id == self._tenant_id, api_keys.c.user_id == user_id

    def _refuse_strange_agent(self, agent_id: str | None) -> None:
        if agent_id is None:
            return
        own = agent_configs.c.tenant_id == self._tenant_id, agent_configs.c.id == agent_id
        if self._connection.execute(select(agent_configs.c.id).where(*own)).first() is None:
            raise AgentNotFound(agent_id)


def fresh_key() -> NewKey:
    """A key that nobody has yet."""
    return NewKey(id=new_id("key"), secret=new_key())


def _key_of(row: RowMapping) -> ApiKey:
    return ApiKey.model_validate(dict(row))
