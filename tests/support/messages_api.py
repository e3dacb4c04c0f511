"""Anthropic's Messages API as the test's model server speaks it: requests, replies, events. Pure."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

Block = dict[str, Any]
Event = tuple[str, dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Received:
    """One request, as it came."""

    path: str
    headers: Mapping[str, str]
    body: Mapping[str, Any]

    @property
    def system(self) -> str:
        given = self.body.get("system") or ""
        return given if isinstance(given, str) else "".join(block["text"] for block in given)

    @property
    def tools(self) -> list[str]:
        return [tool["name"] for tool in self.body.get("tools", [])]

    @property
    def turn(self) -> int:
        """How many turns of the model came before this request."""
        return sum(message["role"] == "assistant" for message in self.body["messages"])

    @property
    def answers(self) -> list[Block]:
        """The tool results in the last message."""
        return [block for block in self._last() if block["type"] == "tool_result"]

    @property
    def text(self) -> str:
        """The text of the last message."""
        return "".join(block["text"] for block in self._last() if block["type"] == "text")

    def _last(self) -> list[Block]:
        content = self.body["messages"][-1]["content"]
        return [{"type": "text", "text": content}] if isinstance(content, str) else content


@dataclass(frozen=True, slots=True)
class Reply:
    """What the server does with one request. Streams when the request asks for a stream."""

    content: tuple[Block, ...] = ()
    stop_reason: str = "end_turn"
    stop_details: Block | None = None
    usage: Mapping[str, int] = field(
        default_factory=lambda: {"input_tokens": 25, "output_tokens": 10}
    )
    status: int = 200
    error: tuple[str, str] | None = None
    """Name and message. With status 200 it comes as an event in mid-stream."""
    headers: Mapping[str, str] = field(default_factory=dict)
    events: int | None = None
    """Send this many events of the stream and then do what `ending` says."""
    ending: str = "whole"  # or: cut (the line drops), closed (the stream just ends), hangs
    pace: float = 0.0
    """Seconds between the events of the stream."""
    raw: bytes | None = None
    """Instead of an answer: these bytes as the body, under the `headers` given."""


class WireApi(Protocol):
    """How a provider's requests are read and its replies are written."""

    half_frame: bytes
    """What comes last when the line drops."""

    def received(self, path: str, headers: Mapping[str, str], body: Any) -> Received: ...

    def whole(self, reply: Reply, model: str, numbers: Iterator[int]) -> dict[str, Any]:
        """The answer without streaming. The numbers make its ids."""
        ...

    def frames(self, reply: Reply, whole: Mapping[str, Any]) -> Iterator[bytes]:
        """The same answer as the frames of a stream."""
        ...

    def error(self, error: tuple[str, str]) -> dict[str, Any]: ...


class MessagesApi:
    """Anthropic's."""

    half_frame = b"event: content_bl"

    def received(self, path: str, headers: Mapping[str, str], body: Any) -> Received:
        return Received(path, headers, body)

    def whole(self, reply: Reply, model: str, numbers: Iterator[int]) -> dict[str, Any]:
        return message(reply, model, numbers)

    def frames(self, reply: Reply, whole: Mapping[str, Any]) -> Iterator[bytes]:
        for name, data in stream_events(reply, whole):
            yield f"event: {name}\ndata: {json.dumps(data)}\n\n".encode()

    def error(self, error: tuple[str, str]) -> dict[str, Any]:
        return error_body(error)


def text_reply(text: str, **usage: int) -> Reply:
    return _with_usage(Reply(({"type": "text", "text": text},)), usage)


def calls_reply(*calls: tuple[str, Mapping[str, Any]], text: str = "", **usage: int) -> Reply:
    """The model calls tools; the server gives the calls ids that nothing else has."""
    spoken: list[Block] = [{"type": "text", "text": text}] if text else []
    blocks = [{"type": "tool_use", "name": tool, "input": arguments} for tool, arguments in calls]
    return _with_usage(Reply((*spoken, *blocks), "tool_use"), usage)


def _with_usage(reply: Reply, usage: Mapping[str, int]) -> Reply:
    return replace(reply, usage={**reply.usage, **usage})


def message(reply: Reply, model: str, numbers: Iterator[int]) -> dict[str, Any]:
    """The whole answer, as it goes out without streaming. The numbers make its ids."""
    return {
        "id": f"msg_{next(numbers):04}",
        "type": "message",
        "role": "assistant",
        "model": model,
        "content": [_with_id(block, numbers) for block in reply.content],
        "stop_reason": reply.stop_reason,
        "stop_sequence": None,
        "stop_details": reply.stop_details,
        "usage": dict(reply.usage),
    }


def _with_id(block: Block, numbers: Iterator[int]) -> Block:
    if block["type"] == "tool_use" and "id" not in block:
        return {**block, "id": f"toolu_{next(numbers):04}"}
    return block


def stream_events(reply: Reply, whole: Mapping[str, Any]) -> Iterator[Event]:
    """The same answer as the events of a stream."""
    begun: dict[str, Any] = {
        "content": [],
        "stop_reason": None,
        "usage": {**reply.usage, "output_tokens": 1},
    }
    yield "message_start", {"type": "message_start", "message": {**whole, **begun}}
    yield "ping", {"type": "ping"}
    for index, block in enumerate(whole["content"]):
        yield from _block_events(index, block)
    if reply.error:
        yield "error", error_body(reply.error)
        return
    ended = {name: whole[name] for name in ("stop_reason", "stop_sequence", "stop_details")}
    counted = {"type": "message_delta", "delta": ended, "usage": dict(reply.usage)}
    yield "message_delta", counted
    yield "message_stop", {"type": "message_stop"}


def error_body(error: tuple[str, str]) -> dict[str, Any]:
    name, message = error
    return {"type": "error", "error": {"type": name, "message": message}}


def _block_events(index: int, block: Block) -> Iterator[Event]:
    empty, deltas = _in_pieces(block)
    start = {"type": "content_block_start", "index": index, "content_block": empty}
    yield "content_block_start", start
    for delta in deltas:
        piece = {"type": "content_block_delta", "index": index, "delta": delta}
        yield "content_block_delta", piece
    yield "content_block_stop", {"type": "content_block_stop", "index": index}


def _in_pieces(block: Block) -> tuple[Block, list[Block]]:
    """A block as it begins, and what is added to it. `input` given as a string goes out as it is."""
    match block["type"]:
        case "text":
            words = block["text"].split(" ")
            pieces = [word + " " for word in words[:-1]] + words[-1:]
            texts = [{"type": "text_delta", "text": piece} for piece in pieces]
            return {**block, "text": ""}, texts
        case "tool_use":
            given = block["input"]
            text = given if isinstance(given, str) else json.dumps(given)
            middle = len(text) // 2
            pieces = ["", text[:middle], text[middle:]]
            parts = [{"type": "input_json_delta", "partial_json": piece} for piece in pieces]
            return {**block, "input": {}}, parts
        case "thinking":
            signed = {"type": "signature_delta", "signature": block["signature"]}
            thought = {"type": "thinking_delta", "thinking": block["thinking"]}
            return {**block, "thinking": "", "signature": ""}, [thought, signed]
    return block, []
