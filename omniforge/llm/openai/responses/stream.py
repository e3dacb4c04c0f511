"""An answer of the Responses API, event by event."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from omniforge.llm.openai.answer import AnswerFailed, End, IncomingAnswer, counted
from omniforge.llm.openai.calls import IncomingCall
from omniforge.llm.openai.responses.wire import Item, native_of
from omniforge.llm.protocol import Completion, Native

if TYPE_CHECKING:
    from openai.types.responses import Response, ResponseStreamEvent


class IncomingResponse(IncomingAnswer["ResponseStreamEvent"]):
    """Its items (messages, thoughts, calls) are numbered, each begun, filled and done.

    `maker` is whom its thoughts may go back to.
    """

    api = "Responses"

    def __init__(self, request: Completion, maker: str) -> None:
        super().__init__(request)
        self._maker = maker
        self._done: dict[int, Item] = {}
        self._called: dict[int, IncomingCall] = {}
        self._speaking: int | None = None

    def _take(self, event: "ResponseStreamEvent") -> str:
        match event.type:
            case "response.output_text.delta":
                return self._spoken(event.output_index, event.delta)
            case "response.refusal.delta":
                self._refusals.append(event.delta)
            case "response.function_call_arguments.delta":
                self._called[event.output_index].arguments.append(event.delta)
            case "response.output_item.added":
                self._note(event.output_index, event.item.to_dict(exclude_none=True))
            case "response.output_item.done":
                item = event.item.to_dict(mode="json", exclude_none=True)
                self._note(event.output_index, item)
                self._done[event.output_index] = item
            case "response.completed":
                self._finish(event.response, End.WHOLE)
            case "response.incomplete":
                self._finish(event.response, _why(event.response))
            case "response.failed":
                self._finish(event.response, None)
                raise _failed(event.response)
            case "error":
                raise AnswerFailed(event.code, str(event.message))
        return ""

    def _calls(self) -> Iterable[IncomingCall]:
        return [self._called[index] for index in sorted(self._called)]

    def _native(self) -> Native | None:
        items = [self._done[index] for index in sorted(self._done)]
        return native_of(self._maker, self._request.model, items)

    def _spoken(self, index: int, text: str) -> str:
        is_another = self._speaking not in (None, index)
        self._speaking = index
        return f"\n\n{text}" if is_another else text

    def _note(self, index: int, item: Item) -> None:
        if item["type"] == "reasoning":
            self._thinks = True
        if item["type"] == "function_call":
            call = IncomingCall(item.get("call_id", ""), item["name"], [item["arguments"]])
            self._called[index] = call

    def _finish(self, response: "Response", end: End | None) -> None:
        self._end, self._model = end, response.model or self._model
        if told := response.usage:
            # What it thought is among the output tokens.
            self._told = counted(told.input_tokens, told.output_tokens, told.input_tokens_details)


def _why(response: "Response") -> End:
    details: Any = response.incomplete_details
    return End.FILTERED if details and details.reason == "content_filter" else End.CUT


def _failed(response: "Response") -> AnswerFailed:
    error: Any = response.error
    if error is None:
        return AnswerFailed(None, "It gave up.")
    return AnswerFailed(error.code, str(error.message))
