"""The tools of the MCP servers that an agent names, for each of its skills."""

import logging
from collections.abc import Mapping, Sequence
from typing import Protocol

from omniforge.execution.loop.policy import CallPolicy
from omniforge.execution.work import SkillWork
from omniforge.journal.events import ToolsLeftOut
from omniforge.journal.journal import Journal
from omniforge.skills.allowed_tools import AllowedTools
from omniforge.skills.document import Skill
from omniforge.tools.mcp.servers import WebServer
from omniforge.tools.mcp.source import McpTools, Wanted
from omniforge.tools.protocol import Tool

log = logging.getLogger(__name__)

# Enough to see what is wrong with a server; `omniforge mcp test` lists all.
MAX_TOLD = 10


class OwnServers(Protocol):
    """What is asked of the store: the servers that a tenant set up itself."""

    async def named(self, tenant_id: str, names: Sequence[str]) -> Mapping[str, WebServer]: ...


class McpSource:
    def __init__(self, servers: McpTools, own: OwnServers) -> None:
        self._servers, self._own = servers, own

    async def tools(self, work: SkillWork, skill: Skill, journal: Journal) -> Sequence[Tool]:
        if not work.mcp_servers:
            return ()
        wanted = Wanted(
            tenant_id=work.tenant_id,
            servers=work.mcp_servers,
            policy=CallPolicy(AllowedTools(skill.allowed_tools), work.permissions),
            own_servers=await self._own.named(work.tenant_id, work.mcp_servers),
            known=journal.known,
        )
        offered = await self._servers.tools(wanted)
        if offered.problems:
            log.warning("mcp_tools_left_out", extra={"problems": offered.problems})
            journal.note(ToolsLeftOut(problems=tuple(offered.problems[:MAX_TOLD])))
        return offered.tools
