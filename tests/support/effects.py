"""A service that counts what really happened to it, and the tools that call it."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from omniforge.errors import ConnectionBroken, OutcomeUnknown, TryAgain
from omniforge.journal.steps import EffectClass
from omniforge.tools.functions import FunctionTool
from omniforge.tools.protocol import Tool, ToolCallContext, ToolSpec

_TEXT = {
    "type": "object",
    "properties": {"text": {"type": "string"}},
    "required": ["text"],
    "additionalProperties": False,
}


class CountingService:
    """Takes posts. `loses` answers after the post arrived; `refuses` before it does.

    While it is `broken`, nobody is connected to it.
    """

    def __init__(self) -> None:
        self.posts: list[tuple[str, str]] = []
        self.lost_answers = 0
        self.refusals = 0
        self.broken: ConnectionBroken | None = None

    def forget(self) -> None:
        self.posts, self.lost_answers, self.refusals = [], 0, 0
        self.broken = None

    def post(self, key: str, text: str, is_keyed: bool) -> dict[str, Any]:
        if self.broken is not None:
            raise self.broken
        if self.refusals:
            self.refusals -= 1
            raise TryAgain("the service said 403")
        known = is_keyed and any(earlier == key for earlier, _ in self.posts)
        if not known:
            self.posts.append((key, text))
        if self.lost_answers:
            self.lost_answers -= 1
            raise OutcomeUnknown("the line was cut")
        return {"posted": text}

    def tools(self) -> list[Tool]:
        """`post_keyed`, `post_findable` and `post_ask`: the same post, with three kinds of safety."""
        return [
            self._tool(kind) for kind in (EffectClass.KEYED, EffectClass.FINDABLE, EffectClass.ASK)
        ]

    def _tool(self, kind: EffectClass) -> Tool:
        service = self

        async def run(arguments: Mapping[str, Any], context: ToolCallContext) -> Any:
            return service.post(context.effect_id, arguments["text"], kind is EffectClass.KEYED)

        spec = ToolSpec(
            name=f"post_{kind}",
            description="Post a text.",
            parameters=_TEXT,
            effect=kind,
            timeout=timedelta(seconds=2),
            key_lifetime=timedelta(hours=1),
            visible_after=timedelta(seconds=0.1),
        )
        tool = FunctionTool(spec, run)
        if kind is EffectClass.FINDABLE:
            return _Findable(tool, self)
        return tool


class _Findable:
    """Adds the lookup by marker."""

    def __init__(self, tool: Tool, service: CountingService) -> None:
        self._tool, self._service = tool, service
        self.spec = tool.spec
        self.effect_of = tool.effect_of
        self.run = tool.run

    async def find(
        self, effect_id: str, arguments: Mapping[str, Any], context: ToolCallContext
    ) -> Any | None:
        found = [text for key, text in self._service.posts if key == effect_id]
        return {"posted": found[0]} if found else None
