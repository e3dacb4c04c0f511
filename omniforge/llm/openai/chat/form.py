"""Chat Completions as a form of OpenAI's API."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from omniforge.llm.openai.chat.stream import IncomingChat
from omniforge.llm.openai.chat.wire import payload
from omniforge.llm.protocol import Completion

if TYPE_CHECKING:
    from openai import AsyncOpenAI


@dataclass(frozen=True, slots=True)
class Chat:
    limit_name: str
    effort: str

    def resource(self, client: "AsyncOpenAI") -> Any:
        return client.chat.completions

    def payload(self, request: Completion) -> dict[str, Any]:
        return payload(request, self.limit_name, self.effort)

    def answer(self, request: Completion) -> IncomingChat:
        return IncomingChat(request)
