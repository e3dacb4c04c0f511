"""The operator's MCP servers, tried from this machine."""

from typing import TYPE_CHECKING

from omniforge.cli.doctor.check import FAIL, OK, WARN, Check
from omniforge.cli.mcp import look_at
from omniforge.errors import McpServerUnavailable, OmniForgeError
from omniforge.tools.mcp.servers import Server, read_servers

if TYPE_CHECKING:
    from omniforge.settings import Settings


async def of_file(settings: "Settings") -> list[Check]:
    """One check a server; none where no file is set."""
    try:
        servers = read_servers(settings.mcp_servers)
    except OmniForgeError as error:
        advice = "Correct the file, or OMNIFORGE_MCP_SERVERS."
        return [Check("MCP", FAIL, error.message, advice)]
    return [await _looked(name, server, settings) for name, server in servers.every()]


async def _looked(name: str, server: Server, settings: "Settings") -> Check:
    try:
        looked = await look_at(name, server, settings)
    except McpServerUnavailable as error:
        advice = "Try its command or URL by hand; skills that need it fail until it answers."
        return Check(f"MCP:{name}", FAIL, error.message, advice)
    found = f"{len(looked.listing.offers)} tools after {looked.seconds:.2f} s"
    if problems := looked.listing.problems:
        advice = f"`omniforge mcp test {name}` lists what is left out."
        return Check(f"MCP:{name}", WARN, f"{found}; {problems[0]}", advice)
    return Check(f"MCP:{name}", OK, found)
