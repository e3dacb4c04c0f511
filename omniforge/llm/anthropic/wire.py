"""Our conversation in the words of Anthropic's Messages API. Pure; the SDK is not needed for it."""

import re
from collections.abc import Mapping
from typing import Any

from omniforge.llm.protocol import Author, Completion, Message, Native, ToolCall, ToolSchema

NAME = "anthropic"

Block = dict[str, Any]
"""A content block. Its fields differ by type, and new types appear without notice."""

_THINKING = ("thinking", "redacted_thinking")
# The API refuses empty texts and empty messages.
_NOTHING = "(nothing)"
_CACHED = {"type": "ephemeral"}
# The newest message writes the cache. The one before it is where the last request wrote: without its
# mark the API looks back only 20 blocks, and a turn with many calls is longer than that.
_MARKED = 2


def native_of(request: Completion, has_calls: bool, content: list[Block]) -> Native | None:
    """A tool-calling turn with thinking, as it came: the API wants it back with the calls' answers."""
    if has_calls and any(block.get("type") in _THINKING for block in content):
        return Native(NAME, request.model, content)
    return None


def payload(request: Completion) -> dict[str, Any]:
    """The arguments of `messages.stream`.

    The system prompt (with the tools before it) and the conversation so far are marked for the
    provider's cache: every turn of a loop sends them again.
    """
    arguments: dict[str, Any] = {
        "model": request.model,
        "max_tokens": request.max_tokens,
        "messages": _messages(request),
    }
    if request.system.strip():
        arguments["system"] = [_text(request.system) | {"cache_control": _CACHED}]
    if request.tools:
        arguments["tools"] = [_tool(tool) for tool in request.tools]
    return arguments


def _messages(request: Completion) -> list[dict[str, Any]]:
    contents = [
        _unchanged(message, request.model) or _content(message) for message in request.messages
    ]
    asked = [at for at, each in enumerate(request.messages) if each.author is Author.USER]
    for at in asked[-_MARKED:]:
        *before, last = contents[at]
        contents[at] = [*before, last | {"cache_control": _CACHED}]
    return [
        {"role": message.author.value, "content": content}
        for message, content in zip(request.messages, contents, strict=True)
    ]


def _unchanged(message: Message, model: str) -> list[Block] | None:
    """The turn as it came. Thinking is tied to the model that thought, and to the calls it led to."""
    native = message.native
    if native is None or (native.provider, native.model) != (NAME, model):
        return None
    content: list[Block] = native.content
    return content if _calls_in(content) == [_call(call) for call in message.calls] else None


def _content(message: Message) -> list[Block]:
    # Answers come first: the API insists on them right after the calls.
    blocks = [
        {
            "type": "tool_result",
            "tool_use_id": _id(answer.call_id),
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
        "id": _id(call.id),
        "name": call.name,
        "input": dict(call.arguments),
    }


def _id(call_id: str) -> str:
    """Other providers' ids may hold characters that this API refuses."""
    return re.sub(r"[^A-Za-z0-9_-]", "_", call_id)


def _calls_in(content: list[Block]) -> list[Block]:
    return [
        {name: block.get(name) for name in ("type", "id", "name", "input")}
        for block in content
        if block.get("type") == "tool_use"
    ]


def _tool(tool: ToolSchema) -> dict[str, Any]:
    schema: Mapping[str, Any] = {"type": "object"} | dict(tool.parameters)
    return {"name": tool.name, "description": tool.description, "input_schema": schema}
