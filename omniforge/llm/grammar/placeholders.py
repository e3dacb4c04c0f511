"""`${input.path}` and `${steps.N.path}`: how a skill's steps hand data to each other.

A path goes through objects and lists: `rows[0].name` or `rows.0.name`. `${input.column|Due}` has a
default for a path that leads nowhere. `$${` is a plain `${`.
"""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from omniforge.journal.steps import Json

_PLACEHOLDER = re.compile(r"\$\$\{|\$\{([^{}]*)\}?")
_SEGMENT = re.compile(r"\[(\d+)\]|\.?([^.\[\]]+)")


class PlaceholderError(ValueError):
    """A placeholder that cannot be filled in. The message is for the skill's author."""


@dataclass(frozen=True, slots=True)
class Placeholder:
    """`step` is None for the skill's input."""

    source: str
    step: int | None
    path: tuple[str, ...]
    default: str | None

    def value_in(self, root: Json) -> Json:
        """What the path leads to, or the default.

        Raises:
            PlaceholderError: It leads nowhere and has no default.
        """
        value = root
        for depth, segment in enumerate(self.path):
            try:
                value = _child(value, segment)
            except LookupError:
                if self.default is not None:
                    return self.default
                raise PlaceholderError(self._dead_end(value, depth)) from None
        return value

    def _dead_end(self, value: Json, depth: int) -> str:
        where = "the input" if self.step is None else f"the result of step {self.step}"
        if depth:
            where = f"{'.'.join(self.path[:depth])!r} in {where}"
        return f"{self.source} leads nowhere: {where} {_lacks(value, self.path[depth])}"


Source = Callable[[Placeholder], Json]
"""Gives a placeholder its value."""


def placeholders(template: Json) -> Iterator[Placeholder]:
    """All placeholders in the strings of a template, keys of objects included.

    Raises:
        PlaceholderError: One cannot be read.
    """
    if isinstance(template, str):
        for match in _PLACEHOLDER.finditer(template):
            if match.group() != "$${":
                yield _parsed(match)
    elif isinstance(template, Mapping):
        for key, value in template.items():
            yield from placeholders(key)
            yield from placeholders(value)
    elif isinstance(template, list):
        for value in template:
            yield from placeholders(value)


def fill(template: Json, source: Source) -> Json:
    """The template with its placeholders replaced.

    A string that is one placeholder takes the value as it is; in a longer string, and in keys,
    strings go in as they are and anything else as compact JSON.
    """
    if isinstance(template, Mapping):
        return {fill_text(key, source): fill(value, source) for key, value in template.items()}
    if isinstance(template, list):
        return [fill(value, source) for value in template]
    if not isinstance(template, str):
        return template
    only = _PLACEHOLDER.fullmatch(template)
    if only and only.group() != "$${":
        return source(_parsed(only))
    return fill_text(template, source)


def fill_text(template: str, source: Source) -> str:
    def replaced(match: re.Match[str]) -> str:
        return "${" if match.group() == "$${" else as_text(source(_parsed(match)))

    return _PLACEHOLDER.sub(replaced, template)


def as_text(value: Json) -> str:
    """A string as it is, anything else as compact JSON."""
    if isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _parsed(match: re.Match[str]) -> Placeholder:
    source = match.group()
    if not source.endswith("}"):
        raise PlaceholderError(f"{source!r} has no closing brace; write $${{ for a plain ${{")
    expression, bar, default = match.group(1).partition("|")
    root, *path = _segments(expression.strip(), source)
    if root == "input":
        return Placeholder(source, None, tuple(path), default if bar else None)
    if root == "steps" and path and path[0].isascii() and path[0].isdigit() and len(path[0]) < 10:
        return Placeholder(source, int(path[0]), tuple(path[1:]), default if bar else None)
    raise PlaceholderError(
        f"{source} is not known: there are ${{input.…}} and ${{steps.N.…}};"
        " write $${ for a plain ${"
    )


def _segments(expression: str, source: str) -> list[str]:
    found = list(_SEGMENT.finditer(expression))
    is_whole = "".join(match.group() for match in found) == expression
    if not found or not is_whole or expression.startswith("."):
        raise PlaceholderError(f"{source} cannot be read as a path")
    return [match.group(1) or match.group(2) for match in found]


def _child(value: Json, segment: str) -> Json:
    if isinstance(value, Mapping):
        return value[segment]
    if isinstance(value, list) and segment.isascii() and segment.isdigit():
        return value[int(segment[:9])]
    raise LookupError(segment)


def _lacks(value: Json, segment: str) -> str:
    if isinstance(value, Mapping):
        known = ", ".join(sorted(map(str, value))[:12]) or "nothing"
        return f"has no {segment!r} (it has {known})"
    if isinstance(value, list):
        return f"has no {segment!r} (it is a list of {len(value)})"
    return f"has no {segment!r} (it is not an object or a list)"
