"""One answer while it comes in, by whichever form of the API, and the turn it makes."""

from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Iterable
from enum import Enum, auto
from typing import Any, ClassVar, Generic, TypeVar

from omniforge.agents.runs import TokenUsage
from omniforge.errors import AnswerUnusable, ModelRefused, ModelUnreachable
from omniforge.llm.answers import Failing, billed
from omniforge.llm.openai.calls import IncomingCall, whole_calls
from omniforge.llm.protocol import Completion, Native, StopReason, ToolCall, Turn
from omniforge.llm.tokens import estimate_tokens, tokens_in

Event = TypeVar("Event")


class End(Enum):
    WHOLE = auto()
    CUT = auto()
    """By the limit of tokens, or by the model itself; it goes on when it is asked again."""
    FILTERED = auto()


class AnswerFailed(Exception):
    """An event of the stream says that there will be no answer, and its code says why."""

    def __init__(self, code: str | None, message: str) -> None:
        super().__init__(message)
        self.code, self.message = code, message


class IncomingAnswer(ABC, Generic[Event]):
    """What has come so far. Servers leave out what they like, so nothing is taken for granted."""

    api: ClassVar[str]

    def __init__(self, request: Completion) -> None:
        self._request = request
        self._texts: list[str] = []
        self._refusals: list[str] = []
        self._end: End | None = None
        self._told: TokenUsage | None = None
        self._model = ""
        self._thinks = False
        """The model has begun to reason, which is not seen and yet paid."""

    async def read(self, events: AsyncIterator[Event]) -> AsyncIterator[str]:
        """The pieces of text, as they come.

        Raises:
            AnswerFailed: The stream says so.
            ModelUnreachable: What came is not an answer.
        """
        try:
            async for event in events:
                if piece := self._take(event):
                    self._texts.append(piece)
                    yield piece
        except (ValueError, TypeError, LookupError, AttributeError, RuntimeError) as error:
            raise self.paid(self._garbled(error)) from None

    def turn(self) -> Turn:
        """The whole answer.

        Raises:
            ModelUnreachable: It is not whole.
            ModelRefused, AnswerUnusable: There is nothing in it to work with.
        """
        if self._end is None:
            raise self.paid(ModelUnreachable("The model's answer broke off before its end."))
        if self._refusals or self._end is End.FILTERED:
            raise self.paid(ModelRefused(f"The model declined to answer{self._reason()}."))
        if self._end is End.CUT:
            # Its last call may be half a call, so none of them counts.
            return self._turn(StopReason.MAX_TOKENS)
        calls = self._whole_calls()
        stop = StopReason.TOOL_CALLS if calls else StopReason.END
        return self._turn(stop, calls, self._native())

    def paid(self, error: Failing) -> Failing:
        """The error, with what the call has used so far."""
        return billed(error, self._usage(), self._request.model)

    @abstractmethod
    def _take(self, event: Event) -> str:
        """Notes what an event says; hands on the text in it."""

    @abstractmethod
    def _calls(self) -> Iterable[IncomingCall]:
        """In the model's order."""

    def _native(self) -> Native | None:
        return None

    def _turn(
        self, stop: StopReason, calls: tuple[ToolCall, ...] = (), native: Native | None = None
    ) -> Turn:
        model = self._model or self._request.model
        return Turn("".join(self._texts), calls, stop, self._usage(), model, native)

    def _reason(self) -> str:
        said = "".join(self._refusals).strip().rstrip(".")
        by_filter = "its provider's content filter stopped it" * (self._end is End.FILTERED)
        return f": {said or by_filter}" if said or by_filter else ""

    def _whole_calls(self) -> tuple[ToolCall, ...]:
        try:
            return tuple(whole_calls(self._calls(), self._request, "".join(self._texts)))
        except AnswerUnusable as error:
            raise self.paid(error) from None

    def _usage(self) -> TokenUsage:
        return self._estimate() if self._told is None else self._told

    def _estimate(self) -> TokenUsage:
        """For servers that send no usage, and for lines cut before it: rather too much than too little."""
        calls = (call.text for call in self._calls())
        written = "".join((*self._texts, *self._refusals, *calls))
        if not written and not self._thinks and self._end is None:
            return TokenUsage()
        return TokenUsage(
            input_tokens=estimate_tokens(self._request),
            output_tokens=tokens_in(written),
            model_calls=1,
        )

    def _garbled(self, error: Exception) -> ModelUnreachable:
        return ModelUnreachable(
            f"What came from the model's address is not an answer of the {self.api} API"
            f" ({type(error).__name__}). Is OPENAI_BASE_URL right? It often ends in /v1."
        )


def counted(read: int | None, written: int | None, details: Any) -> TokenUsage:
    """Usage as told: all tokens read and written, and how many of the first had to do with a cache."""
    cached = getattr(details, "cached_tokens", None) or 0
    cache_written = getattr(details, "cache_write_tokens", None) or 0
    return TokenUsage(
        input_tokens=max(0, (read or 0) - cached - cache_written),
        output_tokens=written or 0,
        cache_read_tokens=cached,
        cache_write_tokens=cache_written,
        model_calls=1,
    )
