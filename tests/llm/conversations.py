"""Runs an offline conversation to its end, with tools that answer from a table."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from omniforge.llm.offline import OfflineLLM
from omniforge.llm.protocol import (
    Author,
    Completion,
    Message,
    ToolAnswer,
    ToolCall,
    ToolSchema,
    Turn,
)
from omniforge.llm.sections import input_block, skill_block

Tools = Mapping[str, Callable[[Mapping[str, Any]], Any]]


class ToolFailed(Exception):
    """Raised by a test's tool to answer with an error."""


@dataclass
class Conversation:
    """What an executor does around a model, without the rest of the platform."""

    body: str
    input: Mapping[str, Any] = field(default_factory=dict)
    tools: Tools = field(default_factory=dict)
    messages: list[Message] = field(default_factory=list)
    turns: list[Turn] = field(default_factory=list)
    calls: list[ToolCall] = field(default_factory=list)

    def __post_init__(self) -> None:
        asked = f"Please run this skill.\n\n{input_block(self.input)}"
        self.messages = [Message(Author.USER, asked)]

    def request(self) -> Completion:
        system = f"You are an agent.\n\n{skill_block('late-tasks', self.body)}\n\nToday: 2026-11-21"
        schemas = tuple(ToolSchema(name, "", {"type": "object"}) for name in self.tools)
        return Completion("offline", system, tuple(self.messages), schemas)

    async def step(self) -> Turn:
        turn = await OfflineLLM().complete(self.request())
        self.turns.append(turn)
        self.calls.extend(turn.calls)
        self.messages.append(Message(Author.ASSISTANT, turn.text, turn.calls))
        if turn.calls:
            answers = tuple(self._answer(call) for call in turn.calls)
            self.messages.append(Message(Author.USER, answers=answers))
        return turn

    async def run(self) -> str:
        """The final answer."""
        while (turn := await self.step()).calls:
            pass
        return turn.text

    def _answer(self, call: ToolCall) -> ToolAnswer:
        try:
            result = self.tools[call.name](call.arguments)
        except ToolFailed as failure:
            return ToolAnswer(call.id, str(failure), is_error=True)
        text = result if isinstance(result, str) else json.dumps(result)
        return ToolAnswer(call.id, text)
