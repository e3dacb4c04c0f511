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


def input_section(text: str) -> str | None:
    """The JSON text between the input markers; None when there are none."""
    found = _INPUT.search(text)
    return found.group(1) if found else None
