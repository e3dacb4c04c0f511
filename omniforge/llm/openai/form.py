"""What a form of OpenAI's API has to offer: there are two, and one SDK speaks both."""

from typing import TYPE_CHECKING, Any, Literal, Protocol

from omniforge.llm.openai.answer import IncomingAnswer
from omniforge.llm.protocol import Completion

if TYPE_CHECKING:
    from openai import AsyncOpenAI

Api = Literal["auto", "responses", "chat"]


class Form(Protocol):
    """How a request is put and its answer is read."""

    def resource(self, client: "AsyncOpenAI") -> Any:
        """The part of the SDK whose `create` makes the request."""
        ...

    def payload(self, request: Completion) -> dict[str, Any]:
        """The arguments of `create`, for a stream."""
        ...

    def answer(self, request: Completion) -> IncomingAnswer[Any]:
        """What the stream is read into."""
        ...
