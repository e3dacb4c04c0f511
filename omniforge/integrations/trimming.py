"""What a model is shown of a service's answers: the few fields it needs, cut to what it can hold."""

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from omniforge.journal.steps import Json

# The gateway cuts answers at 50,000 characters in the middle of a word; a whole list is worth more.
MAX_CHARS = 40_000
NAME_CHARS = 100

# Marks what we made with the id of its effect, in a form that pages in Markdown do not show.
_MARKER = re.compile(r"\s*<!-- omniforge:(of-[0-9a-f]+) -->")


def present(**fields: Any) -> dict[str, Any]:
    """The fields that say something: None, "" and empty lists are left out."""
    return {name: value for name, value in fields.items() if value not in (None, "", [], {})}


def name(text: object) -> str | None:
    """A name as it is, unless it is no name any more."""
    return excerpt(text, NAME_CHARS) if isinstance(text, str) else None


def excerpt(text: str | None, limit: int) -> str:
    """A text as one line, shortened."""
    line = " ".join(unmarked(text or "").split())
    return line if len(line) <= limit else line[: limit - 1] + "\u2026"


def part(text: str | None, offset: int, limit: int, how: str) -> str:
    """A long text from a character on; where it goes on is said, and `how` to read that."""
    whole = unmarked(text or "")
    shown = whole[offset : offset + limit]
    end = offset + len(shown)
    if end >= len(whole):
        return shown
    return (
        f"{shown}\n[cut: characters {offset} to {end} of {len(whole)}; for more, {how.format(end)}]"
    )


def listing(name: str, rows: Sequence[Mapping[str, Any]], next_cursor: str | None = None) -> Json:
    """A list under its name, with the cursor of what follows, or as much of it as there is room for."""
    kept, room = 0, MAX_CHARS
    for row in rows:
        room -= len(json.dumps(row, ensure_ascii=False)) + 2
        if room < 0:
            break
        kept += 1
    if kept == len(rows):
        return {name: list(rows), **present(next_cursor=next_cursor)}
    note = f"There was room for {kept} of {len(rows)}. Begin again with a limit of {max(1, kept)}."
    return {name: list(rows[:kept]), "note": note}


def marked(text: str, effect_id: str) -> str:
    """A text in Markdown with an invisible marker, by which it can be found again."""
    return f"{unmarked(text)}\n\n<!-- omniforge:{effect_id} -->".lstrip()


def unmarked(text: str) -> str:
    return _MARKER.sub("", text)


def has_marker(text: str | None, effect_id: str) -> bool:
    return effect_id in _MARKER.findall(text or "")
