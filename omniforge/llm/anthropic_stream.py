"""One answer of Claude while it comes in, and the turn it makes."""

import json
from collections.abc import AsyncIterator, Iterator
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

from omniforge.agents.runs import TokenUsage
from omniforge.errors import (
    AnswerUnusable,
    ContextTooLong,
    ModelRefused,
    ModelUnreachable,
    OmniForgeError,
)
from omniforge.llm.anthropic_wire import Block
from omniforge.llm.protocol import Completion, StopReason, ToolCall, Turn

if TYPE_CHECKING:
    from anthropic.lib.streaming import AsyncMessageStream, ParsedMessageStreamEvent
    from anthropic.types import Message as Answer

Failing = TypeVar("Failing", bound=OmniForgeError)

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
            raise self._unusable("its arguments are not valid JSON") from None
        except (TypeError, LookupError, AttributeError, RuntimeError) as error:
            raise self.paid(_garbled(error)) from None

    def turn(self) -> Turn:
        """The whole answer.

        Raises:
            ModelUnreachable: It is not whole.
            ModelRefused, ContextTooLong, AnswerUnusable: There is nothing in it to work with.
        """
        answer = self._whole()
        calls = () if answer.stop_reason in _CUT else tuple(self._calls(answer))
        return Turn(
            text=_text(answer),
            calls=calls,
            stop=_stop(answer, calls),
            usage=self._usage(),
            model=answer.model or self._request.model,
        )

    def content(self) -> list[Block]:
        """The answer's blocks, in the form in which they can be sent back."""
        return [block.to_dict() for block in self._answer.content] if self._answer else []

    def paid(self, error: Failing) -> Failing:
        """The error, with what the call has used so far."""
        error.details.update(usage=self._usage().model_dump(), model=self._request.model)
        return error

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

    def _calls(self, answer: "Answer") -> Iterator[ToolCall]:
        for index, block in enumerate(answer.content):
            if block.type == "tool_use":
                yield ToolCall(
                    block.id, block.name, self._arguments(index, block.name, block.input)
                )

    def _arguments(self, index: int, tool: str, given: object) -> dict[str, Any]:
        try:
            arguments = _strict_json(self._inputs[index]) if self._inputs.get(index) else given
        except (ValueError, RecursionError):
            raise self._unusable(f"the arguments of {tool!r} are not valid JSON") from None
        if not isinstance(arguments, dict):
            raise self._unusable(f"the arguments of {tool!r} are not a JSON object")
        return arguments

    def _unusable(self, what: str) -> AnswerUnusable:
        text = _text(self._answer) if self._answer else ""
        return self.paid(
            AnswerUnusable(f"A tool call could not be read: {what}. Make the call again.", text)
        )

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


def _strict_json(text: str) -> Any:
    def refuse(constant: str) -> NoReturn:
        raise ValueError(constant)

    return json.loads(text, parse_constant=refuse)


def _garbled(error: Exception) -> ModelUnreachable:
    return ModelUnreachable(
        "What came from Anthropic's address is not an answer of the Messages API"
        f" ({type(error).__name__}). Is the base URL right?"
    )
