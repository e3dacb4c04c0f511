"""Tool calls put together from the pieces in which they come."""

import json
from typing import TYPE_CHECKING, Any

from omniforge.llm.openai.calls import IncomingCall

if TYPE_CHECKING:
    from openai.types.chat.chat_completion_chunk import ChoiceDeltaToolCall


class IncomingCalls:
    """The calls of one answer, in the model's order.

    OpenAI numbers its calls, and names and identifies each in its first piece. Other servers leave out
    the number, the id or both, or give each call the number 0; their calls come in one piece, so a
    second name under another id, or under none, is another call.
    """

    def __init__(self) -> None:
        self.calls: list[IncomingCall] = []
        self._by_index: dict[int | None, IncomingCall] = {}

    def take(self, piece: "ChoiceDeltaToolCall") -> None:
        function: Any = piece.function  # absent from some servers' last pieces
        name = (function and function.name) or ""
        call = self._call_of(piece.index, piece.id or "", name)
        call.id, call.name = call.id or piece.id or "", call.name or name
        if function and function.arguments:
            call.arguments.append(_text(function.arguments))

    def _call_of(self, index: int | None, call_id: str, name: str) -> IncomingCall:
        call = self._by_index.get(index)
        if call is None and self.calls and not (call_id or name):
            return self.calls[-1]
        is_another = call is not None and name and call.name and (not call_id or call_id != call.id)
        if call is None or is_another:
            call = self._by_index[index] = IncomingCall(call_id, name)
            self.calls.append(call)
        return call


def _text(arguments: Any) -> str:
    """Some servers send the object itself where its text should be."""
    return arguments if isinstance(arguments, str) else json.dumps(arguments)
