"""MCP servers over HTTP."""

from typing import Literal

from pydantic import BaseModel, Field

from api.schemas.agents import Text
from omniforge.agents.config import McpServerName
from omniforge.client import models
from omniforge.store.mcp_servers import StoredServer
from omniforge.tools.mcp.servers import Server, Trust


class NewMcpServer(BaseModel, extra="forbid"):
    """A server behind a URL (streamable HTTP), with headers that hold no secret.

    `trust` says whose word is taken for it that a tool only reads: `none`, `annotations` (the server's
    own) or `read-only` (all its tools). `read_only` lists single ones.
    """

    name: McpServerName
    url: Text = Field(min_length=1, max_length=2_048)
    headers: dict[Text, Text] = Field(default={}, max_length=20)
    trust: Trust = Trust.NONE
    read_only: list[Text] = Field(default=[], max_length=200)


class McpServerBody(models.McpServer):
    """A server that agents of the workspace can use."""

    @classmethod
    def of(cls, server: StoredServer) -> "McpServerBody":
        return cls.model_validate(
            {**server.model_dump(), "source": "workspace", "transport": "http"}
        )

    @classmethod
    def of_operator(cls, name: str, server: Server) -> "McpServerBody":
        """Without its address: that, and what it is started with, is the operator's own."""
        transport: Literal["stdio", "http"] = "stdio" if server.type == "stdio" else "http"
        return cls(
            name=name,
            source="operator",
            transport=transport,
            trust=server.trust,
            read_only=server.read_only,
        )


class McpServerList(BaseModel):
    mcp_servers: list[McpServerBody]
    next_cursor: str | None
