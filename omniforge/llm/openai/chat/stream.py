"""An answer of the Chat Completions API, chunk by chunk."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from omniforge.llm.openai.answer import End, IncomingAnswer, counted
from omniforge.llm.openai.calls import IncomingCall
from omniforge.llm.openai.chat.calls import IncomingCalls
from omniforge.llm.protocol import Completion

if TYPE_CHECKING:
    from openai.types.chat import ChatCompletionChunk

# An answer that ends in an "error" has broken off. All other reasons are ways to be whole.
_ENDS = {"length": End.CUT, "content_filter": End.FILTERED, "error": None}


class IncomingChat(IncomingAnswer["ChatCompletionChunk"]):
    api = "Chat Completions"

    def __init__(self, request: Completion) -> None:
        super().__init__(request)
        self._incoming = IncomingCalls()

    def _take(self, event: "ChatCompletionChunk") -> str:
        self._model = event.model or self._model
        if told := event.usage:
            details = told.prompt_tokens_details
            self._told = counted(told.prompt_tokens, told.completion_tokens, details)
        if not event.choices:
            return ""
        choice = event.choices[0]
        if choice.finish_reason:
            self._end = _ENDS.get(choice.finish_reason, End.WHOLE)
        delta = choice.delta
        if delta is None:
            return ""
        for piece in delta.tool_calls or ():
            self._incoming.take(piece)
        if delta.refusal:
            self._refusals.append(delta.refusal)
        return delta.content or ""

    def _calls(self) -> Iterable[IncomingCall]:
        return self._incoming.calls
