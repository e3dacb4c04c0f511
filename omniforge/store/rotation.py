"""All secrets of the platform under its newest key, while it goes on working.

A page at a time, and each row only if nobody has changed it meanwhile: it can be broken off and begun
again at any time, also by two at once.
"""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from sqlalchemy import Connection, Table, select, update

from omniforge.errors import CiphertextInvalid, KeyMissing
from omniforge.keys import KeyRing
from omniforge.store.database import Database
from omniforge.store.resealing import count_sealed, reseal
from omniforge.store.tables import credentials, oauth_apps, oauth_states
from omniforge.vault import LocalKeys, Place, Vault, key_of

PAGE = 200

_COLUMNS: tuple[tuple[Table, str], ...] = (
    (credentials, "access_token_encrypted"),
    (credentials, "refresh_token_encrypted"),
    (oauth_apps, "client_secret_encrypted"),
    (oauth_states, "verifier_encrypted"),
)


@dataclass(slots=True)
class Rotated:
    """How far it is. `unreadable` are the places of secrets that no key here opens."""

    seen: int = 0
    rewrapped: int = 0
    unreadable: list[str] = field(default_factory=list)


async def rotate(database: Database, keys: KeyRing) -> AsyncIterator[Rotated]:
    """Put every secret under the newest key; tells how far it is after each page."""
    vault, so_far = Vault(LocalKeys(keys)), Rotated()
    for table, column in _COLUMNS:
        after = ""
        while page := await database.read(partial(_page, table, column, after)):
            after = page[-1].id
            for row in page:
                await _rewrap(database, vault, table, column, row, so_far)
            yield so_far
    so_far.rewrapped += await database.write(lambda connection: reseal(connection, keys))
    yield so_far


def count_under(connection: Connection, key_id: str) -> int:
    """How many secrets need this key: of connections, apps, consents and triggers."""
    count = count_sealed(connection, key_id)
    for table, column in _COLUMNS:
        query = select(table.c[column]).where(table.c[column].is_not(None))
        count += sum(
            _key_of(secret) == key_id for secret in connection.execute(query).scalars() if secret
        )
    return count


async def _rewrap(
    database: Database, vault: Vault, table: Table, column: str, row: Any, so_far: Rotated
) -> None:
    so_far.seen += 1
    place = Place(row.tenant_id, table.name, row.id, column)
    try:
        fresh = await vault.rewrap(row.secret, place)
    except (CiphertextInvalid, KeyMissing):
        so_far.unreadable.append(f"{table.name} {row.id}")
        return
    if fresh is None:
        return
    unchanged = table.c.id == row.id, table.c[column] == row.secret
    statement = update(table).where(*unchanged).values({column: fresh})
    # One that was changed meanwhile is under the newest key by that.
    so_far.rewrapped += await database.write(lambda c: c.execute(statement).rowcount)


def _page(table: Table, column: str, after: str, connection: Connection) -> Sequence[Any]:
    secret = table.c[column]
    query = select(table.c.id, table.c.tenant_id, secret.label("secret"))
    wanted = query.where(table.c.id > after, secret.is_not(None), secret != b"")
    return connection.execute(wanted.order_by(table.c.id).limit(PAGE)).all()


def _key_of(secret: bytes) -> str:
    try:
        return key_of(secret)
    except CiphertextInvalid:
        return ""
