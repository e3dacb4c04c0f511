"""A schema that came from outside, made safe to offer and to check calls against.

References are put in place, so that a model sees the whole of it and a check ends; where one leads back
into itself, anything is allowed there. Patterns are dropped: one regular expression can hold a worker up
for hours.
"""

from collections.abc import Mapping
from typing import Any

# Deeper or larger than any form a model can fill in.
_MAX_DEPTH = 16
_MAX_NODES = 2_000

_DROPPED = frozenset(
    {
        "$schema", "$id", "$anchor", "$dynamicRef", "$dynamicAnchor", "$recursiveRef", "$vocabulary",
        "$defs", "definitions", "pattern", "patternProperties",
    }
)  # fmt: skip
_MAPS = frozenset({"properties", "dependentSchemas"})
_LISTS = frozenset({"allOf", "anyOf", "oneOf", "prefixItems"})
_SINGLE_TEXT = """
    items additionalProperties not if then else contains propertyNames unevaluatedItems
    unevaluatedProperties additionalItems
"""
_SINGLE = frozenset(_SINGLE_TEXT.split())


def self_contained(schema: Mapping[str, Any]) -> dict[str, Any]:
    """The schema of a call's arguments without references, patterns or endless parts."""
    return {"type": "object", **_Unrolling(schema).of(schema, ())}


class _Unrolling:
    def __init__(self, document: Mapping[str, Any]) -> None:
        self._document, self._nodes = document, 0

    def of(self, schema: Any, within: tuple[str, ...], depth: int = 0) -> Any:
        self._nodes += 1
        if not isinstance(schema, Mapping):
            return schema
        if depth > _MAX_DEPTH or self._nodes > _MAX_NODES:
            return {}
        reference = schema.get("$ref")
        if isinstance(reference, str):
            return self._referred(reference, schema, within, depth)
        return {
            keyword: self._value(keyword, value, within, depth + 1)
            for keyword, value in schema.items()
            if keyword not in _DROPPED
        }

    def _value(self, keyword: str, value: Any, within: tuple[str, ...], depth: int) -> Any:
        if keyword in _MAPS and isinstance(value, Mapping):
            return {name: self.of(each, within, depth) for name, each in value.items()}
        if (keyword in _LISTS or keyword == "items") and isinstance(value, list):
            return [self.of(each, within, depth) for each in value]
        return self.of(value, within, depth) if keyword in _SINGLE else value

    def _referred(
        self, reference: str, schema: Mapping[str, Any], within: tuple[str, ...], depth: int
    ) -> dict[str, Any]:
        beside = {keyword: value for keyword, value in schema.items() if keyword != "$ref"}
        if reference in within:
            return self.of(beside, within, depth + 1) or {}
        target = self._find(reference)
        return self.of({**target, **beside}, (*within, reference), depth + 1) or {}

    def _find(self, reference: str) -> Mapping[str, Any]:
        """What a pointer into this document leads to; nothing known of any other document."""
        found: Any = self._document
        for part in reference.removeprefix("#").split("/")[1:]:
            key = part.replace("~1", "/").replace("~0", "~")
            found = found.get(key) if isinstance(found, Mapping) else None
        return found if isinstance(found, Mapping) and reference.startswith("#") else {}
