"""Our conversation in the words of the Responses API. Pure; the SDK is not needed for it."""

import re
from collections.abc import Iterator
from typing import Any

from omniforge.llm.answers import call_arguments
from omniforge.llm.openai.words import NOTHING, answer_text, function, function_call
from omniforge.llm.protocol import Author, Completion, Message, Native, ToolCall

Item = dict[str, Any]
"""An item of a conversation. Its fields differ by type, and new types appear without notice."""

_THOUGHTS = "reasoning.encrypted_content"
# Models from before reasoning refuse a request that mentions it.
_CANNOT_REASON = re.compile(r"(ft:)?(chat)?gpt-[34]")


def native_of(maker: str, model: str, items: list[Item]) -> Native | None:
    """A turn as it came, when it holds more than its text and calls say: thoughts, or phases."""
    thoughts = [item for item in items if item["type"] == "reasoning"]
    # The provider keeps nothing, so it would look in vain for a thought that is only named.
    if not all(thought.get("encrypted_content") for thought in thoughts):
        return None
    says_more = thoughts or any("phase" in item for item in items)
    return Native(maker, model, items) if says_more else None


def payload(request: Completion, maker: str, effort: str) -> dict[str, Any]:
    """The arguments of `responses.create`. Nothing is kept at the provider.

    What the model thought goes back to its `maker`, and to nobody else.
    """
    arguments: dict[str, Any] = {
        "model": request.model,
        "input": list(_items(request, maker)),
        "max_output_tokens": request.max_tokens,
        "store": False,
    }
    if not _CANNOT_REASON.match(request.model):
        arguments["include"] = [_THOUGHTS]
    if request.system.strip():
        arguments["instructions"] = request.system
    if request.tools:
        kind = {"type": "function", "strict": False}
        arguments["tools"] = [kind | function(tool) for tool in request.tools]
    if effort:
        arguments["reasoning"] = {"effort": effort}
    return arguments


def _items(request: Completion, maker: str) -> Iterator[Item]:
    for message in request.messages:
        if message.author is Author.USER:
            yield from _asked(message)
        else:
            yield from _unchanged(message, maker, request.model) or _said(message)


def _asked(message: Message) -> Iterator[Item]:
    for answer in message.answers:
        output = {"call_id": answer.call_id, "output": answer_text(answer)}
        yield {"type": "function_call_output", **output}
    if message.text.strip() or not message.answers:
        yield {"role": "user", "content": message.text.strip() or NOTHING}


def _said(message: Message) -> Iterator[Item]:
    if message.text.strip() or not message.calls:
        yield {"role": "assistant", "content": message.text.strip() or NOTHING}
    for call in message.calls:
        yield {"type": "function_call", "call_id": call.id, **function_call(call)}


def _unchanged(message: Message, maker: str, model: str) -> list[Item] | None:
    """The turn as it came. Thoughts are tied to the model that had them, and to the calls they led to."""
    native = message.native
    if native is None or (native.provider, native.model) != (maker, model):
        return None
    items: list[Item] = native.content
    return items if tuple(_calls_in(items)) == message.calls else None


def _calls_in(items: list[Item]) -> Iterator[ToolCall]:
    for item in items:
        if item["type"] == "function_call":
            arguments = call_arguments(item["name"], item["arguments"], "")
            yield ToolCall(item.get("call_id", ""), item["name"], arguments)
