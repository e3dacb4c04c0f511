"""Our conversation in the words of the Chat Completions API. Pure; the SDK is not needed for it."""

from collections.abc import Iterator
from typing import Any

from omniforge.llm.openai.words import NOTHING, answer_text, function, function_call
from omniforge.llm.protocol import Author, Completion, Message, ToolCall

Item = dict[str, Any]
"""A message of the API. Its fields differ by role."""


def payload(request: Completion, limit_name: str, effort: str) -> dict[str, Any]:
    """The arguments of `chat.completions.create`, for a stream that ends with its usage.

    `limit_name` is what the server calls the longest answer: OpenAI's own models refuse the older
    `max_tokens`, and many servers know only that.
    """
    arguments: dict[str, Any] = {
        "model": request.model,
        "messages": list(_messages(request)),
        "stream_options": {"include_usage": True},
        limit_name: request.max_tokens,
    }
    if request.tools:
        tools = [{"type": "function", "function": function(tool)} for tool in request.tools]
        arguments["tools"] = tools
    if effort:
        arguments["reasoning_effort"] = effort
    return arguments


def _messages(request: Completion) -> Iterator[Item]:
    if request.system.strip():
        yield {"role": "system", "content": request.system}
    for message in request.messages:
        yield from _said(message) if message.author is Author.ASSISTANT else _asked(message)


def _asked(message: Message) -> Iterator[Item]:
    for answer in message.answers:
        yield {"role": "tool", "tool_call_id": answer.call_id, "content": answer_text(answer)}
    if message.text.strip() or not message.answers:
        yield {"role": "user", "content": message.text.strip() or NOTHING}


def _said(message: Message) -> Iterator[Item]:
    text = message.text.strip()
    if not message.calls:
        yield {"role": "assistant", "content": text or NOTHING}
        return
    calls = [_call(call) for call in message.calls]
    yield {"role": "assistant", "content": text or None, "tool_calls": calls}


def _call(call: ToolCall) -> Item:
    return {"id": call.id, "type": "function", "function": function_call(call)}
