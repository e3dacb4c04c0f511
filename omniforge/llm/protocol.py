"""What every model provider offers: a conversation in, one turn out."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import Any, Protocol

from omniforge.agents.runs import TokenUsage


class Author(StrEnum):
    USER = "user"
    ASSISTANT = "assistant"


class StopReason(StrEnum):
    END = "end"
    TOOL_CALLS = "tool_calls"
    MAX_TOKENS = "max_tokens"


@dataclass(frozen=True, slots=True)
class ToolSchema:
    """A tool as a model sees it. `parameters` is a JSON schema of type object."""

    name: str
    description: str
    parameters: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A call the model asks for. `id` belongs to this turn alone; it differs between attempts."""

    id: str
    name: str
    arguments: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class ToolAnswer:
    """What the model is told of a call. `content` is text: JSON where the tool answered with data."""

    call_id: str
    content: str
    is_error: bool = False


@dataclass(frozen=True, slots=True)
class Native:
    """A turn in its provider's own words, such as thinking and the signature on it.

    It is recorded with the turn and goes back unchanged, but only to the model that made it.
    """

    provider: str
    model: str
    content: Any  # JSON that nobody but the provider reads


@dataclass(frozen=True, slots=True)
class Message:
    """A user message (text, or answers to the calls of the turn before) or an assistant's turn."""

    author: Author
    text: str = ""
    calls: tuple[ToolCall, ...] = ()
    answers: tuple[ToolAnswer, ...] = ()
    native: Native | None = None


@dataclass(frozen=True, slots=True)
class Completion:
    """A request for one turn. Without `tools` the model answers in text alone."""

    model: str
    system: str
    messages: tuple[Message, ...]
    tools: tuple[ToolSchema, ...] = ()
    max_tokens: int = 8_192


@dataclass(frozen=True, slots=True)
class Turn:
    """One answer. `model` is the one that really answered, as the provider names it.

    `left_out` counts the calls beyond those that one turn may have.
    """

    text: str
    calls: tuple[ToolCall, ...]
    stop: StopReason
    usage: TokenUsage
    model: str
    native: Native | None = None
    left_out: int = 0


OnDelta = Callable[[str], None]


class LLM(Protocol):
    """A provider. Makes exactly one request a call: retrying is the reasoning engine's work alone."""

    name: str
    default_model: str
    has_native_tools: bool
    """Without it, tools are described in the prompt and calls come back as JSON text (ReAct)."""

    async def complete(self, request: Completion, on_delta: OnDelta | None = None) -> Turn:
        """Answer once. `on_delta` is called with each piece of text as it comes.

        Raises:
            ModelRateLimited, ModelOverloaded, ModelUnreachable: Trying again may help.
            ModelAuthFailed, ModelUnknown: Another model may help.
            ModelRefused, ModelRequestInvalid, ContextTooLong: Nothing will.
            AnswerUnusable: A call cannot be read; the model may do better when it is told.
        """
        ...

    def price(self, model: str, usage: TokenUsage) -> Decimal | None:
        """What this usage costs in dollars; None when the price of the model is not known."""
        ...

    def window(self, model: str) -> int | None:
        """How many tokens a request and its answer may have together; None when that is not known."""
        ...

    async def aclose(self) -> None:
        """Let go of connections. The provider cannot be used afterwards."""
        ...
