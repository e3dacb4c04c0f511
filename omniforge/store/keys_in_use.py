"""Which keys the platform's payloads are encrypted with, so that no process works without one of them."""

from sqlalchemy import Connection, delete, select

from omniforge.errors import KeyMissing, Rejected
from omniforge.keys import KeyRing
from omniforge.store.database import Database
from omniforge.store.rotation import count_under
from omniforge.store.sql import insert_into
from omniforge.store.tables import platform_marks

_PREFIX = "key/"


async def prove_keys(database: Database, keys: KeyRing) -> None:
    """Note which key this process encrypts with, once it has all that others have noted.

    A worker that could not read what a run's history holds would use up the attempts of its skills.

    Raises:
        KeyMissing: A key is in use that this process does not have.
    """
    for key_id in await database.read(_in_use):
        try:
            keys.refuse_unless_known(key_id)
        except KeyMissing as error:
            raise KeyMissing(
                key_id,
                f"{error.message} Only when nothing needs it any more:"
                f" `python -m api retire-key {key_id}`.",
            ) from None
    if keys:
        await database.write(lambda connection: _note(connection, keys.newest))


async def retire_key(database: Database, key_id: str) -> None:
    """Let processes start without a key. What is still encrypted with it can then not be read.

    Raises:
        Rejected: That key is not in use, or secrets are encrypted with it.
    """
    in_use = await database.read(_in_use)
    if key_id not in in_use:
        raise Rejected(f"No key {key_id!r} is in use here; in use: {', '.join(in_use) or 'none'}.")
    if count := await database.read(lambda connection: count_under(connection, key_id)):
        raise Rejected(
            f"Rows with secrets under key {key_id!r}: {count}. Put a newer key in front of it, and run"
            " `omniforge connections rotate-keys`."
        )
    mark = platform_marks.c.name == _PREFIX + key_id
    await database.write(lambda connection: connection.execute(delete(platform_marks).where(mark)))


def _in_use(connection: Connection) -> list[str]:
    names = select(platform_marks.c.name).where(platform_marks.c.name.startswith(_PREFIX))
    return [
        name.removeprefix(_PREFIX)
        for name in connection.execute(names.order_by(platform_marks.c.name)).scalars()
    ]


def _note(connection: Connection, key_id: str) -> None:
    statement = insert_into(connection, platform_marks).on_conflict_do_nothing()
    connection.execute(statement, [{"name": _PREFIX + key_id, "digest": ""}])
