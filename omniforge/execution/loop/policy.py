"""Which calls a skill may make: its own allowed-tools first, then the rules of its agent's owner."""

from collections.abc import Mapping, Sequence
from typing import Any

from omniforge.agents.permissions import Action, PermissionRule, action_for, is_ruled_out
from omniforge.execution.disclosure import DISCLOSING
from omniforge.skills.allowed_tools import AllowedTools
from omniforge.tools.executor import Ruling


class CallPolicy:
    """Both must let a call pass. Nothing that a tool returns or a model says can widen either.

    Reading skills is part of carrying one out, so allowed-tools does not speak of that; the owner may.
    """

    def __init__(self, allowed: AllowedTools, rules: Sequence[PermissionRule] = ()) -> None:
        self._allowed, self._rules = allowed, rules

    def offers(self, tool: str) -> bool:
        """Whether some call of a tool could pass, and so whether a prompt should name it."""
        is_allowed = tool in DISCLOSING or self._allowed.permits_some(tool)
        return is_allowed and not is_ruled_out(self._rules, tool)

    def offers_under(self, prefix: str) -> bool:
        """Whether any tool whose name begins so could be offered."""
        return self._allowed.permits_under(prefix)

    def ruling(self, tool: str, arguments: Mapping[str, Any], schema: Mapping[str, Any]) -> Ruling:
        if tool not in DISCLOSING and not self._allowed.permits(tool, arguments, schema):
            reason = f"This skill may not call {tool!r} with these arguments (allowed-tools)."
            return Ruling(Action.DENY, reason)
        action = action_for(self._rules, tool, arguments)
        reason = f"This agent may not call {tool!r} with these arguments (its permissions)."
        return Ruling(action, reason if action is Action.DENY else "")
