"""The marked sections of a prompt: where the skill stands, and where its input.

The prompt builder writes them, the offline model finds them again, and a real model reads them as
what they say.
"""

import json
import re
from collections.abc import Mapping
from typing import Any

SKILL_BEGIN = '<skill name="{name}">'
SKILL_END = "</skill>"
INPUT_BEGIN = "<input>"
INPUT_END = "</input>"

_SKILL_BEGIN = re.compile(r'^<skill name="[^"\n]*">[ \t]*$', re.MULTILINE)
_SKILL_END = re.compile(r"^</skill>[ \t]*$", re.MULTILINE)
_OUTSIDE = re.compile(
    r'<outside-(?P<mark>\w+) from="[^"\n]*">\n(?P<text>.*)\n</outside-(?P=mark)>', re.DOTALL
)
_INPUT = re.compile(r"^<input>[ \t]*\n(.*?)^</input>[ \t]*$", re.MULTILINE | re.DOTALL)


def skill_block(name: str, body: str) -> str:
    """A skill's text between its markers, for the system prompt. A prompt has one such block."""
    begin, text = SKILL_BEGIN.format(name=name), body.strip("\n")
    return f"{begin}\n{text}\n{SKILL_END}"


def skill_section(system: str) -> str:
    """The skill's text in a system prompt; empty when there is none.

    It ends at the last end marker, so a skill may show one in an example.
    """
    begin = _SKILL_BEGIN.search(system)
    ends = list(_SKILL_END.finditer(system, begin.end())) if begin else []
    return system[begin.end() : ends[-1].start()].strip("\n") if begin and ends else ""


def input_block(data: Mapping[str, Any]) -> str:
    """A skill's input between its markers, for the first user message."""
    text = json.dumps(data, ensure_ascii=False)
    return f"{INPUT_BEGIN}\n{text}\n{INPUT_END}"


def outside_block(text: str, mark: str, source: str) -> str:
    """Text from outside, between lines that it cannot forge: `mark`, which they hold, is cut from it."""
    harmless = re.sub(re.escape(mark), "[...]", text, flags=re.IGNORECASE)
    return f'<outside-{mark} from="{source}">\n{harmless}\n</outside-{mark}>'


def outside_text(content: str) -> str:
    """What stands between the lines of an outside block; any other text as it is."""
    found = _OUTSIDE.fullmatch(content)
    return found["text"] if found else content


def input_section(text: str) -> str | None:
    """The JSON text between the input markers; None when there are none."""
    found = _INPUT.search(text)
    return found.group(1) if found else None
