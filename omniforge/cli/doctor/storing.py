"""The database and the folder of files that the processes of a platform share."""

from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Connection, select
from sqlalchemy.engine import URL, make_url

from omniforge.cli.doctor.check import FAIL, OK, WARN, Check
from omniforge.errors import BlobMissing, OmniForgeError
from omniforge.store.bootstrap import MIGRATIONS
from omniforge.store.database import open_database
from omniforge.store.store import open_store
from omniforge.store.tables import platform_marks

if TYPE_CHECKING:
    from omniforge.settings import Settings


async def database(settings: "Settings") -> Check:
    url = make_url(settings.database)
    shown = url.render_as_string(hide_password=True)
    if _is_missing(url):
        advice = "`make up` makes it. It is not needed where the platform runs elsewhere."
        return Check("Database", WARN, f"{url.database} is not there", advice)
    opened = open_database(settings.database)
    try:
        current = await opened.read(_revision)
    except OmniForgeError as error:
        advice = "Start the database, or correct OMNIFORGE_DATABASE_URL."
        return Check("Database", FAIL, f"{shown}: {error.message}", advice)
    finally:
        await opened.close()
    return _compared(shown, current)


def _is_missing(url: URL) -> bool:
    return url.get_backend_name() == "sqlite" and not Path(url.database or "").is_file()


def _revision(connection: Connection) -> str | None:
    from alembic.migration import MigrationContext

    return MigrationContext.configure(connection).get_current_revision()


def _compared(shown: str, current: str | None) -> Check:
    from alembic.script import ScriptDirectory

    scripts = ScriptDirectory(str(MIGRATIONS))
    newest, known = scripts.get_current_head(), {each.revision for each in scripts.walk_revisions()}
    if current == newest:
        return Check("Database", OK, f"{shown}, revision {current}")
    if current is not None and current not in known:
        found = f"{shown} was made by a newer OmniForge (revision {current})"
        return Check("Database", FAIL, found, "Update OmniForge on this machine.")
    found = f"{shown} is at revision {current or 'none'}, this version needs {newest}"
    return Check("Database", FAIL, found, "Start the platform again: it migrates by itself.")


async def storage(settings: "Settings") -> Check:
    """Whether this machine sees the files that the database speaks of."""
    folder = settings.storage_path.absolute()
    store = open_store(settings.database, folder)
    try:
        digest = await store.database.read(_mark)
        if digest is None:
            return Check("Storage", WARN, f"{folder} has not been used yet")
        await store.blobs.get(digest)
    except BlobMissing:
        advice = "Point OMNIFORGE_STORAGE of all processes at the same shared folder."
        return Check("Storage", FAIL, f"{folder} is not the one the platform uses", advice)
    except (OmniForgeError, OSError) as error:
        return Check("Storage", FAIL, f"{folder} cannot be read: {error}", "Check its rights.")
    finally:
        await store.close()
    return Check("Storage", OK, f"{folder}, the one the platform uses")


def _mark(connection: Connection) -> str | None:
    return connection.execute(select(platform_marks.c.digest)).scalars().first()
