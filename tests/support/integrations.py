"""An integration's tools against a local server, called as the gateway calls them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

from omniforge.integrations.catalog import integration, integration_tools
from omniforge.integrations.http.access import HttpAccess
from omniforge.integrations.http.tokens import Token
from omniforge.journal.memory import MemoryBlobs
from omniforge.tools.protocol import Findable, Rehearsed, Tool, ToolCallContext, ToolSpec
from omniforge.tools.schema import ArgumentSchema
from omniforge.tools.workspace import Workspace

EFFECT = "of-" + "0123456789abcdef" * 2


@dataclass
class Tokens:
    """Hands out one token, and the next one to whoever was refused."""

    secrets: list[str] = field(default_factory=lambda: ["token-1"])

    async def token(self, refresh_from: str | None = None) -> Token:
        if refresh_from == self.secrets[0] and len(self.secrets) > 1:
            self.secrets.pop(0)
        return Token(self.secrets[0], "connection-1")


class Toolbox:
    """The tools of one integration, by name."""

    def __init__(self, name: str, url: str, folder: Path, tokens: Tokens | None = None) -> None:
        self.http = HttpAccess(base_urls={name: url}, first_pause=0.01)
        self.tokens = tokens or Tokens()
        self.integration = integration(name)
        self._tools = integration_tools(name, self.tokens, self.http)
        self._context = ToolCallContext(
            "t1", "run-1", "s1", Workspace(folder, MemoryBlobs()), effect_id=EFFECT
        )

    @property
    def specs(self) -> Mapping[str, ToolSpec]:
        return {tool.spec.name: tool.spec for tool in self._tools}

    async def call(self, name: str, /, **arguments: Any) -> Any:
        return await self._checked(name, arguments).run(arguments, self._context)

    async def rehearse(self, name: str, /, **arguments: Any) -> Any:
        tool = cast(Rehearsed, self._checked(name, arguments))
        return await tool.rehearse(arguments, self._context)

    async def find(self, name: str, /, **arguments: Any) -> Any:
        tool = cast(Findable, self._checked(name, arguments))
        return await tool.find(EFFECT, arguments, self._context)

    def tool(self, name: str) -> Tool:
        return next(each for each in self._tools if each.spec.name == name)

    def _checked(self, name: str, arguments: Mapping[str, Any]) -> Tool:
        tool = self.tool(name)
        ArgumentSchema(name, tool.spec.parameters).check(arguments)
        return tool
