"""Approaches that have failed too often: the engine does not follow them again."""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from omniforge.agents.permissions import Action
from omniforge.errors import CallExcluded
from omniforge.journal.asking import ASKED_BACK
from omniforge.journal.steps import EffectClass
from omniforge.llm.protocol import ToolCall
from omniforge.tools.executor import Policy, Ruling
from omniforge.tools.protocol import ToolResult
from omniforge.tools.registry import ToolRegistry
from omniforge.tools.wording import listed

# Once more may help against a passing trouble; a third time is hope.
MAX_SAME_CALL = 2

_NO_FAILURES = frozenset({CallExcluded.code, ASKED_BACK})


class Exclusion:
    """A policy over another one, which learns from what came of the calls before.

    It follows from recorded answers alone, so a later segment excludes the same.
    """

    def __init__(
        self, policy: Policy, registry: ToolRegistry, offered: Sequence[str], max_failures: int
    ) -> None:
        self._policy, self._registry, self._offered = policy, registry, offered
        self._max_failures = max_failures
        self._same: Counter[str] = Counter()
        self._ways: Counter[tuple[str, str]] = Counter()

    def ruling(self, tool: str, arguments: Mapping[str, Any], schema: Mapping[str, Any]) -> Ruling:
        ruling = self._policy.ruling(tool, arguments, schema)
        if ruling.action is Action.DENY or (reason := self._reason(tool, arguments)) is None:
            return ruling
        return Ruling(Action.DENY, reason, CallExcluded)

    def saw(self, calls: Sequence[ToolCall], results: Sequence[ToolResult]) -> None:
        """Learn from a turn. A success shows that something works, and a change that the same call
        may come to something else."""
        pairs = list(zip(calls, results, strict=True))
        for call, result in pairs:
            if result.error is not None and result.error.code not in _NO_FAILURES:
                self._same[_key(call.name, call.arguments)] += 1
                self._ways[call.name, result.error.code] += 1
        if any(result.success for _, result in pairs):
            self._ways.clear()
        if any(result.success and self._changes(call) for call, result in pairs):
            self._same.clear()

    def _reason(self, tool: str, arguments: Mapping[str, Any]) -> str | None:
        others = [name for name in self._offered if name != tool]
        instead = f"use another tool ({listed(others, 8)})" if others else "do without it"
        if self._same[_key(tool, arguments)] >= MAX_SAME_CALL:
            return (
                f"This very call of {tool} has failed {MAX_SAME_CALL} times, and nothing has changed since,"
                f" so it was not made again. Change its arguments, {instead}, or say in your answer what"
                " could not be done and why."
            )
        for (name, _), failures in self._ways.items():
            if name == tool and failures >= self._max_failures:
                return (
                    f"{tool} has failed {failures} times in a row in the same way, so it was not called"
                    f" again. Do something else first: {instead}, or say in your answer what could not"
                    " be done and why."
                )
        return None

    def _changes(self, call: ToolCall) -> bool:
        tool = self._registry.get(call.name)
        if tool is None or tool.spec.writes_workspace:
            return True
        return tool.spec.effect is not EffectClass.READ or tool.spec.waits_for is not None


def _key(tool: str, arguments: Mapping[str, Any]) -> str:
    return json.dumps([tool, dict(arguments)], sort_keys=True)
