"""One person who connects accounts at a strict service."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from omniforge.integrations.oauth.config import OAuthConfig
from omniforge.integrations.oauth.connection import Connection
from omniforge.integrations.oauth.manager import OAuthManager
from omniforge.integrations.oauth.token_endpoint import TokenEndpoint
from omniforge.keys import KeyRing, new_key
from omniforge.store.connections import StoredConnections
from omniforge.tools.egress import Egress
from omniforge.vault import LocalKeys, Vault
from tests.store.making import Tenant
from tests.support.oauth_server import OAuthServer

BROWSER = "what the cookie holds"


@dataclass
class Desk:
    """One person of a tenant, with a manager and a service to connect to."""

    tenant: Tenant
    server: OAuthServer
    manager: OAuthManager
    connections: StoredConnections
    settings: dict[str, Any]

    @property
    def me(self) -> tuple[str, str]:
        return self.tenant.owner.user_id, self.tenant.id

    async def sent(self, connection_id: str | None = None) -> tuple[str, str]:
        return await self.manager.initiate_flow(
            "acme", *self.me, "session-1", browser=BROWSER, connection_id=connection_id
        )

    async def connect(self, account: str = "acc-1", connection_id: str | None = None) -> str:
        url, state = await self.sent(connection_id)
        code = self.server.consent(url, account)
        return await self.manager.complete_flow(code, state, browser=BROWSER)

    async def connection(self, connection_id: str) -> Connection:
        return await self.manager.connection(connection_id, self.tenant.id)

    async def refresh(self, connection_id: str, known: int = 1) -> Connection:
        return await self.manager.refresh(connection_id, self.tenant.id, known)


@asynccontextmanager
async def a_desk(tenant: Tenant, server: OAuthServer) -> AsyncIterator[Desk]:
    settings: dict[str, Any] = {}
    connections = StoredConnections(tenant.store)

    async def configs(tenant_id: str, integration_id: str, app_id: str | None) -> OAuthConfig:
        return server.config(**settings)

    async def refresher(connection: Connection, is_refused: bool) -> None:
        await manager.refresh(
            connection.id, connection.tenant_id, connection.version, is_refused=is_refused
        )

    vault = Vault(LocalKeys(KeyRing.of([new_key()])))
    endpoint = TokenEndpoint(Egress(["127.0.0.1"]))
    manager = OAuthManager(configs, vault, connections, endpoint, refresher)
    async with server:
        yield Desk(tenant, server, manager, connections, settings)
