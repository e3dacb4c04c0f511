"""What an agent's owner lets its skills do: rules on tool calls, beside a skill's own allowed-tools."""

import json
from collections.abc import Mapping, Sequence
from enum import StrEnum
from fnmatch import fnmatchcase
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
        return fnmatchcase(tool, self.tool) and all(
            name in arguments and fnmatchcase(_text_of(arguments[name]), pattern)
            for name, pattern in self.arguments.items()
        )


def action_for(rules: Sequence[PermissionRule], tool: str, arguments: Mapping[str, Any]) -> Action:
    """What the first rule that fits says; a call that no rule speaks of is allowed."""
    return next((rule.action for rule in rules if rule.fits(tool, arguments)), Action.ALLOW)


def is_ruled_out(rules: Sequence[PermissionRule], tool: str) -> bool:
    """Whether no call of a tool can be allowed, so that a prompt need not offer it."""
    for rule in rules:
        if fnmatchcase(tool, rule.tool):
            if rule.action is not Action.DENY:
                return False
            if not rule.arguments:
                return True
    return False


def _text_of(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, sort_keys=True)
