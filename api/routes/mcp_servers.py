"""MCP servers: those of the workspace, beside those the operator offers to it."""

from fastapi import APIRouter, Request

from api.dependencies import Audited, Caller, Cursor, Limit, Mine, Operators
from api.errors import responses
from api.schemas.mcp_servers import McpServerBody, McpServerList, NewMcpServer
from omniforge import clock
from omniforge.errors import (
    McpServerExists,
    McpServerInvalid,
    McpServerNotFound,
    TryAgain,
    Unauthenticated,
)
from omniforge.identity import Principal, new_id
from omniforge.store.audit import Act
from omniforge.store.mcp_servers import StoredServer
from omniforge.tools.egress import Egress
from omniforge.tools.mcp.credentials import refuse_credentials

router = APIRouter(
    prefix="/api/v1/mcp-servers", tags=["mcp servers"], responses=responses(Unauthenticated)
)


@router.post("", status_code=201, responses=responses(McpServerInvalid, McpServerExists))
async def add_server(
    request: Request, body: NewMcpServer, audited: Audited, operators: Operators
) -> McpServerBody:
    """Set up a server. Agents may name it from now on; its tools are asked for when one of them runs."""
    egress: Egress = request.app.state.egress
    try:
        await egress.check(body.url)
    except TryAgain as refusal:
        raise McpServerInvalid(f"The URL cannot be used: {refusal.message}") from refusal
    refuse_credentials(body.url, body.headers)
    if operators.get(body.name, audited.caller.tenant_id) is not None:
        raise McpServerExists(body.name)
    server = _stored(body, audited.caller)
    await audited.write(
        Act.MCP_SERVER_ADDED, server.name, lambda db: db.mcp_servers.add(server), trust=body.trust
    )
    return McpServerBody.of(server)


@router.get("")
async def list_servers(
    mine: Mine, caller: Caller, operators: Operators, limit: Limit = 50, cursor: Cursor = None
) -> McpServerList:
    """The operator's servers first, then those of the workspace, newest first."""
    page = await mine.read(lambda db: db.mcp_servers.page(limit, cursor))
    offered = [] if cursor else operators.of_tenant(caller.tenant_id)
    bodies = [McpServerBody.of_operator(name, server) for name, server in offered]
    bodies += map(McpServerBody.of, page.items)
    return McpServerList(mcp_servers=bodies, next_cursor=page.next_cursor)


@router.get("/{name}", responses=responses(McpServerNotFound))
async def get_server(name: str, mine: Mine, caller: Caller, operators: Operators) -> McpServerBody:
    """One server."""
    own = await mine.read(lambda db: db.mcp_servers.named([name]))
    if name in own:
        return McpServerBody.of(own[name])
    offered = operators.get(name, caller.tenant_id)
    if offered is None:
        raise McpServerNotFound(name)
    return McpServerBody.of_operator(name, offered)


@router.delete("/{name}", status_code=204, responses=responses(McpServerNotFound))
async def remove_server(name: str, audited: Audited) -> None:
    """Forget a server of the workspace. Skills that need it fail from then on, and say why."""
    await audited.write(Act.MCP_SERVER_REMOVED, name, lambda db: db.mcp_servers.remove(name))


def _stored(body: NewMcpServer, caller: Principal) -> StoredServer:
    return StoredServer(
        **body.model_dump(), id=new_id("mcp"), created_by=caller.user_id, created_at=clock.now()
    )
