"""MCP servers for tests, and the tools they give to a skill."""

import contextlib
import sys
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

from mcp.server.mcpserver import MCPServer

from omniforge.errors import Observation
from omniforge.execution.loop.policy import CallPolicy
from omniforge.journal.steps import Step
from omniforge.skills.allowed_tools import AllowedTools
from omniforge.tools.mcp.servers import OperatorServers, ProcessServer, Server, WebServer
from omniforge.tools.mcp.source import McpTools, Reach, Wanted
from omniforge.tools.protocol import Tool, ToolCallContext
from tests.support.ports import free_port
from tests.support.servers import serving

HERE = Path(__file__).parent
TENANT = "tn_test"


def honest(folder: Path, **more: Any) -> ProcessServer:
    args = (str(HERE / "honest.py"), str(folder))
    return ProcessServer(command=sys.executable, args=args, **more)


def rogue(way: str, **more: Any) -> ProcessServer:
    return ProcessServer(command=sys.executable, args=("-S", str(HERE / "rogue.py"), way), **more)


Wrap = Callable[[Any], Any]


@contextlib.asynccontextmanager
async def on_the_web(
    server: MCPServer, wrap: Wrap | None = None, port: int = 0
) -> AsyncIterator[str]:
    """The URL of a server that runs in this process."""
    app, port = server.streamable_http_app(), port or free_port()
    # Sessions hold a stream open for as long as they live.
    async with serving(wrap(app) if wrap else app, port, grace=0):
        yield f"http://127.0.0.1:{port}/mcp"


def legacy(app: Any) -> Any:
    """The same server to a client that is refused the newest protocol: handshake, session, streams."""

    async def without_news(scope: Any, receive: Any, send: Any) -> None:
        method = dict(scope.get("headers", ())).get(b"mcp-method")
        if method == b"server/discover":
            await send({"type": "http.response.start", "status": 400, "headers": []})
            await send({"type": "http.response.body", "body": b""})
            return
        await app(scope, receive, send)

    return without_news


def web(url: str, **more: Any) -> WebServer:
    return WebServer(url=url, is_operators=True, **more)


@contextlib.asynccontextmanager
async def tools_of(
    servers: Mapping[str, Server],
    *,
    seconds: float = 20,
    environment: Mapping[str, str] | None = None,
    allow_private: Sequence[str] = (),
) -> AsyncIterator[McpTools]:
    """The tools of servers, as a worker's process has them."""
    reach = Reach(
        environment or {"PATH": "/usr/bin:/bin"}, tuple(allow_private), timedelta(seconds=seconds)
    )
    tools = McpTools(OperatorServers(servers), reach)
    try:
        yield tools
    finally:
        await tools.aclose()


async def offered(servers: McpTools, *names: str, **more: Any) -> Sequence[Tool]:
    """The tools of servers for a skill that may call whatever `allowed` says."""
    return (await servers.tools(wanted(*names, **more))).tools


def wanted(
    *servers: str, allowed: str | None = None, known: Sequence[Step] = (), **more: Any
) -> Wanted:
    policy = CallPolicy(AllowedTools.parse(allowed))
    return Wanted(TENANT, servers, policy, known=known, **more)


def by_name(tools: Sequence[Tool]) -> dict[str, Tool]:
    return {tool.spec.name: tool for tool in tools}


async def observed(tool: Tool, context: ToolCallContext, **arguments: Any) -> Observation:
    """What a call that fails tells the model."""
    try:
        answer = await tool.run(arguments, context)
    except Observation as observation:
        return observation
    raise AssertionError(f"it answered {answer!r}")
