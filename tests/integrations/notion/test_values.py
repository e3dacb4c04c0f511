"""Properties of Notion's pages, from plain values and back."""

import contextlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from omniforge.errors import TryAgain
from omniforge.integrations.notion.ids import id_of
from omniforge.integrations.notion.values import RUN_CHARS, TEXT_CHARS, plain, runs, written

NAMES = ["Not started", "In progress", "Done"]
SCHEMA: dict[str, dict[str, Any]] = {
    "rich_text": {"type": "rich_text"},
    "number": {"type": "number"},
    "checkbox": {"type": "checkbox"},
    "select": {"type": "select", "select": {"options": [{"name": name} for name in NAMES]}},
    "multi_select": {
        "type": "multi_select",
        "multi_select": {"options": [{"name": name} for name in NAMES]},
    },
    "date": {"type": "date"},
    "relation": {"type": "relation"},
    "people": {"type": "people"},
    "url": {"type": "url"},
}
WORDS = st.text(st.characters(categories=("L", "N", "P")), min_size=1, max_size=TEXT_CHARS)
IDS = st.uuids().map(str)
VALUES = st.fixed_dictionaries(
    {},
    optional={
        "rich_text": WORDS,
        "number": st.integers() | st.floats(allow_nan=False, allow_infinity=False),
        "checkbox": st.booleans(),
        "select": st.sampled_from(NAMES),
        "multi_select": st.lists(st.sampled_from(NAMES), min_size=1, max_size=5),
        "date": st.dates().map(str),
        "relation": st.lists(IDS, min_size=1, max_size=25),
        "people": st.lists(IDS, min_size=1, max_size=25),
        "url": WORDS,
    },
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4)
    ),
    max_leaves=10,
)


def as_told(kind: str, inner: Any) -> dict[str, Any]:
    """A value as Notion tells it after it was set."""
    if kind == "rich_text":
        inner = [{"plain_text": run["text"]["content"]} for run in inner]
    return {"type": kind, kind: inner}


@given(VALUES)
def test_what_is_written_is_read_as_the_same(values: dict[str, Any]) -> None:
    properties: Any = written(values, SCHEMA)

    assert {name: plain(as_told(name, each[name])) for name, each in properties.items()} == values


@given(st.sampled_from(sorted(SCHEMA)), JSON)
def test_any_value_is_written_or_refused_in_words(name: str, value: Any) -> None:
    with contextlib.suppress(TryAgain):
        made: Any = written({name: value}, SCHEMA)
        assert list(made[name]) == [name]


@given(st.text(max_size=3 * RUN_CHARS))
def test_a_long_text_is_cut_into_runs_that_make_it_up(text: str) -> None:
    pieces = [run["text"]["content"] for run in runs(text)]

    assert "".join(pieces) == text
    assert all(0 < len(piece) <= RUN_CHARS for piece in pieces)


@pytest.mark.parametrize(
    ("value", "seen"),
    [
        ({"type": "formula", "formula": {"type": "string", "string": "late"}}, "late"),
        ({"type": "formula", "formula": {"type": "boolean", "boolean": False}}, False),
        ({"type": "rollup", "rollup": {"type": "number", "number": 4, "function": "sum"}}, 4),
        (
            {
                "type": "rollup",
                "rollup": {"type": "array", "array": [{"type": "number", "number": 1}]},
            },
            [1],
        ),
        ({"type": "unique_id", "unique_id": {"prefix": "TASK", "number": 7}}, "TASK-7"),
        ({"type": "files", "files": [{"name": "a.pdf", "type": "file"}]}, ["a.pdf"]),
        ({"type": "created_by", "created_by": {"object": "user", "id": "u1"}}, "u1"),
        ({"type": "select", "select": None}, None),
        ({"type": "verification", "verification": {"state": "verified"}}, '{"state": "verified"}'),
        ({"type": "rich_text", "rich_text": [{"plain_text": "x" * 900}]}, "x" * 499 + "\u2026"),
    ],
)
def test_what_notion_computes_is_read_plainly(value: dict[str, Any], seen: Any) -> None:
    assert plain(value) == seen


@given(st.text(max_size=80))
def test_any_text_is_an_id_or_refused(text: str) -> None:
    with contextlib.suppress(TryAgain):
        assert len(id_of(text, "a page's")) == 36
