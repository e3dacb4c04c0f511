"""Tools that are one function."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from omniforge.journal.steps import EffectClass, Json
from omniforge.tools.protocol import ToolCallContext, ToolSpec

Run = Callable[[Mapping[str, Any], ToolCallContext], Awaitable[Json]]


@dataclass(frozen=True, slots=True)
class FunctionTool:
    """A spec and the function that does the work; every call has the effect class of the spec."""

    spec: ToolSpec
    function: Run

    def effect_of(self, arguments: Mapping[str, Any]) -> EffectClass:
        return self.spec.effect

    async def run(self, arguments: Mapping[str, Any], context: ToolCallContext) -> Json:
        return await self.function(arguments, context)
