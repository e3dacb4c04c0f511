"""One answer of Claude while it comes in, and the turn it makes."""

import json
from collections.abc import AsyncIterator, Iterator
from typing import TYPE_CHECKING, NoReturn

from omniforge.agents.runs import TokenUsage
from omniforge.errors import AnswerUnusable, ContextTooLong, ModelRefused, ModelUnreachable
from omniforge.llm.answers import Failing, billed, call_arguments, unusable
from omniforge.llm.anthropic.wire import native_of
from omniforge.llm.protocol import Completion, StopReason, ToolCall, Turn

if TYPE_CHECKING:
    from anthropic.lib.streaming import AsyncMessageStream, ParsedMessageStreamEvent
    from anthropic.types import Message as Answer

# A call in an answer that broke off may be half a call, so none of them counts. A paused turn goes
# on when it is sent back, just like one that ran out of tokens.
_CUT = frozenset({"max_tokens", "pause_turn"})


class IncomingAnswer:
    """What has come so far. Knows what was used at any moment, so that failures can tell."""

    def __init__(self, request: Completion) -> None:
        self._request = request
        self._answer: Answer | None = None
        self._inputs: dict[int, str] = {}

    async def read(self, stream: "AsyncMessageStream[None]") -> AsyncIterator[str]:
        """The pieces of text, as they come.

        Raises:
            AnswerUnusable: The arguments of a call are no JSON.
            ModelUnreachable: What came is not an answer.
        """
        try:
            async for event in stream:
                if event.type == "message_start":
                    self._answer = stream.current_message_snapshot
                if piece := self._piece(event):
                    yield piece
        except (json.JSONDecodeError, UnicodeDecodeError) as error:
            raise self.paid(_garbled(error)) from None
        except ValueError:
            # The SDK reads arguments while they come and stops at the first wrong character.
            raise self.paid(unusable("its arguments are not valid JSON", self._said())) from None
        except (TypeError, LookupError, AttributeError, RuntimeError) as error:
            raise self.paid(_garbled(error)) from None

    def turn(self) -> Turn:
        """The whole answer.

        Raises:
            ModelUnreachable: It is not whole.
            ModelRefused, ContextTooLong, AnswerUnusable: There is nothing in it to work with.
        """
        answer = self._whole()
        calls = self._calls(answer)
        return Turn(
            text=_text(answer),
            calls=calls,
            stop=_stop(answer, calls),
            usage=self._usage(),
            model=answer.model or self._request.model,
            native=native_of(
                self._request, bool(calls), [each.to_dict() for each in answer.content]
            ),
        )

    def paid(self, error: Failing) -> Failing:
        """The error, with what the call has used so far."""
        return billed(error, self._usage(), self._request.model)

    def _piece(self, event: "ParsedMessageStreamEvent[None]") -> str:
        if event.type != "content_block_delta":
            return ""
        if event.delta.type == "text_delta":
            return event.delta.text
        if event.delta.type == "input_json_delta":
            # Kept raw: the SDK's reading is content with arguments that break off in the middle.
            so_far = self._inputs.get(event.index, "")
            self._inputs[event.index] = so_far + event.delta.partial_json
        return ""

    def _whole(self) -> "Answer":
        answer = self._answer
        if answer is None or answer.stop_reason is None:
            raise self.paid(ModelUnreachable("Anthropic's answer broke off before its end."))
        if answer.stop_reason == "refusal":
            self._refuse(answer)
        if answer.stop_reason == "model_context_window_exceeded":
            raise self.paid(ContextTooLong("The conversation fills the model's context window."))
        return answer

    def _refuse(self, answer: "Answer") -> NoReturn:
        why = answer.stop_details.explanation if answer.stop_details else None
        reason = f": {why.rstrip('.')}" if why else ""
        raise self.paid(ModelRefused(f"The model declined to answer{reason}."))

    def _calls(self, answer: "Answer") -> tuple[ToolCall, ...]:
        if answer.stop_reason in _CUT:
            return ()
        try:
            return tuple(self._read_calls(answer))
        except AnswerUnusable as error:
            raise self.paid(error) from None

    def _read_calls(self, answer: "Answer") -> Iterator[ToolCall]:
        for index, block in enumerate(answer.content):
            if block.type == "tool_use":
                text = self._inputs.get(index) or json.dumps(block.input)
                yield ToolCall(block.id, block.name, call_arguments(block.name, text, self._said()))

    def _said(self) -> str:
        return _text(self._answer) if self._answer else ""

    def _usage(self) -> TokenUsage:
        if self._answer is None:
            return TokenUsage()
        # Servers that imitate the API leave some counters out.
        told = self._answer.usage
        return TokenUsage(
            input_tokens=getattr(told, "input_tokens", None) or 0,
            output_tokens=getattr(told, "output_tokens", None) or 0,
            cache_read_tokens=getattr(told, "cache_read_input_tokens", None) or 0,
            cache_write_tokens=getattr(told, "cache_creation_input_tokens", None) or 0,
            model_calls=1,
        )


def _stop(answer: "Answer", calls: tuple[ToolCall, ...]) -> StopReason:
    if answer.stop_reason in _CUT:
        return StopReason.MAX_TOKENS
    return StopReason.TOOL_CALLS if calls else StopReason.END


def _text(answer: "Answer") -> str:
    return "".join(block.text for block in answer.content if block.type == "text")


def _garbled(error: Exception) -> ModelUnreachable:
    return ModelUnreachable(
        "What came from Anthropic's address is not an answer of the Messages API"
        f" ({type(error).__name__}). Is the base URL right?"
    )
