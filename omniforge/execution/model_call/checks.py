"""What a model's answer is held to before it is recorded or carried out."""

import json
import re
from collections import Counter
from dataclasses import replace

from omniforge.errors import AnswerUnusable
from omniforge.journal.steps import is_nested_too_deep
from omniforge.llm.answers import billed
from omniforge.llm.protocol import StopReason, ToolCall, Turn

# Far more than the 8,192 tokens of an answer hold; whoever writes more is out of control.
MAX_TEXT = 200_000
MAX_ARGUMENTS = 200_000
# Read at once by a person, and by any provider's parallel calls; a model that wants more goes in turns.
MAX_CALLS = 32
MAX_NAME = 64
# Of an answer that is of no use, so much goes on record and back to the model.
MAX_SAID = 20_000

_NOT_IN_NAMES = re.compile(r"[^a-zA-Z0-9_-]")


def checked(turn: Turn) -> Turn:
    """A turn in a form that every store, screen and provider takes.

    Raises:
        AnswerUnusable: It says nothing, or far too much. Written for the model; it is paid for.
    """
    if problem := _problem(turn):
        unusable = AnswerUnusable(problem, turn.text[:MAX_SAID])
        raise billed(unusable, turn.usage, turn.model)
    calls = _with_own_ids([_plainly_named(call) for call in turn.calls[:MAX_CALLS]])
    if calls == turn.calls:
        return turn
    # What the provider said word for word would not fit to these calls any more.
    return replace(turn, calls=calls, left_out=len(turn.calls) - len(calls), native=None)


def _problem(turn: Turn) -> str:
    is_cut = turn.stop is StopReason.MAX_TOKENS
    if not turn.text.strip() and not turn.calls and not is_cut:
        return "Your answer was empty. Call a tool, or give your final answer."
    if len(turn.text) > MAX_TEXT:
        return f"Your answer had {len(turn.text)} characters; {MAX_TEXT} are allowed. Be brief."
    problems = (_problem_of_call(call) for call in turn.calls[:MAX_CALLS])
    return next(filter(None, problems), "")


def _problem_of_call(call: ToolCall) -> str:
    name = call.name[:MAX_NAME]
    if is_nested_too_deep(dict(call.arguments)):
        return f"The arguments of {name!r} are nested too deep. Make the call in a simpler form."
    length = len(json.dumps(dict(call.arguments), default=str))
    if length > MAX_ARGUMENTS:
        return (
            f"The arguments of {name!r} had {length} characters; {MAX_ARGUMENTS} are allowed."
            " Make several smaller calls."
        )
    return ""


def _plainly_named(call: ToolCall) -> ToolCall:
    """Providers refuse a conversation with any other name in it; no tool has one."""
    name = _NOT_IN_NAMES.sub("_", call.name[:MAX_NAME]) or "_"
    return call if name == call.name else replace(call, name=name)


def _with_own_ids(calls: list[ToolCall]) -> tuple[ToolCall, ...]:
    """Servers of all kinds leave ids out, or give one to several calls."""
    count = Counter(call.id for call in calls)
    return tuple(
        call if call.id and count[call.id] == 1 else replace(call, id=f"call_{at + 1}")
        for at, call in enumerate(calls)
    )
