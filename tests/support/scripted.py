"""A model that says what a test told it to, and counts how often it was asked."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from decimal import Decimal
from typing import Any

from omniforge.agents.runs import TokenUsage
from omniforge.errors import OmniForgeError
from omniforge.llm.offline import OfflineLLM
from omniforge.llm.protocol import LLM, Completion, OnDelta, StopReason, ToolCall, Turn
from omniforge.llm.sections import SKILL_BEGIN

Reply = Turn | OmniForgeError
Decide = Callable[[Completion], Reply | Awaitable[Reply] | None]


class ScriptedLLM:
    """Replies in the order given, or as a function decides; without a script it is the offline model."""

    name = "scripted"
    default_model = "scripted-1"
    has_native_tools = True

    def __init__(self, price_per_token: Decimal = Decimal(0)) -> None:
        self._replies: list[Reply] = []
        self._decide: Decide | None = None
        self._offline: LLM = OfflineLLM()
        self._other: LLM | None = None
        self._price = price_per_token
        self._window: int | None = None
        self.asked: list[Completion] = []

    def answers(self, text: str, tokens: int = 10) -> "ScriptedLLM":
        self._replies.append(answer(text, tokens))
        return self

    def calls(self, *calls: tuple[str, Mapping[str, Any]], text: str = "") -> "ScriptedLLM":
        self._replies.append(calling(*calls, text=text))
        return self

    def fails(self, error: OmniForgeError) -> "ScriptedLLM":
        self._replies.append(error)
        return self

    def decides(self, decide: Decide) -> "ScriptedLLM":
        self._decide = decide
        return self

    def becomes(self, other: LLM) -> "ScriptedLLM":
        """From now on another model answers in this one's place."""
        self._other = other
        return self

    def forget(self) -> None:
        """Back to a model without a script."""
        self._replies, self._decide, self._price, self.asked = [], None, Decimal(0), []
        self._other = self._window = None

    def costs(self, price_per_token: str) -> "ScriptedLLM":
        self._price = Decimal(price_per_token)
        return self

    def takes(self, tokens: int) -> "ScriptedLLM":
        """Its context window."""
        self._window = tokens
        return self

    async def complete(self, request: Completion, on_delta: OnDelta | None = None) -> Turn:
        self.asked.append(request)
        if self._other is not None:
            return await self._other.complete(request, on_delta)
        reply = await self._reply(request)
        if isinstance(reply, OmniForgeError):
            raise reply
        return reply

    async def _reply(self, request: Completion) -> Reply:
        if self._decide is not None:
            decided = self._decide(request)
            reply = await decided if isinstance(decided, Awaitable) else decided
            if reply is not None:
                return reply
        if self._replies:
            return self._replies.pop(0)
        return await self._offline.complete(request)

    def price(self, model: str, usage: TokenUsage) -> Decimal | None:
        if self._other is not None:
            return self._other.price(model, usage)
        tokens = usage.input_tokens + usage.output_tokens + usage.cache_write_tokens
        return tokens * self._price

    def window(self, model: str) -> int | None:
        return self._window

    async def aclose(self) -> None:
        return None


def answer(text: str, tokens: int = 10) -> Turn:
    usage = TokenUsage(input_tokens=tokens, output_tokens=tokens, model_calls=1)
    return Turn(text, (), StopReason.END, usage, "scripted-1")


def calling(*calls: tuple[str, Mapping[str, Any]], text: str = "") -> Turn:
    made = tuple(ToolCall(f"c{n}", name, arguments) for n, (name, arguments) in enumerate(calls))
    usage = TokenUsage(input_tokens=10, output_tokens=10, model_calls=1)
    return Turn(text, made, StopReason.TOOL_CALLS, usage, "scripted-1")


def is_of(asked: Completion, name: str) -> bool:
    """Whether a model is asked on behalf of the skill of this name."""
    return SKILL_BEGIN.format(name=name) in asked.system


async def later(seconds: float, reply: Reply) -> Reply:
    """A reply that takes its time."""
    await asyncio.sleep(seconds)
    return reply
