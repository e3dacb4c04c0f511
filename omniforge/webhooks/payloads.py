"""Bodies read as JSON objects, whatever is in them."""

import json
import math
import re
from typing import Any, NoReturn
from urllib.parse import parse_qsl

from omniforge.errors import DeliveryInvalid

MAX_BYTES = 1_000_000
"""Of a body. Services send some kilobytes, and a run's input is read by models."""
# No service nests deeper than about ten.
MAX_DEPTH = 64
_MAX_FIELDS = 100

FORM = "application/x-www-form-urlencoded"

_STRING = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"', re.DOTALL)
_AS_LISTS = bytes.maketrans(b"{}", b"[]")
_NOT_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))
# What no column of text takes: NUL, and halves of surrogate pairs. JSON can say both by escapes only.
_UNSTORABLE = re.compile("[\0\ud800-\udfff]")
_ESCAPED = re.compile(rb"\\u(?:0000|[dD][89a-fA-F])")


def parse_payload(raw: bytes, content_type: str, max_bytes: int = MAX_BYTES) -> dict[str, Any]:
    """Read a body that is a JSON object.

    Raises:
        DeliveryInvalid: It is not sent as JSON, no object, too large, nested too deep, or holds a number
            that JSON or Python does not know.
    """
    kind = _media_type(content_type)
    if kind != "application/json" and not re.fullmatch(r"application/[a-z0-9.-]+\+json", kind):
        raise DeliveryInvalid("The delivery has to be sent with content type application/json.")
    return parse_json(raw, max_bytes)


def parse_json(raw: bytes, max_bytes: int = MAX_BYTES) -> dict[str, Any]:
    """The same without a look at the content type."""
    _refuse_too_large(raw, max_bytes)
    _refuse_too_deep(raw)
    try:
        payload = json.loads(raw.decode(), parse_constant=_refuse_number, parse_float=_finite)
    except ValueError:
        raise _not_json() from None
    if not isinstance(payload, dict):
        raise DeliveryInvalid("The delivery's body is JSON, but not an object.")
    return _storable(payload) if _ESCAPED.search(raw) else payload


def parse_form(raw: bytes) -> dict[str, str]:
    """Read a body that is a form; the last of several fields with one name counts.

    Raises:
        DeliveryInvalid: It is none, too large, or has too many fields.
    """
    _refuse_too_large(raw, MAX_BYTES)
    try:
        fields = parse_qsl(
            raw.decode(),
            keep_blank_values=True,
            strict_parsing=True,
            errors="strict",
            max_num_fields=_MAX_FIELDS,
        )
    except ValueError:
        raise DeliveryInvalid("The delivery's body is not a form in UTF-8.") from None
    return {_text(name): _text(value) for name, value in fields}


def is_form(content_type: str) -> bool:
    return _media_type(content_type) == FORM


def _media_type(content_type: str) -> str:
    return content_type.partition(";")[0].strip().lower()


def _refuse_too_large(raw: bytes, max_bytes: int) -> None:
    if len(raw) > max_bytes:
        raise DeliveryInvalid(
            f"The delivery's body has {len(raw):,} bytes; {max_bytes:,} are allowed."
        )


def _refuse_too_deep(raw: bytes) -> None:
    """Python's parser calls itself for each level, so the levels are counted before it starts.

    Each round takes the innermost pairs away. What is left when no pair is, never closes.
    """
    brackets = _STRING.sub(b"", raw).translate(_AS_LISTS, _NOT_BRACKETS)
    for _ in range(MAX_DEPTH):
        if b"[]" not in brackets:
            break
        brackets = brackets.replace(b"[]", b"")
    if b"[]" in brackets:
        raise DeliveryInvalid(f"The delivery's body is nested more than {MAX_DEPTH} levels deep.")
    if brackets:
        raise _not_json()


def _not_json() -> DeliveryInvalid:
    return DeliveryInvalid("The delivery's body is not JSON in UTF-8.")


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        _refuse_number(text)
    return value


def _refuse_number(_: str) -> NoReturn:
    raise ValueError


def _storable(value: Any) -> Any:
    match value:
        case str():
            return _text(value)
        case list():
            return [_storable(item) for item in value]
        case dict():
            return {_text(name): _storable(item) for name, item in value.items()}
        case _:
            return value


def _text(value: str) -> str:
    return _UNSTORABLE.sub("\N{REPLACEMENT CHARACTER}", value)
