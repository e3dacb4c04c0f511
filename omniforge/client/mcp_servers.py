"""`client.mcp_servers`."""

from collections.abc import Mapping, Sequence
from urllib.parse import quote

from omniforge.client.models import McpServer, Page
from omniforge.client.transport import Transport
from omniforge.tools.mcp.servers import Trust

_SERVERS = "/api/v1/mcp-servers"


class McpServers:
    """The MCP servers whose tools agents of the workspace can use."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    async def list(self, *, limit: int = 50, cursor: str | None = None) -> Page[McpServer]:
        """The operator's servers, then those of the workspace, newest first."""
        return await self._transport.page(
            _SERVERS, "mcp_servers", McpServer, limit=limit, cursor=cursor
        )

    async def get(self, name: str) -> McpServer:
        return await self._transport.get(_path(name), McpServer)

    async def add(
        self,
        name: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        trust: Trust = Trust.NONE,
        read_only: Sequence[str] = (),
    ) -> McpServer:
        """Set up a server behind a URL.

        Raises:
            McpServerInvalid: The URL leads to a private address, or something looks like a secret.
            McpServerExists: The name is taken.
        """
        body = {"name": name, "url": url, "headers": dict(headers or {})}
        return await self._transport.post(
            _SERVERS, McpServer, json={**body, "trust": trust, "read_only": list(read_only)}
        )

    async def remove(self, name: str) -> None:
        """Forget a server. Skills that need it fail from then on, and say why."""
        await self._transport.send("DELETE", _path(name), repeatable=False)


def _path(name: str) -> str:
    return f"{_SERVERS}/{quote(name, safe='')}"
