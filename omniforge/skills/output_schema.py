"""`omniforge.output-schema`: the JSON schema of what a skill answers, checked when the skill is read."""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

_TYPES = {"null", "boolean", "object", "array", "number", "string", "integer"}
_TEXTS = {"title", "description", "$schema", "$id", "$comment", "$anchor", "format", "$ref"}
_COUNTS = {"minLength", "maxLength", "minItems", "maxItems", "minProperties", "maxProperties"}
_NUMBERS = {"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"}
_ONE = {"not", "if", "then", "else", "contains", "propertyNames", "items", "additionalProperties"}
_MANY = {"allOf", "anyOf", "oneOf", "prefixItems"}
_NAMED = {"properties", "patternProperties", "$defs", "definitions", "dependentSchemas"}


def schema_problem(text: str) -> str | None:
    """Why a text is not a JSON schema object; None when it is one.

    The shape of each standard keyword is checked, at every depth, and `$ref` stays in the document.
    """
    try:
        schema = json.loads(text)
    except (ValueError, RecursionError):
        return "is not JSON"
    if not isinstance(schema, dict):
        return "has to be a JSON object"
    waiting: list[tuple[str, Any]] = [("#", schema)]
    while waiting:
        place, part = waiting.pop()
        if wrong := _wrong_keyword(part):
            return f"is not a JSON schema: {wrong} at {place}"
        if isinstance(part, dict):
            waiting.extend(_subschemas(place, part))
    return None


def _wrong_keyword(schema: Any) -> str | None:
    if isinstance(schema, bool):
        return None
    if not isinstance(schema, dict):
        return "something that is no schema"
    return next(
        (f"a wrong {key!r}" for key, value in schema.items() if not _fits(key, value)), None
    )


def _fits(key: str, value: Any) -> bool:
    if key == "type":
        kinds = value if isinstance(value, list) and value else [value]
        return all(isinstance(kind, str) and kind in _TYPES for kind in kinds)
    if key in _TEXTS:
        return isinstance(value, str) and (key != "$ref" or value.startswith("#"))
    if key in _COUNTS:
        return _is_number(value) and value >= 0 and float(value).is_integer()
    if key in _NUMBERS:
        return _is_number(value)
    return _has_shape(key, value)


def _has_shape(key: str, value: Any) -> bool:
    if key == "pattern":
        return isinstance(value, str) and _compiles(value)
    if key == "required":
        return isinstance(value, list) and all(isinstance(name, str) for name in value)
    if key == "enum" or key in _MANY:
        return isinstance(value, list) and bool(value)
    if key in _NAMED:
        return isinstance(value, dict)
    return key != "uniqueItems" or isinstance(value, bool)


def _subschemas(place: str, schema: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for key, value in schema.items():
        if key in _ONE:
            yield f"{place}/{key}", value
        elif key in _MANY:
            yield from ((f"{place}/{key}/{at}", each) for at, each in enumerate(value))
        elif key in _NAMED:
            yield from ((f"{place}/{key}/{name}", each) for name, each in value.items())


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _compiles(pattern: str) -> bool:
    try:
        re.compile(pattern)
    except (re.error, RecursionError, OverflowError):
        return False
    return True
