"""Connections and consents in the database. Their secrets come and go encrypted."""

from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import ColumnElement, RowMapping, delete, exists, select, update
from sqlalchemy import Connection as Transaction

from omniforge.errors import ConnectionNotFound
from omniforge.integrations.oauth.connection import (
    Connection,
    ConnectionStatus,
    Consent,
    SealedTokens,
    Tokens,
)
from omniforge.journal.events import NeededConnection
from omniforge.store.links import KEPT_AFTER_END
from omniforge.store.repository import Repository
from omniforge.store.sql import Page, insert_into, page_of
from omniforge.store.tables import (
    credentials,
    memberships,
    oauth_states,
)
from omniforge.store.waits import WaitRepository

if TYPE_CHECKING:
    from omniforge.integrations.oauth.manager import OAuthManager
    from omniforge.store.store import Store


class ConnectionRepository(Repository):
    def get(self, connection_id: str) -> tuple[Connection, SealedTokens]:
        """
        Raises:
            ConnectionNotFound: Missing, or another tenant's.
        """
        row = self._connection.execute(self._query(credentials.c.id == connection_id))
        if (found := row.mappings().first()) is None:
            raise ConnectionNotFound(connection_id)
        return _connection_of(found), _tokens_of(found)

    def page(self, limit: int, cursor: str | None, user_id: str | None = None) -> Page[Connection]:
        """Connections that are not disconnected, newest first; of one person, or of all."""
        query = self._query(credentials.c.status != ConnectionStatus.DISCONNECTED)
        if user_id is not None:
            query = query.where(credentials.c.user_id == user_id)
        return page_of(self._connection, query, credentials, limit, cursor, _connection_of)

    def account(self, user_id: str, integration_id: str, account_id: str) -> Connection | None:
        query = self._query(
            credentials.c.user_id == user_id,
            credentials.c.integration_id == integration_id,
            credentials.c.account_id == account_id,
        )
        row = self._connection.execute(query).mappings().first()
        return None if row is None else _connection_of(row)

    def of_person(self, user_id: str, integration_id: str) -> list[Connection]:
        """A member's connections at one service that are not disconnected, oldest first."""
        query = self._query(
            credentials.c.user_id == user_id,
            credentials.c.integration_id == integration_id,
            credentials.c.status != ConnectionStatus.DISCONNECTED,
            self._is_members(),
        ).order_by(credentials.c.id)
        return [_connection_of(row) for row in self._connection.execute(query).mappings()]

    def usable(self, connection_id: str) -> Connection:
        """A connection of somebody who is a member still.

        Raises:
            ConnectionNotFound: It is missing, another tenant's, or of somebody who has left.
        """
        query = self._query(credentials.c.id == connection_id, self._is_members())
        row = self._connection.execute(query).mappings().first()
        if row is None:
            raise ConnectionNotFound(connection_id)
        return _connection_of(row)

    def save(self, connection: Connection, tokens: SealedTokens) -> bool:
        """Write a new connection, or all of one that is there.

        False when its account was connected under another id meanwhile.
        """
        row = {
            **connection.model_dump(exclude={"is_refreshed"}),
            "scopes": list(connection.scopes),
            **_row_of(tokens),
        }
        known = self.account(connection.user_id, connection.integration_id, connection.account_id)
        if known is None:
            statement = insert_into(self._connection, credentials).on_conflict_do_nothing()
            return self._connection.execute(statement, [row]).rowcount == 1
        if known.id != connection.id:
            return False
        mine = (credentials.c.id == known.id, credentials.c.tenant_id == self._tenant_id)
        self._connection.execute(update(credentials).where(*mine).values(row))
        return True

    def begin_refresh(self, connection: Connection, at: datetime) -> bool:
        """False when its pair is another one by now. A note that is there stays the first one."""
        began = connection.refresh_began_at or at
        return self._change(connection, refresh_began_at=began)

    def end_refresh(self, connection: Connection) -> None:
        self._change(connection, refresh_began_at=connection.refresh_began_at)

    def refreshed(self, connection: Connection, tokens: SealedTokens, at: datetime) -> None:
        self._change(
            connection,
            **_row_of(tokens),
            version=connection.version + 1,
            refresh_began_at=None,
            updated_at=at,
        )

    def mark(
        self, connection: Connection, status: ConnectionStatus, problem: str, at: datetime
    ) -> Connection:
        self._change(connection, status=status, problem=problem, updated_at=at)
        return self.get(connection.id)[0]

    def forget(self, connection: Connection, at: datetime) -> None:
        """No token of it stays, whichever pair it has by now."""
        gone = update(credentials).where(
            credentials.c.id == connection.id, credentials.c.tenant_id == self._tenant_id
        )
        values = {
            "status": ConnectionStatus.DISCONNECTED,
            "problem": "",
            "access_token_encrypted": b"",
            "refresh_token_encrypted": None,
            "refresh_began_at": None,
            "version": credentials.c.version + 1,
            "updated_at": at,
        }
        self._connection.execute(gone.values(values))

    def reconnected(self, run_id: str | None = None) -> dict[str, list[str]]:
        """Runs that wait for an account that is connected by now, each with the waits that can end.

        With an id, of this run only.
        """
        waits = WaitRepository(self._connection, self._tenant_id)
        return waits.that_can_end(
            run_id,
            lambda _, wait: wait.connection is not None and self._is_there(wait.connection),
        )

    def ask_consent(self, consent: Consent) -> None:
        """Keep a consent that is asked for, and no longer those that ended a day ago."""
        ended = oauth_states.c.expires_at < consent.created_at - KEPT_AFTER_END
        mine = oauth_states.c.tenant_id == self._tenant_id
        self._connection.execute(delete(oauth_states).where(mine, ended))
        row: dict[str, Any] = asdict(consent)
        row["verifier_encrypted"] = row.pop("verifier")
        self._connection.execute(insert_into(self._connection, oauth_states), [row])

    # ---- inside ------------------------------------------------------------------------------

    def _is_there(self, needed: NeededConnection) -> bool:
        if needed.connection_id is None:
            theirs = self.of_person(needed.user_id, needed.integration_id)
            return any(one.status is ConnectionStatus.ACTIVE for one in theirs)
        query = self._query(
            credentials.c.id == needed.connection_id,
            credentials.c.status == ConnectionStatus.ACTIVE,
            credentials.c.version > needed.version,
        )
        return self._connection.execute(query).first() is not None

    def _is_members(self) -> ColumnElement[bool]:
        """Whoever leaves takes their accounts along."""
        return exists().where(
            memberships.c.tenant_id == self._tenant_id,
            memberships.c.user_id == credentials.c.user_id,
        )

    def _query(self, *conditions: Any) -> Any:
        mine = credentials.c.tenant_id == self._tenant_id
        return select(credentials).where(mine, *conditions)

    def _change(self, connection: Connection, **values: Any) -> bool:
        """Change a connection that still has the pair that was read, and is in use."""
        statement = update(credentials).where(
            credentials.c.id == connection.id,
            credentials.c.tenant_id == self._tenant_id,
            credentials.c.version == connection.version,
            credentials.c.status == ConnectionStatus.ACTIVE,
        )
        return self._connection.execute(statement.values(**values)).rowcount == 1


class StoredConnections:
    """Connections as the OAuth manager keeps them."""

    def __init__(self, store: "Store") -> None:
        self._store = store

    async def ask_consent(self, consent: Consent) -> None:
        mine = self._store.for_tenant(consent.tenant_id)
        await mine.write(lambda db: db.connections.ask_consent(consent))

    async def take_consent(self, state_hash: str, at: datetime) -> Consent | None:
        return await self._store.database.write(lambda c: _take_consent(c, state_hash, at))

    async def get(self, tenant_id: str, connection_id: str) -> tuple[Connection, SealedTokens]:
        mine = self._store.for_tenant(tenant_id)
        return await mine.read(lambda db: db.connections.get(connection_id))

    async def account(
        self, tenant_id: str, user_id: str, integration_id: str, account_id: str
    ) -> Connection | None:
        mine = self._store.for_tenant(tenant_id)
        return await mine.read(
            lambda db: db.connections.account(user_id, integration_id, account_id)
        )

    async def save(self, connection: Connection, tokens: SealedTokens) -> bool:
        mine = self._store.for_tenant(connection.tenant_id)
        return await mine.write(lambda db: db.connections.save(connection, tokens))

    async def begin_refresh(self, connection: Connection, at: datetime) -> bool:
        mine = self._store.for_tenant(connection.tenant_id)
        return await mine.write(lambda db: db.connections.begin_refresh(connection, at))

    async def end_refresh(self, connection: Connection) -> None:
        mine = self._store.for_tenant(connection.tenant_id)
        await mine.write(lambda db: db.connections.end_refresh(connection))

    async def refreshed(self, connection: Connection, tokens: SealedTokens, at: datetime) -> None:
        mine = self._store.for_tenant(connection.tenant_id)
        await mine.write(lambda db: db.connections.refreshed(connection, tokens, at))

    async def mark(
        self, connection: Connection, status: ConnectionStatus, problem: str, at: datetime
    ) -> Connection:
        mine = self._store.for_tenant(connection.tenant_id)
        return await mine.write(lambda db: db.connections.mark(connection, status, problem, at))

    async def forget(self, connection: Connection, at: datetime) -> None:
        mine = self._store.for_tenant(connection.tenant_id)
        await mine.write(lambda db: db.connections.forget(connection, at))


class StoredAccounts:
    """Connections as runs use them: the store's, with the tokens that the manager keeps fresh."""

    def __init__(self, store: "Store", manager: "OAuthManager") -> None:
        self._store, self._manager = store, manager

    async def of_person(
        self, tenant_id: str, user_id: str, integration_id: str
    ) -> Sequence[Connection]:
        mine = self._store.for_tenant(tenant_id)
        return await mine.read(lambda db: db.connections.of_person(user_id, integration_id))

    async def get(self, tenant_id: str, connection_id: str) -> Connection:
        mine = self._store.for_tenant(tenant_id)
        return await mine.read(lambda db: db.connections.usable(connection_id))

    async def tokens(self, connection: Connection, refused: int) -> Tokens:
        return await self._manager.tokens(connection.id, connection.tenant_id, refused)


def connections_to_tend(
    transaction: Transaction, after: str, limit: int
) -> Sequence[tuple[str, str]]:
    """A page of the connections of all tenants that end some time: (tenant, connection)."""
    query = (
        select(credentials.c.tenant_id, credentials.c.id)
        .where(
            credentials.c.status == ConnectionStatus.ACTIVE,
            credentials.c.refresh_token_encrypted.is_not(None),
            credentials.c.id > after,
        )
        .order_by(credentials.c.id)
        .limit(limit)
    )
    return [(row.tenant_id, row.id) for row in transaction.execute(query)]


def _take_consent(transaction: Transaction, state_hash: str, at: datetime) -> Consent | None:
    statement = (
        update(oauth_states)
        .where(oauth_states.c.id == state_hash, oauth_states.c.used_at.is_(None))
        .values(used_at=at)
        .returning(*oauth_states.c)
    )
    row = transaction.execute(statement).mappings().first()
    if row is None:
        return None
    taken = {name: row[name] for name in row if name not in {"verifier_encrypted", "used_at"}}
    return Consent(**taken, verifier=row["verifier_encrypted"])


def _connection_of(row: RowMapping) -> Connection:
    is_refreshed = row["refresh_token_encrypted"] is not None
    return Connection.model_validate({**row, "is_refreshed": is_refreshed})


def _tokens_of(row: RowMapping) -> SealedTokens:
    return SealedTokens(
        access=row["access_token_encrypted"],
        refresh=row["refresh_token_encrypted"],
        type=row["token_type"],
        expires_at=row["expires_at"],
        scopes=tuple(row["scopes"]),
    )


def _row_of(tokens: SealedTokens) -> dict[str, Any]:
    row: dict[str, Any] = {
        "access_token_encrypted": tokens.access,
        "refresh_token_encrypted": tokens.refresh,
        "token_type": tokens.type,
        "expires_at": tokens.expires_at,
    }
    if tokens.scopes:  # a refresh may leave them out, and they are what they were
        row["scopes"] = list(tokens.scopes)
    return row
