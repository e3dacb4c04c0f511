"""What every provider's incoming answer is held to."""

import json
from typing import Any, NoReturn, TypeVar

from omniforge.agents.runs import TokenUsage
from omniforge.errors import AnswerUnusable, OmniForgeError

Failing = TypeVar("Failing", bound=OmniForgeError)


def billed(error: Failing, usage: TokenUsage, model: str) -> Failing:
    """The error, with what its call has used so far; `omniforge.llm.failures.spent` reads it."""
    error.details.update(usage=usage.model_dump(), model=model)
    return error


def call_arguments(tool: str, text: str, said: str) -> dict[str, Any]:
    """The arguments of a tool call as the model wrote them; no text at all means none.

    Raises:
        AnswerUnusable: They are not a JSON object. `said` is what else the model wrote.
    """
    try:
        arguments = json.loads(text, parse_constant=_refuse) if text.strip() else {}
    except (ValueError, RecursionError):
        raise unusable(f"the arguments of {tool!r} are not valid JSON", said) from None
    if not isinstance(arguments, dict):
        raise unusable(f"the arguments of {tool!r} are not a JSON object", said)
    return arguments


def unusable(what: str, said: str) -> AnswerUnusable:
    return AnswerUnusable(f"A tool call could not be read: {what}. Make the call again.", said)


def _refuse(constant: str) -> NoReturn:
    """NaN and its like are no JSON, whatever Python thinks."""
    raise ValueError(constant)
