"""What is left of older turns: a transcript to sum up, an extract, the names that later turns need."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from omniforge.execution.loop.conversation import shortened
from omniforge.llm.protocol import Author, Message
from omniforge.llm.sections import outside_text
from omniforge.llm.tokens import tokens_in
from omniforge.tools.wording import shortened as clipped
from omniforge.tools.wording import shown

# Characters of each text and answer, from generous to a line; the first that fits is taken.
_CAPS = (12_000, 3_000, 800, 200)
_LINE = 200

_REFERENCE = re.compile(
    r'https?://[^\s"\'<>\\)\]}]{4,300}'
    r'|"(?:\w{1,40}_)?(?:id|key|url|uri|path|file|number|ref|sha|etag)"\s*:\s*(?:"[^"\\]{1,200}"|\d{1,30})',
    re.IGNORECASE,
)


def transcript(messages: Sequence[Message], room: int) -> str:
    """Turns as a text of at most `room` tokens. Long texts lose their middle, and then old turns go."""
    text = ""
    for cap in _CAPS:
        text = "\n\n".join(_told(messages, cap))
        if tokens_in(text) <= room:
            return text
    return f"[older turns left out]\n{text[-room:]}"  # a token has at least a byte


def extract(messages: Sequence[Message], notes: str, limit: int) -> str:
    """Notes made by rule: a line for each text, call and answer, added to the notes so far.

    Beyond `limit` characters the oldest lines are left out.
    """
    lines = [notes] if notes else []
    names = _names(messages)
    for message in messages:
        if message.author is Author.ASSISTANT and message.text.strip():
            lines.append(f"- said: {_line(message.text)}")
        lines += (
            f"- called {call.name} {shown(dict(call.arguments), _LINE)}" for call in message.calls
        )
        for answer in message.answers:
            kind = "failed" if answer.is_error else "answered"
            name = names.get(answer.call_id, "a tool")
            lines.append(f"  {name} {kind}: {_line(outside_text(answer.content))}")
    return _end_of("\n".join(lines), limit)


def references(messages: Sequence[Message]) -> Iterator[str]:
    """Addresses, ids and paths in calls and answers, as they stand, in their order."""
    for message in messages:
        for call in message.calls:
            yield from _REFERENCE.findall(_json(call.arguments))
        for answer in message.answers:
            yield from _REFERENCE.findall(answer.content)


def _end_of(text: str, limit: int) -> str:
    """The last whole lines of a text."""
    if len(text) <= limit:
        return text
    _, _, lines = text[-limit:].partition("\n")
    return f"[older notes left out]\n{lines}"


def _told(messages: Sequence[Message], cap: int) -> Iterator[str]:
    names = _names(messages)
    for message in messages:
        who = "You said" if message.author is Author.ASSISTANT else "You were told"
        if message.text.strip():
            yield f"{who}: {shortened(message.text, cap)}"
        for call in message.calls:
            yield f"You called {call.name} with {shortened(_json(call.arguments), cap)}"
        for answer in message.answers:
            kind = "failed" if answer.is_error else "answered"
            name = names.get(answer.call_id, "A tool")
            yield f"{name} {kind}:\n{shortened(answer.content, cap)}"


def _names(messages: Sequence[Message]) -> Mapping[str, str]:
    """Ids belong to one turn alone; where a later turn has the same, its name is as good as any."""
    return {call.id: call.name for message in messages for call in message.calls}


def _line(text: str) -> str:
    return clipped(" ".join(text.split()), _LINE)


def _json(arguments: Mapping[str, Any]) -> str:
    return json.dumps(dict(arguments), ensure_ascii=False)
