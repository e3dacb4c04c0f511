"""The model of the suite: it follows the script in a skill's text, and fails as providers do."""

import json
import random
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from omniforge.llm.sections import input_section, skill_section
from tests.chaos.outside import BUSY_WORD
from tests.support.model_server import Received, Reply, calls_reply, text_reply

FAILS = 0.05
REFUSE, HANG = "refuse", "hang"
"""Scripts of one word: the model will not, or never answers."""

Call = tuple[str, dict[str, Any]]
Turns = Sequence[Sequence[Call]]

_AT_ONCE = {"retry-after-ms": "200"}
_FAILURES = [
    Reply(status=429, error=("rate_limit_error", "Slow down."), headers=_AT_ONCE),
    Reply(status=529, error=("overloaded_error", "Overloaded.")),
    Reply(status=500, error=("api_error", "Something went wrong.")),
    replace(text_reply("Half an ans"), error=("overloaded_error", "Overloaded in mid-stream.")),
    replace(text_reply("Half an answer"), events=4, ending="cut"),
    replace(text_reply("Half an answer"), events=4, ending="closed"),
]


def script(turns: Turns | str) -> str:
    """A skill's text: what the model calls, turn by turn. `{run}`, `{world}` and the like come from its
    input."""
    return f"Follow the script.\n\n{json.dumps(turns)}"


class Model:
    """Decides for a `ModelServer`. Knows nothing but the request."""

    def __init__(self, seed: int, fails: float = FAILS) -> None:
        self.asked = self.failures = 0
        self._luck, self._fails = random.Random(seed), fails  # noqa: S311

    def __call__(self, request: Received) -> Reply:
        self.asked += 1
        if self._luck.random() < self._fails:
            self.failures += 1
            return self._luck.choice(_FAILURES)
        return _follow(request)


def _follow(request: Received) -> Reply:
    messages = request.body["messages"]
    turns = json.loads(skill_section(request.system).splitlines()[-1])
    given = _run_in(json.loads(input_section(_text(messages[0])) or "{}"))
    if turns == REFUSE:
        return Reply(stop_reason="refusal")
    if turns == HANG:
        return Reply(ending="hangs")
    called, busy = 0, list[Call]()
    for message, following in zip(messages[1::2], messages[2::2], strict=True):
        busy = list(_busy(message, following))
        called += not busy
    if busy:
        return calls_reply(*busy)
    if called == len(turns):
        return text_reply(json.dumps(given))
    return calls_reply(*((name, _filled(arguments, given)) for name, arguments in turns[called]))


def _busy(turn: dict[str, Any], answers: dict[str, Any]) -> Iterator[Call]:
    """The calls of a turn that have to be made again."""
    failed = {
        block["tool_use_id"]
        for block in answers["content"]
        if block["type"] == "tool_result" and BUSY_WORD in block["content"] and block["is_error"]
    }
    for block in turn["content"]:
        if block.get("id") in failed:
            yield block["name"], block["input"]


def _run_in(data: Any) -> dict[str, str]:
    """Which run it is, where the world is, and what else stands beside these, however deep it lies."""
    if "run" in data:
        return dict(data)
    return _run_in(next(each for each in _values(data) if isinstance(each, dict | list)))


def _values(data: Any) -> Any:
    return data.values() if isinstance(data, dict) else data


def _filled(value: Any, given: dict[str, str]) -> Any:
    if isinstance(value, dict):
        return {name: _filled(inner, given) for name, inner in value.items()}
    for name, text in given.items():
        value = value.replace(f"{{{name}}}", text)
    return value


def _text(message: dict[str, Any]) -> str:
    content = message["content"]
    return content if isinstance(content, str) else "".join(b.get("text", "") for b in content)
