"""Our conversation in the words of Anthropic's Messages API. Pure; the SDK is not needed for it."""

from collections import OrderedDict
from collections.abc import Mapping
from typing import Any

from omniforge.llm.protocol import Author, Completion, Message, ToolCall, ToolSchema

Block = dict[str, Any]
"""A content block. Its fields differ by type, and new types appear without notice."""

_THINKING = ("thinking", "redacted_thinking")
# The API refuses empty texts and empty messages.
_NOTHING = "(nothing)"
_CACHED = {"type": "ephemeral"}
# A long run has some hundred turns, a worker some hundred runs; older turns do without.
_TURNS_KEPT = 10_000


class Thoughts:
    """Tool-calling turns with thinking, kept as they came, since the API wants them back unchanged.

    Thinking is tied to the model that thought. A turn that was lost with its process goes back
    without its thinking, which the API takes.
    """

    def __init__(self) -> None:
        self._turns: OrderedDict[tuple[str, tuple[str, ...]], list[Block]] = OrderedDict()

    def keep(self, model: str, calls: tuple[ToolCall, ...], content: list[Block]) -> None:
        if calls and any(block.get("type") in _THINKING for block in content):
            self._turns[self._key(model, calls)] = content
        while len(self._turns) > _TURNS_KEPT:
            self._turns.popitem(last=False)

    def of(self, model: str, message: Message) -> list[Block] | None:
        """The turn as it came, unless it is unknown or its calls were changed since."""
        content = self._turns.get(self._key(model, message.calls)) if message.calls else None
        if content is None or _calls_in(content) != [_call(call) for call in message.calls]:
            return None
        return content

    @staticmethod
    def _key(model: str, calls: tuple[ToolCall, ...]) -> tuple[str, tuple[str, ...]]:
        return model, tuple(call.id for call in calls)


def payload(request: Completion, thoughts: Thoughts) -> dict[str, Any]:
    """The arguments of `messages.stream`.

    The system prompt (with the tools before it) and the conversation so far are marked for the
    provider's cache: every turn of a loop sends them again.
    """
    arguments: dict[str, Any] = {
        "model": request.model,
        "max_tokens": request.max_tokens,
        "messages": _messages(request, thoughts),
    }
    if request.system.strip():
        arguments["system"] = [_text(request.system) | {"cache_control": _CACHED}]
    if request.tools:
        arguments["tools"] = [_tool(tool) for tool in request.tools]
    return arguments


def _messages(request: Completion, thoughts: Thoughts) -> list[dict[str, Any]]:
    contents = [
        thoughts.of(request.model, message) or _content(message) for message in request.messages
    ]
    if request.messages and request.messages[-1].author is Author.USER:
        *before, last = contents[-1]
        contents[-1] = [*before, last | {"cache_control": _CACHED}]
    return [
        {"role": message.author.value, "content": content}
        for message, content in zip(request.messages, contents, strict=True)
    ]


def _content(message: Message) -> list[Block]:
    # Answers come first: the API insists on them right after the calls.
    blocks = [
        {
            "type": "tool_result",
            "tool_use_id": answer.call_id,
            "content": answer.content or _NOTHING,
            "is_error": answer.is_error,
        }
        for answer in message.answers
    ]
    if message.text.strip():
        blocks.append(_text(message.text))
    blocks.extend(_call(call) for call in message.calls)
    return blocks or [_text(_NOTHING)]


def _text(text: str) -> Block:
    return {"type": "text", "text": text.rstrip()}


def _call(call: ToolCall) -> Block:
    return {
        "type": "tool_use",
        "id": call.id,
        "name": call.name,
        "input": dict(call.arguments),
    }


def _calls_in(content: list[Block]) -> list[Block]:
    return [
        {name: block.get(name) for name in ("type", "id", "name", "input")}
        for block in content
        if block.get("type") == "tool_use"
    ]


def _tool(tool: ToolSchema) -> dict[str, Any]:
    schema: Mapping[str, Any] = {"type": "object"} | dict(tool.parameters)
    return {"name": tool.name, "description": tool.description, "input_schema": schema}
