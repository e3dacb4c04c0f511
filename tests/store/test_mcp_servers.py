"""MCP servers that a tenant set up."""

import pytest

from omniforge import clock
from omniforge.errors import McpServerExists, McpServerNotFound
from omniforge.identity import new_id
from omniforge.store.mcp_servers import StoredServer
from omniforge.tools.mcp.servers import Trust
from tests.store.making import Tenant


def a_server(name: str) -> StoredServer:
    return StoredServer(
        id=new_id("mcp"),
        name=name,
        url="https://x.example/mcp",
        headers={"X-Team": "sales"},
        trust=Trust.ANNOTATIONS,
        read_only=("search",),
        created_by="us_1",
        created_at=clock.now(),
    )


async def test_a_server_is_kept_found_and_forgotten(tenant: Tenant) -> None:
    server = a_server("crm")
    await tenant.mine.write(lambda db: db.mcp_servers.add(server))

    found = await tenant.mine.read(lambda db: db.mcp_servers.named(["crm", "other"]))
    page = await tenant.mine.read(lambda db: db.mcp_servers.page(10, None))
    with pytest.raises(McpServerExists):
        await tenant.mine.write(lambda db: db.mcp_servers.add(a_server("crm")))
    await tenant.mine.write(lambda db: db.mcp_servers.remove("crm"))
    with pytest.raises(McpServerNotFound):
        await tenant.mine.write(lambda db: db.mcp_servers.remove("crm"))

    assert found == {"crm": server}
    assert page.items == [server]
    assert found["crm"].server().reads_only("search", hint=False)
