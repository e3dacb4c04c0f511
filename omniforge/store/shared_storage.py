"""Proof that all processes of a platform see one storage folder."""

from sqlalchemy import Connection, select

from omniforge.errors import BlobMissing, StorageUnavailable
from omniforge.identity import new_id
from omniforge.store.sql import insert_into
from omniforge.store.store import Store
from omniforge.store.tables import platform_marks

_NAME = "storage"


async def prove_shared(store: Store, who: str) -> None:
    """Leave a mark for the others, or find theirs: its digest is in the database, its bytes a blob.

    Raises:
        StorageUnavailable: Another process left its mark in a folder that is not ours.
    """
    digest = await store.database.read(_mark)
    if digest is None:
        fresh = await store.blobs.put(f"storage of {new_id('platform')}".encode())
        digest = await store.database.write(lambda connection: _leave(connection, fresh))
    try:
        await store.blobs.get(digest)
    except BlobMissing as error:
        raise StorageUnavailable(
            f"This {who} does not see the storage folder that the rest of the platform uses. Point"
            " OMNIFORGE_STORAGE of all processes at the same shared folder."
        ) from error


def _mark(connection: Connection) -> str | None:
    query = select(platform_marks.c.digest).where(platform_marks.c.name == _NAME)
    return connection.execute(query).scalar_one_or_none()


def _leave(connection: Connection, digest: str) -> str:
    """The first mark counts, also when two processes start at once."""
    statement = insert_into(connection, platform_marks).on_conflict_do_nothing()
    connection.execute(statement, [{"name": _NAME, "digest": digest}])
    return _mark(connection) or digest
