"""Tool calls as JSON text, for models that have no native ones."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

from omniforge.agents.runs import TokenUsage
from omniforge.errors import AnswerUnusable, TryAgain
from omniforge.llm.protocol import (
    LLM,
    Author,
    Completion,
    Message,
    OnDelta,
    StopReason,
    ToolCall,
    ToolSchema,
    Turn,
)

_FIELDS = ("thought", "action", "action_input", "is_final", "final_answer")
_STEP_BEGINS = re.compile(r'\{\s*"(?:' + "|".join(_FIELDS) + r')"\s*:')
_DECODER = json.JSONDecoder(strict=False)  # models write line breaks into strings
_FORM = (
    'Answer with one JSON object: {"thought": "...", "action": "tool_name", "action_input": {...},'
    ' "is_final": false} to call a tool, or {"thought": "...", "final_answer": "...",'
    ' "is_final": true} to finish.'
)


@dataclass(frozen=True, slots=True)
class ReActStep:
    """One step of a model's reasoning: either `action` or `final_answer` is set, never both."""

    thought: str
    action: str | None = None
    action_input: Mapping[str, Any] | None = None
    final_answer: str | None = None

    @property
    def is_final(self) -> bool:
        return self.final_answer is not None


class ReActParser:
    """Finds the step in a model's text: bare, fenced, or with prose around it."""

    def parse(self, text: str) -> ReActStep:
        """The first whole step in the text.

        Raises:
            TryAgain: There is none, it is broken, or it says two things. Written for the model.
        """
        return _step(_first_object(text))


def _first_object(text: str) -> Mapping[str, Any]:
    position = text.find("{")
    while position >= 0:
        try:
            found, end = _DECODER.raw_decode(text, position)
        except (ValueError, RecursionError) as error:
            # Inside a broken step there may be objects that look like steps: do not look there.
            if _STEP_BEGINS.match(text, position):
                raise TryAgain(
                    f"Your JSON is broken or cut off ({_reason(error)}). {_FORM}"
                ) from None
            end = position + 1
        else:
            if isinstance(found, dict) and found.keys() & set(_FIELDS):
                return found
        position = text.find("{", end)
    raise TryAgain(f"There is no JSON object in your answer. {_FORM}")


def _reason(error: Exception) -> str:
    return error.msg if isinstance(error, json.JSONDecodeError) else "nested too deeply"


def _step(found: Mapping[str, Any]) -> ReActStep:
    action, answer = found.get("action"), found.get("final_answer")
    thought = found.get("thought")
    thought = thought if isinstance(thought, str) else ""
    if action not in (None, "") and answer is not None:
        raise TryAgain("Your answer has both an action and a final_answer. Send one of them.")
    if answer is not None:
        return ReActStep(thought, final_answer=answer if isinstance(answer, str) else _json(answer))
    if action in (None, ""):
        raise TryAgain(f"Your answer has neither an action nor a final_answer. {_FORM}")
    if not isinstance(action, str):
        raise TryAgain("The action must be the name of a tool, as a string.")
    if found.get("is_final") is True:
        raise TryAgain("is_final is true, but there is an action and no final_answer.")
    return ReActStep(thought, action, _action_input(found.get("action_input")))


def _action_input(given: Any) -> Mapping[str, Any]:
    if isinstance(given, str):
        try:
            given = json.loads(given) if given.strip() else {}
        except (ValueError, RecursionError):
            given = None
    elif given is None:
        given = {}
    if not isinstance(given, dict):
        raise TryAgain("The action_input must be a JSON object.")
    return given


def react_instructions(tools: Sequence[ToolSchema]) -> str:
    """What a model must be told to call tools by text."""
    described = "\n".join(
        f"- {tool.name}: {tool.description}\n  input schema: {_json(dict(tool.parameters))}"
        for tool in tools
    )
    return (
        f"## Tools\n\n{described}\n\n## How to answer\n\n{_FORM}\n"
        "Write nothing before or after the object, and make one call at a time. After a call you"
        " get its observation."
    )


class ReActLLM:
    """A model without native tool calls, made to look as if it had them.

    Raises in `complete`:
        AnswerUnusable: The model's text is not a step. Its `text` and message go back to the model.
    """

    has_native_tools = True

    def __init__(self, inner: LLM) -> None:
        self._inner = inner
        self._parser = ReActParser()
        self.name = inner.name
        self.default_model = inner.default_model

    async def complete(self, request: Completion, on_delta: OnDelta | None = None) -> Turn:
        """Answer once. With tools, watchers get the thought when it is whole, not the JSON."""
        if not request.tools:
            return await self._inner.complete(request, on_delta)
        turn = self._read(await self._inner.complete(_as_text(request)), request)
        if on_delta is not None and turn.text:
            on_delta(turn.text)
        return turn

    def price(self, model: str, usage: TokenUsage) -> Decimal | None:
        return self._inner.price(model, usage)

    def window(self, model: str) -> int | None:
        return self._inner.window(model)

    async def aclose(self) -> None:
        """Close the model inside."""
        await self._inner.aclose()

    def _read(self, turn: Turn, request: Completion) -> Turn:
        try:
            step = self._parser.parse(turn.text)
        except TryAgain as error:
            cut = "Your answer was too long and was cut. " * (turn.stop is StopReason.MAX_TOKENS)
            raise AnswerUnusable(
                cut + error.message, turn.text, usage=turn.usage.model_dump(), model=turn.model
            ) from None
        if step.action is None:
            return replace(turn, text=step.final_answer or "", calls=(), stop=StopReason.END)
        call = ToolCall(_next_id(request), step.action, step.action_input or {})
        return replace(turn, text=step.thought, calls=(call,), stop=StopReason.TOOL_CALLS)


def _next_id(request: Completion) -> str:
    turns = sum(message.author is Author.ASSISTANT for message in request.messages)
    return f"react_{turns + 1}"


def _as_text(request: Completion) -> Completion:
    names = {call.id: call.name for message in request.messages for call in message.calls}
    return replace(
        request,
        system=f"{request.system}\n\n{react_instructions(request.tools)}".strip(),
        messages=tuple(_spoken(message, names) for message in request.messages),
        tools=(),
    )


def _spoken(message: Message, names: Mapping[str, str]) -> Message:
    if message.calls:
        return Message(message.author, "\n".join(_calls(message)))
    if message.answers:
        return Message(message.author, "\n\n".join(_observations(message, names)))
    return message


def _calls(message: Message) -> Iterator[str]:
    for call in message.calls:
        step = {
            "thought": message.text,
            "action": call.name,
            "action_input": dict(call.arguments),
            "is_final": False,
        }
        yield _json(step)


def _observations(message: Message, names: Mapping[str, str]) -> Iterator[str]:
    for answer in message.answers:
        kind = "Error" if answer.is_error else "Observation"
        yield f"{kind} from {names.get(answer.call_id, 'a tool')}: {answer.content}"
    if message.text:
        yield message.text


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)
