"""A model's last words as data: the JSON in them, held against the schema that the skill declares."""

import json
import re
from collections.abc import Iterator
from itertools import islice
from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError
from referencing import Registry
from referencing.exceptions import Unresolvable

from omniforge.journal.steps import Json, as_recorded, is_nested_too_deep
from omniforge.skills.document import Skill
from omniforge.skills.fields import OUTPUT_SCHEMA
from omniforge.tools.wording import shortened

_SHOWN = 5
_FENCED = re.compile(r"```(?:json)?\s*(.*?)\s*```", re.DOTALL | re.IGNORECASE)


def value_of(answer: str) -> Json:
    """The JSON that an answer is, bare or fenced; the text itself when it is none."""
    fenced = _FENCED.fullmatch(answer.strip())
    try:
        parsed = json.loads(fenced[1] if fenced else answer, parse_constant=_refuse)
    except (ValueError, RecursionError):
        return answer
    return answer if is_nested_too_deep(parsed) else as_recorded(parsed)


def output_of(answer: str) -> Json:
    """A final answer as data for the next skill: its JSON object, or what it is under `answer`."""
    value = value_of(answer)
    return value if isinstance(value, dict) else {"answer": value}


def schema_of(skill: Skill) -> Json | None:
    """The schema of a skill's final answer; None when it declares none.

    The reader of skills has seen to it that it is one.
    """
    declared = skill.metadata.get(OUTPUT_SCHEMA)
    return None if declared is None else json.loads(declared)


class OutputSchema:
    """Holds final answers against a skill's schema; without one, every answer will do.

    References to other documents are never fetched.
    """

    def __init__(self, schema: Any) -> None:
        self._validator = None
        if schema is not None:
            self._validator = Draft202012Validator(schema, registry=Registry())

    def findings(self, answer: str) -> list[str]:
        """What is wrong with an answer, the first few things of it."""
        if self._validator is None:
            return []
        value = value_of(answer)
        try:
            errors = list(islice(self._validator.iter_errors(value), _SHOWN))
        except (Unresolvable, RecursionError) as error:
            return [f"nobody can check it: {error}"]
        if errors and value is answer:
            return ["it is not JSON"]
        return list(dict.fromkeys(_told(errors)))


def _told(errors: list[ValidationError]) -> Iterator[str]:
    for error in errors:
        yield shortened(f"{error.json_path}: {error.message}", 300)


def _refuse(constant: str) -> Json:
    """NaN and its like are no JSON, whatever Python thinks; no database takes them."""
    raise ValueError(constant)
