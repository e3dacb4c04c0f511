"""`omniforge mcp`."""

import time
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from omniforge.cli.agents import Cursor, Limit
from omniforge.cli.session import Session, on_platform

if TYPE_CHECKING:
    from omniforge.client import McpServer
    from omniforge.settings import Settings
    from omniforge.tools.mcp.listing import Listing
    from omniforge.tools.mcp.servers import Server

app = typer.Typer(no_args_is_help=True, help="Servers of tools (Model Context Protocol).")


class TrustWord(StrEnum):
    NONE = "none"
    ANNOTATIONS = "annotations"
    READ_ONLY = "read-only"


ServerName = Annotated[str, typer.Argument(metavar="NAME", help="The server's name.")]


@app.command("list")
@on_platform
async def list_servers(session: Session, limit: Limit = 50, cursor: Cursor = None) -> None:
    """The servers that agents of the workspace can use."""
    page = await session.client.mcp_servers.list(limit=limit, cursor=cursor)
    if session.out.as_json:
        session.out.document({"mcp_servers": page.items, "next_cursor": page.next_cursor})
        return
    session.out.table(
        ("NAME", "FROM", "OVER", "TRUST", "URL"),
        [(one.name, one.source, one.transport, one.trust, one.url or "-") for one in page],
    )
    if not page:
        session.out.note("No MCP servers yet. Add one: omniforge mcp add NAME URL")
    if page.next_cursor:
        session.out.note(f"There are more: --cursor {page.next_cursor}")


@app.command()
@on_platform
async def add(
    session: Session,
    name: ServerName,
    url: Annotated[str, typer.Argument(help="Where it speaks streamable HTTP.")],
    header: Annotated[
        list[str] | None, typer.Option(help="NAME=VALUE, as often as needed; never a secret.")
    ] = None,
    trust: Annotated[
        TrustWord, typer.Option(help="Whose word counts for it that a tool only reads.")
    ] = TrustWord.NONE,
    read_only: Annotated[
        list[str] | None, typer.Option("--read-only", help="A tool that only reads.")
    ] = None,
) -> None:
    """Set up a server of the workspace."""
    from omniforge.tools.mcp.servers import Trust

    server = await session.client.mcp_servers.add(
        name, url, headers=_headers(header or []), trust=Trust(trust), read_only=read_only or []
    )
    _tell(session, server)
    session.out.note(f"Next: omniforge mcp test {name}")


@app.command()
@on_platform
async def remove(session: Session, name: ServerName) -> None:
    """Forget a server of the workspace. Skills that need it fail from then on, and say why."""
    await session.client.mcp_servers.remove(name)
    session.out.note(f"Removed {name}.")


@app.command()
@on_platform
async def test(session: Session, name: ServerName) -> None:
    """Connect to a server from this machine and list its tools."""
    from omniforge.settings import load_settings

    settings = load_settings()
    server = await _server(session, name, settings)
    looked = await look_at(name, server, settings)
    if session.out.as_json:
        session.out.document(looked.document())
        return
    session.out.table(
        ("TOOL", "READS ONLY", "DESCRIPTION"),
        [
            (offer.name, server.reads_only(offer.told_as, offer.only_reads), offer.description)
            for offer in looked.listing.offers.values()
        ],
    )
    for problem in looked.listing.problems:
        session.out.note(f"Left out: {problem}")
    count = len(looked.listing.offers)
    session.out.note(f"{name} answered after {looked.seconds:.2f} s and offers {count} tools.")


@dataclass(frozen=True, slots=True)
class Looked:
    """What a server offers, and how long it took to say so."""

    name: str
    listing: "Listing"
    seconds: float

    def document(self) -> dict[str, object]:
        offers = self.listing.offers.values()
        return {
            "name": self.name,
            "seconds": round(self.seconds, 3),
            "tools": [{"name": one.name, "description": one.description} for one in offers],
            "problems": list(self.listing.problems),
        }


async def look_at(name: str, server: "Server", settings: "Settings") -> Looked:
    """Connect to a server as a worker on this machine would.

    Raises:
        McpServerUnavailable: It cannot be reached; the message says why.
    """
    from datetime import timedelta

    from omniforge.errors import McpServerUnavailable
    from omniforge.settings import environment
    from omniforge.tools.mcp.link import NotReached
    from omniforge.tools.mcp.servers import OperatorServers
    from omniforge.tools.mcp.source import McpTools, Reach

    timeout = timedelta(seconds=settings.mcp_timeout_s)
    reach = Reach(environment(), settings.http_allow_private, timeout)
    tools, began = McpTools(OperatorServers({}), reach), time.monotonic()
    try:
        listing = await tools.link(name, server, "").listing()
        return Looked(name, listing, time.monotonic() - began)
    except NotReached as error:
        said = f" It said: {error.said.strip()}" if error.said else ""
        raise McpServerUnavailable(
            f"The MCP server {name!r} cannot be reached: {error}.{said}"
        ) from error
    finally:
        await tools.aclose()


async def _server(session: Session, name: str, settings: "Settings") -> "Server":
    from omniforge.errors import McpServerUnavailable
    from omniforge.tools.mcp.servers import WebServer, read_servers

    known = await session.client.mcp_servers.get(name)
    if known.source == "workspace":
        described = known.model_dump(include={"url", "headers", "trust", "read_only"})
        return WebServer.model_validate(described)
    operators = dict(read_servers(settings.mcp_servers).every())
    if name not in operators:
        raise McpServerUnavailable(
            f"{name} is a server of the operator. Try it on the worker's machine, where"
            " OMNIFORGE_MCP_SERVERS names the file that describes it."
        )
    return operators[name]


def _headers(given: list[str]) -> dict[str, str]:
    pairs = [one.partition("=") for one in given]
    if wrong := [name for name, equals, _ in pairs if not equals or not name]:
        raise typer.BadParameter(f"{wrong[0]!r} is not NAME=VALUE", param_hint="--header")
    return {name: value for name, _, value in pairs}


def _tell(session: Session, server: "McpServer") -> None:
    if session.out.as_json:
        session.out.document(server)
        return
    session.out.facts(
        [
            ("name", server.name),
            ("url", server.url),
            ("trust", server.trust),
            ("reads only", ", ".join(server.read_only)),
            ("headers", ", ".join(server.headers)),
        ]
    )
