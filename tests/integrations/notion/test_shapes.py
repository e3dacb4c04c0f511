"""What a model is shown of Notion's objects, whatever those hold."""

import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from omniforge.integrations.notion import shapes
from omniforge.integrations.trimming import MAX_CHARS
from tests.support.notion_api import MISSING

CANARY = "s3cr3t-value"
TEXTS = st.sampled_from(("", "Some words", "very long " * 4_000))
RUNS = st.one_of(
    st.none(), TEXTS.map(lambda text: [{"plain_text": text, "href": CANARY, "annotations": CANARY}])
)
USERS = st.fixed_dictionaries({"id": st.just(MISSING)}, optional={"name": st.just("Ada")})
OPTIONS = st.one_of(st.none(), st.just({"id": CANARY, "name": "Done", "color": CANARY}))
KINDS: dict[str, st.SearchStrategy[Any]] = {
    "rich_text": RUNS,
    "number": st.none() | st.integers(),
    "checkbox": st.booleans(),
    "select": OPTIONS,
    "status": OPTIONS,
    "multi_select": st.lists(st.just({"id": CANARY, "name": "home"}), max_size=200),
    "people": st.lists(USERS, max_size=200),
    "relation": st.lists(st.just({"id": MISSING}), max_size=200),
    "files": st.lists(st.just({"name": "a.pdf", "file": {"url": CANARY}}), max_size=200),
    "date": st.none() | st.just({"start": "2026-11-21", "end": None, "time_zone": CANARY}),
    "url": st.none() | TEXTS,
    "created_by": USERS,
    "unique_id": st.just({"prefix": None, "number": 7}),
    "formula": st.just({"type": "string", "string": "late"}),
    "rollup": st.just({"type": "array", "array": [], "function": "show_original"}),
    "button": st.just({}),
}


@st.composite
def pages(draw: st.DrawFn) -> dict[str, Any]:
    chosen = draw(st.lists(st.sampled_from(sorted(KINDS)), unique=True))
    values = {each: {"id": CANARY, "type": each, each: draw(KINDS[each])} for each in chosen}
    titled = {"Name": {"id": CANARY, "type": "title", "title": draw(RUNS) or []}, **values}
    parent = draw(st.sampled_from(({}, {"page_id": MISSING}, {"database_id": MISSING})))
    page = {"object": "page", "id": MISSING, "icon": CANARY, "cover": CANARY}
    return {**page, "properties": titled, "parent": parent, "url": None, "public_url": CANARY}


@settings(deadline=None)
@given(pages())
def test_a_page_shows_no_more_than_a_model_needs(page: dict[str, Any]) -> None:
    is_trimmed(shapes.page_row(page))
    is_trimmed(shapes.found(page))


@given(RUNS, USERS)
def test_a_comment_shows_no_more(runs: list[dict[str, Any]] | None, user: dict[str, Any]) -> None:
    is_trimmed(shapes.comment({"id": MISSING, "rich_text": runs, "created_by": user}))


@settings(deadline=None)
@given(TEXTS, st.integers(0, 100_000))
def test_a_content_is_shown_a_part_at_a_time(text: str, offset: int) -> None:
    shown = shapes.content({"markdown": text, "unknown_block_ids": [MISSING] * 200}, offset)

    is_trimmed(shown)
    assert shown.get("content", "").startswith(text[offset : offset + 1_000])


def is_trimmed(shown: dict[str, Any]) -> None:
    told = json.dumps(shown, ensure_ascii=False)
    assert CANARY not in told
    assert len(told) < MAX_CHARS
    assert None not in shown.values()
