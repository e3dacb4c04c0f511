"""From an empty database to one that a person can use: migrations, first tenant, first key."""

from pathlib import Path

from pydantic import BaseModel, ConfigDict
from sqlalchemy import Connection, select, text

from omniforge.errors import Rejected, Unauthenticated
from omniforge.identity import Principal, Role
from omniforge.store.access import create_key, create_tenant, principal_of
from omniforge.store.database import open_database
from omniforge.store.tables import memberships, tenants

MIGRATIONS = Path(__file__).parent / "migrations"

# Two processes that start at once must not both migrate; the number is only ours by choice.
_MIGRATION_LOCK = 5_610_461


class Credentials(BaseModel):
    """What `credentials.json` holds: enough for the CLI to talk to the platform beside it."""

    model_config = ConfigDict(extra="ignore")

    api_url: str
    api_key: str
    tenant_id: str


async def prepare(database_url: str) -> None:
    """Bring the database to the newest schema. Safe to repeat, and from several processes."""
    database = open_database(database_url)
    try:
        await database.write(migrate)
    finally:
        await database.close()


def migrate(connection: Connection) -> None:
    """Run what is missing of the migrations in the caller's transaction."""
    from alembic import command
    from alembic.config import Config

    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:n)"), {"n": _MIGRATION_LOCK})
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


async def first_credentials(database_url: str, api_url: str, path: Path) -> Credentials:
    """The credentials in `path`, made on the first start: a tenant, its owner and a key.

    The file is written with mode 0600. When its key is unknown to this database (the database was
    deleted), a new key is made for the first tenant there is, or for a new one.
    """
    database = open_database(database_url)
    try:
        credentials = await database.write(
            lambda c: _known_or_new(c, api_url, read_credentials(path))
        )
    finally:
        await database.close()
    _write(path, credentials)
    return credentials


def _known_or_new(connection: Connection, api_url: str, kept: Credentials | None) -> Credentials:
    if kept is not None and (tenant_id := _tenant_of(connection, kept.api_key)) is not None:
        return Credentials(api_url=api_url, api_key=kept.api_key, tenant_id=tenant_id)
    owner = _first_owner(connection) or create_tenant(connection, "My workspace", "Admin")
    key = create_key(connection, owner, "first key of this machine")
    return Credentials(api_url=api_url, api_key=key, tenant_id=owner.tenant_id)


def _tenant_of(connection: Connection, key: str) -> str | None:
    try:
        return principal_of(connection, key).tenant_id
    except Unauthenticated:
        return None


def _first_owner(connection: Connection) -> Principal | None:
    query = (
        select(memberships)
        .join(tenants, tenants.c.id == memberships.c.tenant_id)
        .where(memberships.c.role == Role.OWNER)
        .order_by(tenants.c.created_at)
    )
    row = connection.execute(query).mappings().first()
    return None if row is None else Principal(row["tenant_id"], row["user_id"], Role.OWNER)


def read_credentials(path: Path) -> Credentials | None:
    """The credentials in a file, or None when there is none.

    Raises:
        Rejected: The file is there and is not what we wrote.
    """
    if not path.exists():
        return None
    try:
        return Credentials.model_validate_json(path.read_bytes())
    except ValueError as error:
        raise Rejected(
            f"{path} is not a credentials file. Move it away and start again to get a new one."
        ) from error


def _write(path: Path, credentials: Credentials) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_suffix(".new")
    fresh.touch(mode=0o600)
    fresh.chmod(0o600)  # it may be there already, left by a start that was killed
    fresh.write_text(credentials.model_dump_json(indent=2) + "\n")
    fresh.replace(path)
