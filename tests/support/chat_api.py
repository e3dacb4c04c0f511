"""OpenAI's Chat Completions API as the test's model server speaks it, and how others depart from it."""

import itertools
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from tests.support.messages_api import Block, Received, Reply, calls_reply, text_reply

__all__ = ["ChatApi", "ChatReceived", "Quirks", "calls_reply", "text_reply"]

_FINISH = {"end_turn": "stop", "tool_use": "tool_calls", "max_tokens": "length", "refusal": "stop"}


class ChatReceived(Received):
    """A request of this API, told in the words of the other one."""

    @property
    def system(self) -> str:
        return "".join(
            each["content"] for each in self.body["messages"] if each["role"] == "system"
        )

    @property
    def tools(self) -> list[str]:
        return [tool["function"]["name"] for tool in self.body.get("tools", [])]

    @property
    def answers(self) -> list[Block]:
        """The tool messages at the end."""
        last: list[Block] = []
        for message in reversed(self.body["messages"]):
            if message["role"] != "tool":
                break
            last.insert(0, message)
        return last

    @property
    def text(self) -> str:
        last = self.body["messages"][-1]
        return str(last["content"]) if last["role"] == "user" else ""


@dataclass(frozen=True)
class Quirks:
    """What compatible servers were seen to do."""

    index: str = "counted"  # or: absent, zero
    has_ids: bool = True
    has_usage: bool = True
    has_done: bool = True
    calls_in_one_piece: bool = False
    arguments_as_object: bool = False
    says_stop_after_calls: bool = False
    pieces: tuple[int, ...] = ()
    """Where text and arguments are cut; empty: texts between words, arguments in the middle."""


class ChatApi:
    half_frame = b'data: {"choi'

    def __init__(self, quirks: Quirks = Quirks()) -> None:
        self._quirks = quirks

    def received(self, path: str, headers: Mapping[str, str], body: Any) -> Received:
        return ChatReceived(path, headers, body)

    def error(self, error: tuple[str, str]) -> dict[str, Any]:
        return openai_error(error)

    def whole(self, reply: Reply, model: str, numbers: Iterator[int]) -> dict[str, Any]:
        message: dict[str, Any] = {"role": "assistant", "content": None}
        calls = []
        for block in reply.content:
            if block["type"] == "text":
                message["content"] = (message["content"] or "") + block["text"]
            else:
                calls.append(self._call(block, numbers))
        if calls:
            message["tool_calls"] = calls
        if reply.stop_reason == "refusal":
            message["refusal"] = (reply.stop_details or {}).get("explanation") or "I cannot."
        finish = _FINISH.get(reply.stop_reason, reply.stop_reason)
        if self._quirks.says_stop_after_calls:
            finish = "stop"
        return {
            "id": f"chatcmpl-{next(numbers):04}",
            "object": "chat.completion",
            "created": 1_790_000_000,
            "model": model,
            "choices": [{"index": 0, "message": message, "finish_reason": finish}],
            "usage": _usage(reply.usage),
        }

    def frames(self, reply: Reply, whole: Mapping[str, Any]) -> Iterator[bytes]:
        for choice in self._choices(reply, whole["choices"][0]):
            yield _frame({**_head(whole), "choices": [choice], "usage": None})
        if reply.error:
            yield _frame(self.error(reply.error))
            return
        if self._quirks.has_usage:
            yield _frame({**_head(whole), "choices": [], "usage": whole["usage"]})
        if self._quirks.has_done:
            yield b"data: [DONE]\n\n"

    def _choices(self, reply: Reply, choice: Mapping[str, Any]) -> Iterator[Block]:
        message = choice["message"]
        yield _delta({"role": "assistant", "content": ""})
        for text in in_pieces(message["content"] or "", " ", self._quirks.pieces):
            yield _delta({"content": text})
        if "refusal" in message:
            yield _delta({"refusal": message["refusal"]})
        for number, call in enumerate(message.get("tool_calls", [])):
            for piece in self._call_pieces(number, call):
                yield _delta({"tool_calls": [piece]})
        if not reply.error:
            yield {"index": 0, "delta": {}, "finish_reason": choice["finish_reason"]}

    def _call(self, block: Block, numbers: Iterator[int]) -> Block:
        given = block["input"]
        text = given if isinstance(given, str) else json.dumps(given)
        function = {"name": block["name"], "arguments": text}
        call_id = block.get("id") or f"call_{next(numbers):04}"
        return {"id": call_id, "type": "function", "function": function}

    def _call_pieces(self, number: int, call: Block) -> Iterator[Block]:
        quirks, function = self._quirks, call["function"]
        where = {"counted": {"index": number}, "absent": {}, "zero": {"index": 0}}[quirks.index]
        named = {**where, "type": "function"} | ({"id": call["id"]} if quirks.has_ids else {})
        if quirks.calls_in_one_piece:
            arguments = function["arguments"]
            sent = json.loads(arguments) if quirks.arguments_as_object else arguments
            yield {**named, "function": {"name": function["name"], "arguments": sent}}
            return
        yield {**named, "function": {"name": function["name"], "arguments": ""}}
        for piece in in_pieces(function["arguments"], "", quirks.pieces):
            yield {**where, "function": {"arguments": piece}}


def in_pieces(text: str, separator: str, cuts: tuple[int, ...]) -> list[str]:
    """A text cut at these places, or between its words, or in the middle."""
    if cuts:
        places = [0, *sorted({cut % (len(text) + 1) for cut in cuts}), len(text)]
        return [text[a:b] for a, b in itertools.pairwise(places)]
    if separator:
        words = text.split(separator)
        return [word + separator for word in words[:-1]] + words[-1:]
    return [text[: len(text) // 2], text[len(text) // 2 :]]


def openai_error(error: tuple[str, str]) -> dict[str, Any]:
    """`kind/code` and a message, as both forms of the API tell it."""
    name, message = error
    kind, _, code = name.partition("/")
    return {"error": {"message": message, "type": kind, "param": None, "code": code or None}}


def _head(whole: Mapping[str, Any]) -> dict[str, Any]:
    named = {name: whole[name] for name in ("id", "created", "model")}
    return {**named, "object": "chat.completion.chunk"}


def _delta(delta: Block) -> Block:
    return {"index": 0, "delta": delta, "finish_reason": None}


def _frame(data: Mapping[str, Any]) -> bytes:
    return f"data: {json.dumps(data)}\n\n".encode()


def _usage(told: Mapping[str, int]) -> dict[str, Any]:
    cached = told.get("cache_read_input_tokens", 0)
    written = told.get("cache_creation_input_tokens", 0)
    prompt = told["input_tokens"] + cached + written
    return {
        "prompt_tokens": prompt,
        "completion_tokens": told["output_tokens"],
        "total_tokens": prompt + told["output_tokens"],
        "prompt_tokens_details": {"cached_tokens": cached, "cache_write_tokens": written},
    }
