"""A real MCP server, made with the SDK: behind a URL in the tests' own process, or a program of its own.

`python honest.py FOLDER`: what it does to the world are lines of FOLDER/posts.
"""

import asyncio
import base64
import os
import sys
from pathlib import Path
from typing import Any

from mcp.server.mcpserver import Context, Image, MCPServer
from mcp.server.mcpserver.exceptions import ToolError
from mcp_types import (
    AudioContent,
    BlobResourceContents,
    EmbeddedResource,
    ToolAnnotations,
)

READS = ToolAnnotations(read_only_hint=True)
PIXEL = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)


def make_server(folder: Path) -> MCPServer:
    """`hold` waits while there is no file FOLDER/go; `die` ends the process in the middle of a call."""
    server = MCPServer("honest")
    _add_posting(server, folder)
    for reading in (add, whoami, fail, huge):
        server.add_tool(reading, annotations=READS)
    server.add_tool(picture, annotations=READS, structured_output=False)

    @server.tool(annotations=READS)
    async def change(context: Context) -> str:
        """Offer `add` in another form from now on, and say so."""
        server.remove_tool("add")
        server.add_tool(add_all, name="add", annotations=READS)
        await context.request_context.session.send_tool_list_changed()
        await context.notify_tools_changed()
        return "changed"

    return server


def _add_posting(server: MCPServer, folder: Path) -> None:
    def post(text: str) -> str:
        with (folder / "posts").open("a") as posts:
            posts.write(text + "\n")
        return f"posted {text}"

    @server.tool()
    def note(text: str) -> str:
        """Post a text."""
        return post(text)

    @server.tool()
    async def hold(text: str) -> str:
        """Post a text and answer when it is allowed to."""
        said = post(text)
        while not (folder / "go").exists():
            await asyncio.sleep(0.02)
        return said

    @server.tool()
    def die(text: str) -> str:
        """Post a text and die."""
        post(text)
        os._exit(3)


def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


def add_all(numbers: list[int]) -> int:
    """Add any number of numbers."""
    return sum(numbers)


def whoami() -> dict[str, Any]:
    """The server's process and its environment."""
    return {"pid": os.getpid(), "env": dict(os.environ)}


def fail() -> str:
    """Fail."""
    raise ToolError("the moon is in the wrong place")


def huge() -> str:
    """Ten million characters."""
    return "x" * 10_000_000


def picture() -> list[Any]:
    """A picture, a sound and a document."""
    blob = base64.b64encode(b"%PDF").decode()
    document = BlobResourceContents(uri="file:///a.pdf", mime_type="application/pdf", blob=blob)
    return [
        "Here they are.",
        Image(data=PIXEL, format="png"),
        AudioContent(data=base64.b64encode(b"la").decode(), mime_type="audio/wav"),
        EmbeddedResource(resource=document),
    ]


if __name__ == "__main__":
    make_server(Path(sys.argv[1])).run("stdio")
