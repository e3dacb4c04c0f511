"""A rehearsal of one skill: who answers in the place of tools whose calls would change something."""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from omniforge.errors import TryAgain
from omniforge.execution.work import Script
from omniforge.journal.steps import EffectClass, Json, Origin
from omniforge.tools.protocol import Rehearsed, StandIn, Tool, ToolCallContext, ToolSpec

_HELD = {
    "held": True,
    "note": "This is a dry run: the call was held back and nothing was sent. Go on as if it had worked.",
}
_NOBODY = {
    "answer": "This is a dry run, so nobody was asked. Decide by the skill's text.",
    "answered_by": "nobody",
}

TESTER = "the test"
"""Who answered a question, when the test's own answers did."""


@dataclass(frozen=True, slots=True)
class Said:
    """A stand-in that knows its words; an error is what the model is told instead of an answer."""

    spec: ToolSpec
    origin: Origin
    answer: Json = None
    error: str = ""

    def effect_of(self, arguments: Mapping[str, Any]) -> EffectClass:
        return EffectClass.READ

    async def run(self, arguments: Mapping[str, Any], context: ToolCallContext) -> Json:
        if self.error:
            raise TryAgain(self.error)
        return self.answer


@dataclass(frozen=True, slots=True)
class Mimed:
    """A tool that says itself what its call would come to."""

    spec: ToolSpec
    tool: Rehearsed
    origin: Origin = Origin.INVENTED

    def effect_of(self, arguments: Mapping[str, Any]) -> EffectClass:
        return EffectClass.READ

    async def run(self, arguments: Mapping[str, Any], context: ToolCallContext) -> Json:
        return await self.tool.rehearse(arguments, context)


class Rehearsal:
    """The casting of one segment. What it says depends on nothing but the calls before, so that a
    later segment, which goes through the same calls, says the same."""

    def __init__(self, node: str, script: Script) -> None:
        self._node, self._answers = node, script.answers
        self._earlier: dict[str, list[Json]] = {}
        for step in script.earlier:
            said = {"answer": step.answer, "error": step.error.message if step.error else ""}
            self._earlier.setdefault(_key(step.name, step.arguments), []).append(said)
        self._calls: Counter[str] = Counter()

    def stand_in(
        self, tool: Tool, arguments: Mapping[str, Any], *, is_harmless: bool
    ) -> StandIn | None:
        name, spec = tool.spec.name, tool.spec
        given = self._given(f"{self._node}/{name}") or self._given(name)
        if given is not None:
            return Said(spec, Origin.RECORDED, _as_said(spec, self._next(name, given)))
        same = _key(name, arguments)
        if same in self._earlier:
            return Said(spec, Origin.RECORDED, **self._next(same, self._earlier[same]))
        if is_harmless:
            return None
        if hasattr(tool, "rehearse"):
            return Mimed(spec, cast(Rehearsed, tool))
        return Said(spec, Origin.INVENTED, _NOBODY if spec.waits_for == "input" else _HELD)

    def _given(self, name: str) -> Sequence[Json] | None:
        answer = self._answers.get(name)
        if name not in self._answers or answer == []:
            return None
        return answer if isinstance(answer, list) else [answer]

    def _next(self, key: str, answers: Sequence[Any]) -> Any:
        """The answer to this call of its kind; the last one answers all further calls."""
        number = self._calls[key]
        self._calls[key] += 1
        return answers[min(number, len(answers) - 1)]


def _key(tool: str, arguments: Json) -> str:
    return json.dumps([tool, arguments], sort_keys=True)


def _as_said(spec: ToolSpec, answer: Json) -> Json:
    """A plain text answers a question in the form in which people's answers come."""
    if spec.waits_for == "input" and isinstance(answer, str):
        return {"answer": answer, "answered_by": TESTER}
    return answer
