"""The part of a skill that can be carried out without judgement: its numbered tool calls.

    1. Find what is late: `table_query {"table": "${input.table}", "where": "due < today"}`
    2. Tell the team: `slack_post {"text": "${steps.1.count} tasks are late"}`
    3. Answer: ${steps.1.count} tasks are late.

An item's number is its name for `${steps.N}`. Its other lines and code spans are for readers;
lists inside an item, and text in code fences, are never steps.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NoReturn

from omniforge.journal.steps import Json
from omniforge.llm.grammar.items import Item, numbered_items

_CODE_SPAN = re.compile(r"(?<!`)(`+)(?!`)(.+?)(?<!`)\1(?!`)", re.DOTALL)
# A name, then an object: "{" followed by a key or by "}". `Hello {name}` is prose.
_CALL = re.compile(r'\s*([A-Za-z_][\w.:/-]*)\s+(\{\s*["}].*)', re.DOTALL)
_ANSWER = re.compile(r"\s*[*_]{0,2}Answer:[*_]{0,2}\s*(.*)", re.DOTALL)


class ProcedureError(ValueError):
    """A skill's steps cannot be carried out as they are written. The message is for its author."""


@dataclass(frozen=True, slots=True)
class Instruction:
    """One tool call. `title` is the item's text without the call."""

    number: int
    tool: str
    arguments: Mapping[str, Any]
    title: str


@dataclass(frozen=True, slots=True)
class AnswerTemplate:
    """The final answer: text, or any JSON value when it was written as a JSON object or list."""

    number: int
    template: Json


@dataclass(frozen=True, slots=True)
class Procedure:
    """Steps in the order of the text. `unread` are the numbered items that are only prose."""

    steps: tuple[Instruction, ...]
    answer: AnswerTemplate | None
    unread: tuple[int, ...]

    @property
    def is_empty(self) -> bool:
        return not self.steps and self.answer is None


def read_procedure(body: str) -> Procedure:
    """Read the steps out of a skill's markdown.

    Raises:
        ProcedureError: Two steps share a number, an item holds two calls, or a call does not parse.
    """
    steps: list[Instruction] = []
    answers: list[AnswerTemplate] = []
    unread = []
    for item in numbered_items(body):
        if found := _ANSWER.fullmatch(item.text):
            answers.append(AnswerTemplate(item.number, _template(item, found.group(1))))
        elif step := _instruction(item):
            steps.append(step)
        else:
            unread.append(item.number)
    _refuse_ambiguity(steps, answers)
    return Procedure(tuple(steps), answers[0] if answers else None, tuple(unread))


def _refuse_ambiguity(steps: list[Instruction], answers: list[AnswerTemplate]) -> None:
    numbers = [step.number for step in steps]
    for number in numbers:
        if numbers.count(number) > 1:
            raise ProcedureError(f"Two steps have the number {number}. Give each its own number.")
    if len(answers) > 1:
        raise ProcedureError("Two items start with 'Answer:'. Keep one.")


def _instruction(item: Item) -> Instruction | None:
    calls = [
        (span, call)
        for span in _CODE_SPAN.finditer(item.text)
        if (call := _CALL.fullmatch(span.group(2).replace("\n", " ")))
    ]
    if not calls:
        return None
    if len(calls) > 1:
        raise ProcedureError(
            f"Step {item.number} holds {len(calls)} calls. Give each its own item."
        )
    span, call = calls[0]
    title = " ".join((item.text[: span.start()] + item.text[span.end() :]).split())
    arguments = _arguments(item.number, call.group(1), call.group(2))
    return Instruction(item.number, call.group(1), arguments, title.strip(" :.-"))


def _arguments(number: int, tool: str, text: str) -> dict[str, Any]:
    try:
        arguments = json.loads(text, parse_constant=_refuse)
    except (ValueError, RecursionError) as error:
        raise ProcedureError(
            f"Step {number}: the arguments of {tool!r} are not valid JSON ({_short(error)})."
        ) from None
    assert isinstance(arguments, dict)  # noqa: S101 - the text starts with a brace
    return arguments


def _template(item: Item, text: str) -> Json:
    """A fenced block, or one code span that is all there is, is taken out of its quotes."""
    inline = _CODE_SPAN.fullmatch(text.strip())
    quoted = item.fenced or (inline.group(2) if inline else None)
    template = (text if quoted is None else quoted).strip()
    if quoted is None or template[:1] not in {"{", "["}:
        return template
    try:
        return json.loads(template, parse_constant=_refuse)
    except (ValueError, RecursionError) as error:
        raise ProcedureError(
            f"Item {item.number}: the answer is not valid JSON ({_short(error)})."
        ) from None


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not JSON")


def _short(error: Exception) -> str:
    return "nested too deeply" if isinstance(error, RecursionError) else str(error)
