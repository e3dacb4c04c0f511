"""What an agent's owner lets its skills do: rules on tool calls, beside a skill's own allowed-tools."""

import json
from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Any

from pydantic import BaseModel, Field

# More than anyone reads; each call is held against all of them.
MAX_RULES = 200


class Action(StrEnum):
    ALLOW = "allow"
    ASK = "ask"
    DENY = "deny"


class PermissionRule(BaseModel, frozen=True, extra="forbid"):
    """One rule. `tool` and the values of `arguments` are patterns: `*` stands for anything.

    A rule holds for a call when the tool's name fits and every argument it names is there and fits. An
    argument that is no text is compared as JSON.
    """

    action: Action
    tool: str = Field(min_length=1, max_length=128)
    arguments: dict[str, str] = {}

    def fits(self, tool: str, arguments: Mapping[str, Any]) -> bool:
        return _fits(self.tool, tool) and all(
            name in arguments and _fits(pattern, _text_of(arguments[name]))
            for name, pattern in self.arguments.items()
        )


def action_for(rules: Sequence[PermissionRule], tool: str, arguments: Mapping[str, Any]) -> Action:
    """What the first rule that fits says; a call that no rule speaks of is allowed."""
    return next((rule.action for rule in rules if rule.fits(tool, arguments)), Action.ALLOW)


def is_ruled_out(rules: Sequence[PermissionRule], tool: str) -> bool:
    """Whether no call of a tool can be allowed, so that a prompt need not offer it."""
    for rule in rules:
        if _fits(rule.tool, tool):
            if rule.action is not Action.DENY:
                return False
            if not rule.arguments:
                return True
    return False


def _fits(pattern: str, text: str) -> bool:
    """Whether a text is a pattern with its `*` filled in. Takes linear time, whatever the pattern."""
    first, *others = pattern.split("*")
    if not others:
        return text == first
    if not text.startswith(first):
        return False
    *between, last = others
    at = len(first)
    for part in between:
        if (found := text.find(part, at)) < 0:
            return False
        at = found + len(part)
    return len(text) - at >= len(last) and text.endswith(last)


def _text_of(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, sort_keys=True)
