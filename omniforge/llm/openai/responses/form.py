"""Responses as a form of OpenAI's API."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from omniforge.llm.openai.responses.stream import IncomingResponse
from omniforge.llm.openai.responses.wire import payload
from omniforge.llm.protocol import Completion

if TYPE_CHECKING:
    from openai import AsyncOpenAI


@dataclass(frozen=True, slots=True)
class Responses:
    maker: str
    """Whose thoughts these are: another server could not read them."""
    effort: str

    def resource(self, client: "AsyncOpenAI") -> Any:
        return client.responses

    def payload(self, request: Completion) -> dict[str, Any]:
        return payload(request, self.maker, self.effort)

    def answer(self, request: Completion) -> IncomingResponse:
        return IncomingResponse(request, self.maker)
