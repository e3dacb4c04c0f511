"""Short ways to write the JSON schemas of tools."""

from collections.abc import Mapping, Sequence
from typing import Any

Schema = dict[str, Any]  # JSON schema has no narrower type


def parameters(required: Sequence[str] = (), **properties: Mapping[str, Any]) -> Schema:
    """The schema of a call's arguments: these fields and no others."""
    return {
        "type": "object",
        "properties": {name.rstrip("_"): dict(schema) for name, schema in properties.items()},
        "required": list(required),
        "additionalProperties": False,
    }


def text(description: str, **rules: object) -> Schema:
    return {"type": "string", "description": description, **rules}


def whole(description: str, minimum: int, maximum: int) -> Schema:
    return {"type": "integer", "description": description, "minimum": minimum, "maximum": maximum}


def several(description: str, items: Mapping[str, Any], **rules: object) -> Schema:
    return {"type": "array", "description": description, "items": dict(items), **rules}


def described(schema: Mapping[str, Any], description: str) -> Schema:
    return {**schema, "description": description}
