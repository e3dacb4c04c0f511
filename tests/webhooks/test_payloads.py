"""Bodies that would break a reader, and what becomes of texts that no column takes."""

import json
import sys
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from omniforge.errors import DeliveryInvalid
from omniforge.webhooks.payloads import MAX_BYTES, MAX_DEPTH, parse_form, parse_json, parse_payload
from tests.support.requirements import requirement


def nested(levels: int, opening: str = "[", closing: str = "]") -> bytes:
    """An object of so many levels."""
    return f'{{"a": {opening * (levels - 1)}{closing * (levels - 1)}}}'.encode()


def test_a_payload_may_be_as_deep_as_the_limit() -> None:
    assert parse_json(nested(MAX_DEPTH))
    with pytest.raises(DeliveryInvalid, match="64 levels"):
        parse_json(nested(MAX_DEPTH + 1))


@requirement("FR-10")
@pytest.mark.parametrize(
    "bomb",
    [
        nested(100_000),
        nested(sys.getrecursionlimit() + 1),
        b"[" * MAX_BYTES,
        b'{"a":' * 100_000,
        b'{"a":' * 1_000 + b"1" + b"}" * 1_000,
        b'"' + b"[" * 100_000,
        b"[" * 2_000 + b'"\\"]' + b"]" * 2_000,
    ],
)
def test_a_bomb_is_refused_before_it_goes_off(bomb: bytes) -> None:
    with pytest.raises(DeliveryInvalid):
        parse_json(bomb)


def test_brackets_in_texts_are_no_levels() -> None:
    text = '[{"' * 100 + "\\"

    assert parse_json(json.dumps({"a": text}).encode()) == {"a": text}


@pytest.mark.parametrize(
    "number", ["NaN", "Infinity", "-Infinity", "1e999", "-1e999", "9" * 5_000, "01", "1.", "0x1"]
)
def test_numbers_that_json_or_python_does_not_know_are_refused(number: str) -> None:
    with pytest.raises(DeliveryInvalid, match="not JSON"):
        parse_json(f'{{"a": {number}}}'.encode())


def test_texts_that_no_column_takes_get_a_replacement_character() -> None:
    raw = b'{"a\\u0000": ["\\ud800", {"b": "\\udc00\\ud83d\\ude00"}], "type": "x\\u0000"}'

    assert parse_json(raw) == {"a\ufffd": ["\ufffd", {"b": "\ufffd😀"}], "type": "x\ufffd"}
    assert parse_form(b"a=%00b") == {"a": "\ufffdb"}


@pytest.mark.parametrize("raw", [b'{"a": "\x00"}', b'{"a": "\xff"}', '{"a": 1}'.encode("utf-16")])
def test_bytes_that_are_not_text_are_refused(raw: bytes) -> None:
    with pytest.raises(DeliveryInvalid, match="UTF-8"):
        parse_json(raw)


def test_the_last_of_several_fields_with_one_name_counts() -> None:
    assert parse_json(b'{"a": 1, "a": 2}') == {"a": 2}
    assert parse_form(b"a=1&a=2&b=") == {"a": "2", "b": ""}


def test_a_body_over_the_limit_is_refused_unread() -> None:
    with pytest.raises(DeliveryInvalid, match="1,000,000 are allowed"):
        parse_payload(b'{"a": "' + b"x" * MAX_BYTES + b'"}', "application/json")
    with pytest.raises(DeliveryInvalid, match="8 are allowed"):
        parse_payload(b'{"a": 10}', "application/json", max_bytes=8)
    with pytest.raises(DeliveryInvalid, match="are allowed"):
        parse_form(b"a=" + b"x" * MAX_BYTES)


@pytest.mark.parametrize(
    "content_type",
    ["application/json", "Application/JSON; charset=utf-8", "application/cloudevents+json"],
)
def test_json_has_several_content_types(content_type: str) -> None:
    assert parse_payload(b'{"a": 1}', content_type) == {"a": 1}


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text("ab[]{}\"\\", max_size=4), inner),
    max_leaves=20,
)  # fmt: skip


@given(payload=st.dictionaries(st.text("ab", max_size=3), VALUES), is_ascii=st.booleans())
def test_any_other_payload_comes_out_as_it_went_in(payload: dict[str, Any], is_ascii: bool) -> None:
    assert parse_json(json.dumps(payload, ensure_ascii=is_ascii).encode()) == payload
