"""The model for a machine without any: it carries out a skill's numbered tool calls, one a turn.

It understands nothing and says so. What it is given is all it knows: the skill between its markers
in the system prompt, the input between its markers in the first message, and the answers to its
own calls. The same conversation always gets the same turn.
"""

import asyncio
import json
import re
import sys
from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from typing import NoReturn

from omniforge.agents.runs import TokenUsage
from omniforge.errors import OfflineCannot
from omniforge.journal.steps import Json
from omniforge.llm.grammar.placeholders import (
    Placeholder,
    PlaceholderError,
    as_text,
    fill,
    fill_text,
    placeholders,
)
from omniforge.llm.grammar.procedure import Instruction, Procedure, ProcedureError, read_procedure
from omniforge.llm.protocol import (
    Author,
    Completion,
    OnDelta,
    StopReason,
    ToolAnswer,
    ToolCall,
    Turn,
)
from omniforge.llm.sections import input_section, outside_text, skill_section

NAME = "offline"
_CALL_ID = re.compile(r"offline_step_(\d+)")
_CUT_NOTE = re.compile(r"\[[^\]\n]*\b(?:cut|truncated|omitted)\b[^\]\n]*\]\s*\Z", re.IGNORECASE)
_RESULT_SHOWN = 200  # characters of a result in the summary
_TITLE_SHOWN = 120
_GET_A_MODEL = (
    "Set ANTHROPIC_API_KEY or OPENAI_API_KEY and start the worker again to run it with a model."
)


class OfflineLLM:
    """`pace` is how many seconds an answer takes, so that a person can watch a run.

    Raises in `complete`:
        OfflineCannot: The skill needs judgement, a step is written wrong, or a tool failed. Before
            the first call everything that can be known by then is checked, so a skill with a
            mistake in its last step does nothing at all.
    """

    name = NAME
    default_model = NAME
    has_native_tools = True

    def __init__(self, pace: float = 0.0) -> None:
        self._pace = pace

    async def complete(self, request: Completion, on_delta: OnDelta | None = None) -> Turn:
        if self._pace > 0:
            await asyncio.sleep(self._pace)
        try:
            turn = _Walk(request).turn()
        except RecursionError:
            raise OfflineCannot("The skill or its data is nested too deeply to follow.") from None
        if on_delta is not None:
            for line in turn.text.splitlines(keepends=True):
                on_delta(line)
        return turn

    def price(self, model: str, usage: TokenUsage) -> Decimal | None:
        return Decimal(0)

    def window(self, model: str) -> int | None:
        return sys.maxsize  # it is a program, and reads whatever there is

    async def aclose(self) -> None:
        """There is nothing to close."""


class _Walk:
    """Where a conversation stands in its skill's procedure."""

    def __init__(self, request: Completion) -> None:
        self._request = request
        self._procedure = _procedure(request)
        self._input = _input(request)
        self._answers = _answers(request)
        self._called = _numbers_called(request)

    def turn(self) -> Turn:
        steps = self._procedure.steps
        for step in steps:
            self._refuse_failed(step)
        done = [at for at, step in enumerate(steps) if step.number in self._called]
        # The last call is repeated when its answer never came.
        is_open = bool(done) and steps[done[-1]].number not in self._answers
        following = done[-1] + (0 if is_open else 1) if done else 0
        self._check(following)
        return self._call(following) if following < len(steps) else self._end()

    def _call(self, at: int) -> Turn:
        step = self._procedure.steps[at]
        try:
            arguments = fill(step.arguments, self._value)
        except PlaceholderError as error:
            _cannot(step, f"{error}")
        call = ToolCall(f"offline_step_{step.number}", step.tool, arguments)
        return _turn("\n".join(self._progress(at)), call)

    def _progress(self, at: int) -> Iterator[str]:
        steps = self._procedure.steps
        step, before = steps[at], steps[at - 1].number if at else 0
        last = self._request.messages[-1]
        if at and last.author is Author.USER and last.text and not last.answers:
            yield "The offline model cannot take in messages; it goes on with the steps."
        for number in self._procedure.unread:
            if before < number < step.number:
                yield f"Item {number} calls no tool and is left out: it needs a model."
        place = f"Step {at + 1} of {len(steps)}"
        if step.number != at + 1:
            place = f"Step {step.number} ({at + 1} of {len(steps)})"
        title = f" ({_short(step.title, _TITLE_SHOWN)})" if step.title else ""
        yield f"{place}: {step.tool}{title}"

    def _end(self) -> Turn:
        answer = self._procedure.answer
        if answer is None:
            return _turn("\n".join(self._summary()))
        try:
            if isinstance(answer.template, str):
                return _turn(fill_text(answer.template, self._value))
            return _turn(json.dumps(fill(answer.template, self._value), ensure_ascii=False))
        except PlaceholderError as error:
            _cannot(None, f"{error}")

    def _summary(self) -> Iterator[str]:
        yield "Written by the offline model, which followed the skill's steps and judged nothing."
        for step in self._procedure.steps:
            answer = self._answers.get(step.number)
            result = _short(answer.content, _RESULT_SHOWN) if answer else "(no longer known)"
            yield f"Step {step.number}, {step.tool}: {result or '(empty)'}"
        if self._procedure.unread:
            numbers = ", ".join(map(str, self._procedure.unread))
            yield f"Left out, because it takes a model: {numbers}."

    def _check(self, following: int) -> None:
        """Refuse what would fail later anyway."""
        offered = {tool.name for tool in self._request.tools}
        steps = self._procedure.steps
        known = {step.number for step in steps[:following]}
        for step in steps[following:]:
            if step.tool not in offered:
                names = ", ".join(sorted(offered)) or "none"
                _cannot(step, f"there is no tool {step.tool!r} here (there is: {names})")
            self._check_template(step, step.arguments, known)
            known.add(step.number)
        if self._procedure.answer is not None:
            self._check_template(None, self._procedure.answer.template, known)

    def _check_template(self, step: Instruction | None, template: Json, known: set[int]) -> None:
        try:
            for placeholder in placeholders(template):
                if placeholder.step is None:
                    placeholder.value_in(self._input)
                elif placeholder.step not in known:
                    raise PlaceholderError(
                        f"{placeholder.source} names a step that does not come before"
                    )
        except PlaceholderError as error:
            _cannot(step, f"{error}")

    def _value(self, placeholder: Placeholder) -> Json:
        if placeholder.step is None:
            return placeholder.value_in(self._input)
        answer = self._answers.get(placeholder.step)
        if answer is None:
            raise PlaceholderError(
                f"{placeholder.source}: the result of step {placeholder.step} is no longer part of"
                " the conversation"
            )
        return placeholder.value_in(_data(placeholder, answer.content))

    def _refuse_failed(self, step: Instruction) -> None:
        answer = self._answers.get(step.number)
        if answer is not None and answer.is_error:
            said = " ".join(answer.content.split()).rstrip(".") or "the tool gave no reason"
            _cannot(step, f"{said}. Nothing was tried a second time", verb="failed")


def _procedure(request: Completion) -> Procedure:
    body = skill_section(request.system)
    if not body:
        raise OfflineCannot(
            f"The offline model can only follow a skill's steps, and this is no skill. {_GET_A_MODEL}"
        )
    try:
        procedure = read_procedure(body)
    except ProcedureError as error:
        raise OfflineCannot(f"{error} Then run it again; nothing was done.") from None
    if procedure.is_empty:
        raise OfflineCannot(
            "This skill needs judgement, which takes a model: it has no step that the offline model"
            ' can carry out, that is a numbered item with one call like `tool {"key": "value"}`.'
            f" {_GET_A_MODEL}"
        )
    return procedure


def _input(request: Completion) -> Json:
    texts = (message.text for message in request.messages if message.author is Author.USER)
    text = next((found for text in texts if (found := input_section(text)) is not None), "{}")
    try:
        data = json.loads(text)
    except ValueError:
        data = None
    if not isinstance(data, dict):
        raise OfflineCannot("The skill's input is not a JSON object.")
    return data


def _numbers_called(request: Completion) -> set[int]:
    calls = [call for message in request.messages for call in message.calls]
    found = [_CALL_ID.fullmatch(call.id) for call in calls]
    if not all(found):
        raise OfflineCannot(
            "This conversation was begun by another model, and the offline model cannot tell what"
            f" is already done. {_GET_A_MODEL}"
        )
    return {int(match.group(1)) for match in found if match}


def _answers(request: Completion) -> dict[int, ToolAnswer]:
    return {
        int(match.group(1)): replace(answer, content=outside_text(answer.content))
        for message in request.messages
        for answer in message.answers
        if (match := _CALL_ID.fullmatch(answer.call_id))
    }


def _data(placeholder: Placeholder, content: str) -> Json:
    """A tool's answer as data; plain text is a string."""
    try:
        return json.loads(content)
    except ValueError:
        if content.lstrip()[:1] not in {"{", "[", '"'} and not _CUT_NOTE.search(content):
            return content
    raise PlaceholderError(
        f"{placeholder.source}: the result of step {placeholder.step} is not whole; it was probably"
        f" cut because it is too long ({len(content)} characters came). Ask that step for less"
    )


def _turn(text: str, *calls: ToolCall) -> Turn:
    stop = StopReason.TOOL_CALLS if calls else StopReason.END
    return Turn(text, calls, stop, TokenUsage(model_calls=1), NAME)


def _cannot(step: Instruction | None, why: str, verb: str = "cannot be carried out") -> NoReturn:
    which = f"Step {step.number} ({step.tool})" if step else "The final answer"
    details = {"step": step.number, "tool": step.tool} if step else {}
    raise OfflineCannot(
        f"{which} {verb}: {why}. Correct the skill, or run it with a model (docs/models.md).",
        **details,
    )


def _short(text: str, limit: int) -> str:
    line = " ".join(as_text(text).split())
    return line if len(line) <= limit else line[: limit - 1] + "…"
