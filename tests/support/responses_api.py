"""OpenAI's Responses API as the test's model server speaks it: numbered items in a stream of events."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from tests.support.chat_api import in_pieces, openai_error
from tests.support.messages_api import Block, Received, Reply, calls_reply, text_reply

__all__ = ["ResponsesApi", "ResponsesReceived", "Ways", "calls_reply", "text_reply", "thought"]

_INCOMPLETE = {"max_tokens": "max_output_tokens", "content_filter": "content_filter"}
_TEXT, _ARGUMENTS = "response.output_text", "response.function_call_arguments"


def thought(name: str = "rs_1", content: str = "gAAAAA+/=") -> Block:
    """What a model thought, sealed by its maker."""
    return {"type": "reasoning", "id": name, "summary": [], "encrypted_content": content}


class ResponsesReceived(Received):
    """A request of this API, told in the words of Anthropic's."""

    @property
    def system(self) -> str:
        return str(self.body.get("instructions", ""))

    @property
    def answers(self) -> list[Block]:
        """The outputs of functions at the end."""
        last: list[Block] = []
        for item in reversed(self.body["input"]):
            if item.get("type") != "function_call_output":
                break
            last.insert(0, {**item, "content": item["output"]})
        return last

    @property
    def text(self) -> str:
        last = self.body["input"][-1]
        return str(last["content"]) if last.get("role") == "user" else ""


@dataclass(frozen=True)
class Ways:
    """How it goes about it."""

    has_usage: bool = True
    has_call_ids: bool = True
    fails_by: str = "error"  # or: nested (an error inside an error event), failed
    pieces: tuple[int, ...] = ()
    """Where text and arguments are cut; empty: texts between words, arguments in the middle."""


class ResponsesApi:
    half_frame = b"event: response.out"

    def __init__(self, ways: Ways = Ways()) -> None:
        self._ways = ways

    def received(self, path: str, headers: Mapping[str, str], body: Any) -> Received:
        return ResponsesReceived(path, headers, body)

    def error(self, error: tuple[str, str]) -> dict[str, Any]:
        return openai_error(error)

    def whole(self, reply: Reply, model: str, numbers: Iterator[int]) -> dict[str, Any]:
        items = [self._item(block, numbers) for block in reply.content]
        if reply.stop_reason == "refusal":
            said = (reply.stop_details or {}).get("explanation") or "I cannot."
            items.append(_message(next(numbers), {"type": "refusal", "refusal": said}))
        reason = _INCOMPLETE.get(reply.stop_reason)
        return {
            "id": f"resp_{next(numbers):04}",
            "object": "response",
            "created_at": 1_790_000_000,
            "status": "incomplete" if reason else "completed",
            "error": None,
            "incomplete_details": {"reason": reason} if reason else None,
            "model": model,
            "output": items,
            "parallel_tool_calls": True,
            "store": False,
            "tool_choice": "auto",
            "tools": [],
            "usage": _usage(reply.usage) if self._ways.has_usage else None,
        }

    def frames(self, reply: Reply, whole: Mapping[str, Any]) -> Iterator[bytes]:
        for number, (kind, data) in enumerate(self._events(reply, whole)):
            numbered = {"type": kind, "sequence_number": number, **data}
            yield f"event: {kind}\ndata: {json.dumps(numbered)}\n\n".encode()

    def _events(self, reply: Reply, whole: Mapping[str, Any]) -> Iterator[tuple[str, Block]]:
        begun = {**whole, "status": "in_progress", "output": [], "usage": None}
        yield "response.created", {"response": begun}
        yield "response.in_progress", {"response": begun}
        for index, item in enumerate(whole["output"]):
            yield from self._item_events(index, item)
        if reply.error:
            yield self._failure(reply.error, begun)
        else:
            yield f"response.{whole['status']}", {"response": whole}

    def _failure(self, error: tuple[str, str], begun: Block) -> tuple[str, Block]:
        body = self.error(error)["error"]
        told = {"code": body["code"] or body["type"], "message": body["message"]}
        match self._ways.fails_by:
            case "failed":
                return "response.failed", {"response": {**begun, "status": "failed", "error": told}}
            case "nested":
                return "error", {"error": body}
        return "error", {**told, "param": None}

    def _item_events(self, index: int, item: Block) -> Iterator[tuple[str, Block]]:
        at = {"output_index": index}
        match item["type"]:
            case "message":
                yield "response.output_item.added", {**at, "item": {**item, "content": []}}
                for number, part in enumerate(item["content"]):
                    where = {**at, "item_id": item["id"], "content_index": number}
                    yield from self._part_events(where, part)
            case "function_call":
                yield "response.output_item.added", {**at, "item": {**item, "arguments": ""}}
                where = {**at, "item_id": item["id"]}
                for piece in in_pieces(item["arguments"], "", self._ways.pieces):
                    yield f"{_ARGUMENTS}.delta", {**where, "delta": piece}
                yield f"{_ARGUMENTS}.done", {**where, "arguments": item["arguments"]}
            case _:
                sealed = {"encrypted_content": "gAAAAA-not-yet-whole"}
                yield "response.output_item.added", {**at, "item": {**item, **sealed}}
        yield "response.output_item.done", {**at, "item": item}

    def _part_events(self, where: Block, part: Block) -> Iterator[tuple[str, Block]]:
        kind, field, empty = "response.refusal", "refusal", {**part}
        if part["type"] == "output_text":
            kind, field = _TEXT, "text"
            where = {**where, "logprobs": []}
        yield "response.content_part.added", {**where, "part": {**empty, field: ""}}
        for piece in in_pieces(part[field], " ", self._ways.pieces):
            yield f"{kind}.delta", {**where, "delta": piece}
        yield f"{kind}.done", {**where, field: part[field]}
        yield "response.content_part.done", {**where, "part": part}

    def _item(self, block: Block, numbers: Iterator[int]) -> Block:
        match block["type"]:
            case "text":
                text = {"type": "output_text", "text": block["text"], "annotations": []}
                more = {name: block[name] for name in block if name not in ("type", "text")}
                return _message(next(numbers), text) | more
            case "tool_use":
                return self._call(block, next(numbers))
        return block

    def _call(self, block: Block, number: int) -> Block:
        given = block["input"]
        call_id = block.get("id") or f"call_{number:04}"
        return {
            "type": "function_call",
            "id": f"fc_{number:04}",
            "status": "completed",
            "name": block["name"],
            "arguments": given if isinstance(given, str) else json.dumps(given),
        } | ({"call_id": call_id} if self._ways.has_call_ids else {})


def _message(number: int, part: Block) -> Block:
    named = {"type": "message", "id": f"msg_{number:04}", "role": "assistant"}
    return {**named, "status": "completed", "content": [part]}


def _usage(told: Mapping[str, int]) -> dict[str, Any]:
    cached = told.get("cache_read_input_tokens", 0)
    written = told.get("cache_creation_input_tokens", 0)
    read = told["input_tokens"] + cached + written
    return {
        "input_tokens": read,
        "input_tokens_details": {"cached_tokens": cached, "cache_write_tokens": written},
        "output_tokens": told["output_tokens"],
        "output_tokens_details": {"reasoning_tokens": told.get("reasoning_tokens", 0)},
        "total_tokens": read + told["output_tokens"],
    }
