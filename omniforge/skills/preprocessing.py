"""From a skill's body to the instructions of one run: injection, then substitution, then its files.

The order is a matter of safety: commands are taken from the skill as its author wrote it, so nothing
that a caller passes in can become one.
"""

import json
import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Protocol, Self

from omniforge.errors import SkillInvalid
from omniforge.skills.document import Skill

# Placeholders repeat, so a small body and a large argument could make a text that fills the memory.
MAX_RESULT_CHARACTERS = 4 * 1024 * 1024

_PLACEHOLDER = re.compile(
    r"\$ARGUMENTS\[(?P<index>\d{1,4})\]"
    r"|\$\{(?P<variable>[A-Za-z_]\w*)\}"
    r"|\$(?P<name>[A-Za-z_]\w*|\d{1,2}(?!\d|[.,]\d))",
    re.ASCII,
)


@dataclass(frozen=True, slots=True)
class SupportingFile:
    path: str
    size: int


class ContextLoader:
    """Lists a skill's supporting files. Contents are read on demand, by the model, one at a time."""

    def load(self, skill: Skill) -> tuple[SupportingFile, ...]:
        return tuple(SupportingFile(p, len(skill.files[p])) for p in skill.supporting_files)

    def listing(self, skill: Skill) -> str:
        """One line a file, for the prompt; empty without files."""
        return "\n".join(f"- {file.path} ({file.size} bytes)" for file in self.load(skill))


@dataclass(frozen=True, slots=True)
class Arguments:
    """What a caller passes to a skill, in the three ways that placeholders reach it."""

    text: str = ""
    positional: tuple[str, ...] = ()
    named: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, value: str | Mapping[str, Any], names: Sequence[str] = ()) -> Self:
        """A line of words, named by their numbers from 0, and by `names` in order; or a JSON object,
        whose keys are the names.

        The object may come as text. Quotes keep words together; values that are not strings appear
        as JSON.
        """
        if not isinstance(value, str):
            return cls._of_object(_as_text(dict(value)) if value else "", value)
        if (parsed := _object_in(value)) is not None:
            return cls._of_object(value, parsed)
        words = _words(value)
        numbered = {str(number): word for number, word in enumerate(words)}
        return cls(value, words, {**numbered, **dict(zip(names, words, strict=False))})

    @classmethod
    def _of_object(cls, text: str, value: Mapping[str, Any]) -> Self:
        named = {key: _as_text(each) for key, each in value.items()}
        return cls(text, tuple(named.values()), named)


class StringSubstitutor:
    """Fills placeholders in, once: what is filled in is never looked at again.

    `$ARGUMENTS` is all of the arguments, `$ARGUMENTS[n]` one of them from 0, `$name` one by its name, `$0`
    a word of a line, `${NAME}` a variable. Whatever has no value stays as it is, so `$PATH`, prices and
    the `${input.x}` and `${steps.1.x}` of the step grammar pass untouched. Code fences are text like any
    other.
    """

    def substitute(
        self,
        text: str,
        arguments: Arguments | str | Mapping[str, Any] = "",
        variables: Mapping[str, str] | None = None,
    ) -> str:
        """The text with every known placeholder filled in. Plain arguments go through `Arguments.of`.

        Raises:
            SkillInvalid: The result would be larger than 4 million characters.
        """
        given = arguments if isinstance(arguments, Arguments) else Arguments.of(arguments)
        filling = _Filling(given, variables or {}, MAX_RESULT_CHARACTERS - len(text))
        return _PLACEHOLDER.sub(filling.value, text)


class _Filling:
    def __init__(self, arguments: Arguments, variables: Mapping[str, str], room: int) -> None:
        self._arguments, self._variables, self._room = arguments, variables, room

    def value(self, found: re.Match[str]) -> str:
        value = self._known(found)
        if value is None:
            return found[0]
        self._room -= len(value)
        if self._room < 0:
            raise SkillInvalid(
                f"With its arguments filled in, the skill is longer than {MAX_RESULT_CHARACTERS}"
                " characters. Pass less, or repeat $ARGUMENTS less often."
            )
        return value

    def _known(self, found: re.Match[str]) -> str | None:
        if found["index"]:
            positional, index = self._arguments.positional, int(found["index"])
            return positional[index] if index < len(positional) else None
        if found["variable"]:
            return self._variables.get(found["variable"])
        if found["name"] == "ARGUMENTS":
            return self._arguments.text
        return self._arguments.named.get(found["name"])


def standard_variables(skill_dir: str, session_id: str, today: date) -> dict[str, str]:
    """The variables every skill has, under our names and under those Claude Code gives them."""
    return {
        "SKILL_DIR": skill_dir,
        "CLAUDE_SKILL_DIR": skill_dir,
        "SESSION_ID": session_id,
        "CLAUDE_SESSION_ID": session_id,
        "DATE": today.isoformat(),
    }


class DynamicInjector(Protocol):
    """Runs the commands in a body (`` !`command` ``) and puts their output in their place.

    Injection needs a sandbox and is off without one: the text then stays as it stands.
    """

    async def inject(self, text: str) -> str: ...


def _object_in(text: str) -> dict[str, Any] | None:
    if not text.lstrip().startswith("{"):
        return None
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def _words(text: str) -> tuple[str, ...]:
    try:
        return tuple(shlex.split(text))
    except ValueError:  # an apostrophe in plain prose
        return tuple(text.split())


def _as_text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
