"""The tools a process knows, by name."""

import re
from collections.abc import Iterable

from omniforge.errors import ToolInvalid
from omniforge.tools.protocol import Tool, ToolSpec
from omniforge.tools.schema import ArgumentSchema

# What every model provider accepts as the name of a function.
_NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}")


class ToolRegistry:
    """Tools in the order they were registered, each with its compiled schema."""

    def __init__(self, tools: Iterable[Tool] = ()) -> None:
        self._tools: dict[str, Tool] = {}
        self._schemas: dict[str, ArgumentSchema] = {}
        for tool in tools:
            self.register(tool)

    def register(self, tool: Tool) -> None:
        """Add a tool.

        Raises:
            ToolInvalid: The name is taken or not `[a-zA-Z0-9_-]{1,64}`, or the schema is broken.
        """
        name = tool.spec.name
        if not _NAME.fullmatch(name):
            raise ToolInvalid(
                f"{name!r} cannot name a tool; use 1 to 64 of a-z, A-Z, 0-9, _ and -."
            )
        if name in self._tools:
            raise ToolInvalid(f"There are two tools called {name!r}; names must differ.")
        self._schemas[name] = ArgumentSchema(name, tool.spec.parameters)
        self._tools[name] = tool

    def extended(self, *tools: Tool) -> "ToolRegistry":
        """A registry that has these tools as well. Compiled schemas are shared, not made again."""
        wider = ToolRegistry()
        wider._tools, wider._schemas = dict(self._tools), dict(self._schemas)
        for tool in tools:
            wider.register(tool)
        return wider

    def get(self, name: str) -> Tool | None:
        return self._tools.get(name)

    def schema_of(self, name: str) -> ArgumentSchema:
        """The compiled schema of a registered tool; compiled anew when its parameters are others now."""
        parameters, schema = self._tools[name].spec.parameters, self._schemas[name]
        if schema.parameters is not parameters:
            schema = self._schemas[name] = ArgumentSchema(name, parameters)
        return schema

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(self._tools)

    @property
    def specs(self) -> tuple[ToolSpec, ...]:
        return tuple(tool.spec for tool in self._tools.values())
