"""`allowed-tools`: every spelling of it becomes one tuple of rules, and one place decides by them.

A rule is `Tool`, `Tool(text)` or `Tool(prefix:*)`. A tool's name is compared exactly, or up to a `*` at
its end (`mcp__notion__*`); an MCP server's (`mcp__notion`) stands for all its tools. The text in
parentheses is compared with the call's *first string argument*: the first property of type string in the
tool's parameter schema, so that the order in which a model writes its arguments decides nothing. Without a
schema it is the first string in the arguments given.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Self

from omniforge.errors import SkillInvalid

_RULE = re.compile(r"(?P<tool>[A-Za-z_][\w.:-]*\*?)(?:\((?P<text>.+)\))?", re.DOTALL)
_MCP_SERVER = re.compile(r"mcp__(?:(?!__).)+")
_PREFIX_MARK = ":*"


@dataclass(frozen=True, slots=True)
class AllowedTools:
    """Which tools a skill may call. `rules` None means that the skill sets no limit."""

    rules: tuple[str, ...] | None = None

    @classmethod
    def parse(cls, value: str | Iterable[str] | None) -> Self:
        """Read a string (rules separated by commas or spaces) or a list of such strings.

        Raises:
            SkillInvalid: A rule has none of the forms we know.
        """
        if value is None:
            return cls(None)
        texts = [value] if isinstance(value, str) else list(value)
        rules = tuple(rule for text in texts for rule in split_rules(text))
        problems = [problem for rule in rules if (problem := problem_of(rule))]
        if problems:
            raise SkillInvalid(f"allowed-tools: {'; '.join(problems)}.", problems=problems)
        return cls(rules)

    @classmethod
    def of(cls, rules: tuple[str, ...] | None) -> Self:
        """The limit that a parsed skill carries as `allowed_tools`."""
        return cls(rules)

    def permits(
        self, tool_name: str, arguments: Mapping[str, Any], schema: Mapping[str, Any] | None = None
    ) -> bool:
        """Whether this very call is allowed. Pass the tool's parameter schema wherever it is known."""
        subject = _first_string(arguments, schema)
        return self.rules is None or any(
            _names(rule, tool_name) and _fits(rule, subject) for rule in self.rules
        )

    def permits_some(self, tool_name: str) -> bool:
        """Whether any call of this tool could be allowed, and so whether a prompt should offer it."""
        return self.rules is None or any(_names(rule, tool_name) for rule in self.rules)

    def permits_under(self, prefix: str) -> bool:
        """Whether any call of a tool whose name begins so could be allowed."""
        return self.rules is None or any(_names_under(rule, prefix) for rule in self.rules)


def split_rules(text: str) -> Iterator[str]:
    """Cut at commas and white space, but not inside parentheses."""
    depth, current = 0, ""
    for character in text:
        depth += (character == "(") - (character == ")" and depth > 0)
        if depth == 0 and (character == "," or character.isspace()):
            if current:
                yield current
            current = ""
        else:
            current += character
    if current.strip():
        yield current.strip()


def problem_of(rule: str) -> str | None:
    """Why a rule cannot be read; None when it can."""
    if rule == "*":
        return "'*' alone is no rule: leave allowed-tools out to allow every tool"
    found = _RULE.fullmatch(rule)
    if not found or not _is_balanced(found["text"] or ""):
        return f"{rule!r} is neither Tool, Tool(text) nor Tool(prefix:*)"
    if found["text"] and not found["text"].removesuffix(_PREFIX_MARK).strip():
        return f"{rule!r} has nothing in its parentheses; write {found['tool']!r} for any call"
    return None


def _is_balanced(text: str) -> bool:
    depth = 0
    for character in text:
        depth += (character == "(") - (character == ")")
        if depth < 0:
            return False
    return depth == 0


def stray_star(rule: str) -> bool:
    """Whether a rule's text holds a `*` that we compare literally, unlike other readers of skills."""
    text = _text_of(rule) or ""
    return "*" in text.removesuffix(_PREFIX_MARK) and text != "*"


def _names(rule: str, tool_name: str) -> bool:
    name = rule.partition("(")[0]
    if name.endswith("*"):
        return tool_name.startswith(name[:-1])
    if _MCP_SERVER.fullmatch(name):
        return tool_name.startswith(f"{name}__")
    return tool_name == name


def _names_under(rule: str, prefix: str) -> bool:
    name = rule.partition("(")[0]
    if name.endswith("*"):
        return name[:-1].startswith(prefix) or prefix.startswith(name[:-1])
    return name.startswith(prefix) or f"{name}__" == prefix


def _fits(rule: str, subject: str | None) -> bool:
    text = _text_of(rule)
    if text is None or text == "*":
        return True
    if subject is None:
        return False
    if text.endswith(_PREFIX_MARK):
        return subject.startswith(text.removesuffix(_PREFIX_MARK))
    return subject == text


def _text_of(rule: str) -> str | None:
    found = _RULE.fullmatch(rule)
    return found["text"] if found else None


def _first_string(arguments: Mapping[str, Any], schema: Mapping[str, Any] | None) -> str | None:
    if schema is None:
        return next((each for each in arguments.values() if isinstance(each, str)), None)
    properties = schema.get("properties", {})
    name = next((name for name, of in properties.items() if _is_text(of)), "")
    value = arguments.get(name)
    return value if isinstance(value, str) else None


def _is_text(schema: Any) -> bool:  # a property's schema as its tool wrote it
    kind = schema.get("type") if isinstance(schema, Mapping) else None
    return kind == "string" or (isinstance(kind, list) and "string" in kind)
