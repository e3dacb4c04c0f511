"""`client.connections`."""

import builtins
from typing import Any, Literal
from urllib.parse import quote

from pydantic import AwareDatetime, BaseModel

from omniforge.client.models import Page
from omniforge.client.transport import Transport

_CONNECTIONS = "/api/v1/connections"
_APPS = "/api/v1/oauth/apps"


class Connection(BaseModel, frozen=True):
    """An account of an outside service. `problem` says why it is broken."""

    id: str
    user_id: str
    integration_id: str
    account_id: str
    workspace_name: str
    status: Literal["active", "broken", "disconnected"]
    problem: str
    scopes: tuple[str, ...]
    expires_at: AwareDatetime | None
    is_refreshed: bool
    created_at: AwareDatetime
    updated_at: AwareDatetime

    @property
    def name(self) -> str:
        return self.workspace_name or self.account_id


class ConnectLink(BaseModel, frozen=True):
    """Where a person begins to connect an account, once, in a browser of their own."""

    url: str
    expires_at: AwareDatetime


class IntegrationTool(BaseModel, frozen=True):
    """`effect` says what a call may change: read, keyed, findable or ask."""

    name: str
    description: str
    effect: str


class IntegrationInfo(BaseModel, frozen=True):
    """A service that can be connected. `app` says whose app people are asked to allow, if there is one."""

    id: str
    title: str
    app: Literal["own", "platform"] | None
    takes_tokens: bool
    tools: tuple[IntegrationTool, ...]


class OAuthApp(BaseModel, frozen=True):
    """A workspace's own app at a service. Its secret is never shown."""

    integration_id: str
    client_id: str
    created_by: str
    created_at: AwareDatetime


class Connections:
    """Accounts of outside services: the caller's own, and for admins all of the workspace."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    async def list(self, *, limit: int = 50, cursor: str | None = None) -> Page[Connection]:
        """Newest first."""
        return await self._transport.page(
            _CONNECTIONS, "connections", Connection, limit=limit, cursor=cursor
        )

    async def get(self, connection_id: str) -> Connection:
        return await self._transport.get(_path(_CONNECTIONS, connection_id), Connection)

    async def link(self, integration_id: str, connection_id: str | None = None) -> ConnectLink:
        """A link for a person to connect an account with; with an id, that connection anew.

        Raises:
            IntegrationUnknown: There is no such integration, or no app is set up for it.
        """
        body = {"integration_id": integration_id, "connection_id": connection_id}
        return await self._transport.post("/api/v1/oauth/links", ConnectLink, json=body)

    async def bring(self, integration_id: str, token: str) -> Connection:
        """Connect the account of a token that the service itself has given out.

        Raises:
            TokenDenied: The service does not take it.
        """
        body = {"integration_id": integration_id, "token": token}
        return await self._transport.post(_CONNECTIONS, Connection, json=body)

    async def disconnect(self, connection_id: str) -> None:
        """End a connection, at its service too where that can be asked."""
        await self._transport.send("DELETE", _path(_CONNECTIONS, connection_id), repeatable=True)

    async def integrations(self) -> builtins.list[IntegrationInfo]:
        """All services that can be connected."""
        found = await self._transport.page("/api/v1/integrations", "integrations", IntegrationInfo)
        return [*found]

    async def apps(self) -> builtins.list[OAuthApp]:
        """The workspace's own apps."""
        return [*await self._transport.page(_APPS, "apps", OAuthApp)]

    async def set_app(self, integration_id: str, client_id: str, client_secret: str) -> OAuthApp:
        """Connect through the workspace's own app from now on.

        Raises:
            AppInUse: Another one is set, and connections live on it.
        """
        body: dict[str, Any] = {"client_id": client_id, "client_secret": client_secret}
        return await self._transport.put(_path(_APPS, integration_id), OAuthApp, json=body)

    async def remove_app(self, integration_id: str) -> None:
        """
        Raises:
            AppInUse: Connections live on it.
        """
        await self._transport.send("DELETE", _path(_APPS, integration_id), repeatable=False)


def _path(folder: str, name: str) -> str:
    return f"{folder}/{quote(name, safe='')}"
