"""MCP servers that a tenant set up: addresses, never secrets."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from pydantic import AwareDatetime, BaseModel
from sqlalchemy import ColumnElement, RowMapping, delete, select

from omniforge.agents.config import McpServerName
from omniforge.errors import McpServerExists, McpServerNotFound
from omniforge.store.repository import Repository
from omniforge.store.sql import Page, insert_into, page_of
from omniforge.store.tables import mcp_servers
from omniforge.tools.mcp.servers import Trust, WebServer

if TYPE_CHECKING:
    from omniforge.store.store import Store

_COLUMNS = {"url", "headers", "trust", "read_only"}


class StoredServer(BaseModel, frozen=True):
    """A row of `mcp_servers`."""

    id: str
    name: McpServerName
    url: str
    headers: dict[str, str]
    trust: Trust
    read_only: tuple[str, ...]
    created_by: str
    created_at: AwareDatetime

    def server(self) -> WebServer:
        return WebServer.model_validate(self.model_dump(include=_COLUMNS))


class McpServerRepository(Repository):
    def add(self, server: StoredServer) -> None:
        """
        Raises:
            McpServerExists: The tenant has one of that name.
        """
        row = {**server.model_dump(mode="json"), "created_at": server.created_at}
        statement = insert_into(self._connection, mcp_servers).on_conflict_do_nothing()
        row["tenant_id"] = self._tenant_id
        if self._connection.execute(statement, [row]).rowcount != 1:
            raise McpServerExists(server.name)

    def get(self, name: str) -> StoredServer:
        """
        Raises:
            McpServerNotFound: Missing, or another tenant's.
        """
        found = self.named([name])
        if not found:
            raise McpServerNotFound(name)
        return found[name]

    def named(self, names: Sequence[str]) -> dict[str, StoredServer]:
        """Those of these servers that are there, by name."""
        query = select(mcp_servers).where(self._mine(), mcp_servers.c.name.in_(names))
        rows = self._connection.execute(query).mappings()
        return {row["name"]: _server_of(row) for row in rows}

    def page(self, limit: int, cursor: str | None) -> Page[StoredServer]:
        query = select(mcp_servers).where(self._mine())
        return page_of(self._connection, query, mcp_servers, limit, cursor, _server_of)

    def remove(self, name: str) -> None:
        """Forget a server. Agents that name it keep the name, and their runs say that it is gone.

        Raises:
            McpServerNotFound: Missing, or another tenant's.
        """
        statement = delete(mcp_servers).where(self._mine(), mcp_servers.c.name == name)
        if self._connection.execute(statement).rowcount != 1:
            raise McpServerNotFound(name)

    def _mine(self) -> ColumnElement[bool]:
        return mcp_servers.c.tenant_id == self._tenant_id


class StoredServers:
    """A tenant's servers as a skill's source of tools reads them."""

    def __init__(self, store: "Store") -> None:
        self._store = store

    async def named(self, tenant_id: str, names: Sequence[str]) -> Mapping[str, WebServer]:
        found = await self._store.for_tenant(tenant_id).read(lambda db: db.mcp_servers.named(names))
        return {name: stored.server() for name, stored in found.items()}


def _server_of(row: RowMapping) -> StoredServer:
    return StoredServer.model_validate(dict(row))
