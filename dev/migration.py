"""Writes the next migration: what the tables have become since the newest one."""

import sys
from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import create_engine

from omniforge.store.bootstrap import MIGRATIONS, migrate


def revise(message: str) -> None:
    """Bring an empty database to the newest revision and compare the tables with it."""
    number = len(list((MIGRATIONS / "versions").glob("[0-9]*.py"))) + 1
    with create_engine("sqlite://").begin() as connection:
        migrate(connection)
        config = Config(Path("alembic.ini"))
        config.attributes["connection"] = connection
        command.revision(config, message, autogenerate=True, rev_id=f"{number:04}")


if __name__ == "__main__":
    revise(" ".join(sys.argv[1:]))
