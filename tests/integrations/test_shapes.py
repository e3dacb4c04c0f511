"""What a model is shown of outside objects, whatever those hold."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from omniforge.integrations.github import shapes as github
from omniforge.integrations.linear import shapes as linear
from omniforge.integrations.trimming import (
    MAX_CHARS,
    excerpt,
    has_marker,
    listing,
    marked,
    part,
    unmarked,
)

SECRET = "s3cr3t-value"
MARKER = "of-" + "0f" * 16

# Names that services do use, and others that only look like something to hide.
_SECRETS = st.dictionaries(
    st.sampled_from(
        ("token", "access_token", "client_secret", "password", "download_url", "node_id", "_links")
    ),
    st.just(SECRET),
    max_size=3,
)
_TEXTS = st.sampled_from((None, "", "Some words", "very long " * 4_000))


def _objects(*names: str) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries({}, optional=dict.fromkeys(names, _TEXTS))


def _mixed(objects: st.SearchStrategy[dict[str, Any]]) -> st.SearchStrategy[dict[str, Any]]:
    return st.builds(lambda one, other: {**other, **one}, objects, _SECRETS)


def _many(one: st.SearchStrategy[Any]) -> st.SearchStrategy[list[Any]]:
    """A few, or one of them a hundred times."""
    return st.one_of(st.lists(one, max_size=2), one.map(lambda each: [each] * 100))


_PEOPLE = _many(_mixed(st.fixed_dictionaries({"login": _TEXTS})))
_ISSUES = _mixed(
    st.fixed_dictionaries(
        {"number": st.integers()},
        optional={
            "title": _TEXTS,
            "body": _TEXTS,
            "user": st.one_of(st.none(), _mixed(_objects("login"))),
            "assignees": _PEOPLE,
            "labels": _many(_mixed(_objects("name"))),
            "milestone": st.one_of(st.none(), _mixed(_objects("title"))),
            "head": _mixed(_objects("ref")),
            "html_url": st.just("https://github.com/a/b/issues/1"),
        },
    )
)
_NODES = st.fixed_dictionaries({"nodes": _many(_mixed(_objects("name", "key")))})
_LINEAR = _mixed(
    st.fixed_dictionaries(
        {"identifier": st.just("ENG-1")},
        optional={
            "title": _TEXTS,
            "description": _TEXTS,
            "body": _TEXTS,
            "state": st.one_of(st.none(), _mixed(_objects("name", "type"))),
            "assignee": st.one_of(st.none(), _mixed(_objects("name", "displayName"))),
            "labels": _NODES,
            "teams": _NODES,
            "states": _NODES,
            "children": _NODES,
        },
    )
)


@pytest.mark.parametrize(
    "shape",
    [github.issue_row, github.issue, github.comment, github.pull_request_row, github.pull_request],
)
@settings(deadline=None, max_examples=30)
@given(found=_ISSUES)
def test_of_github_no_more_is_shown_than_a_model_needs(shape: Any, found: dict[str, Any]) -> None:
    _is_trimmed(shape(found))


@pytest.mark.parametrize(
    "shape",
    [linear.issue_row, linear.issue, linear.comment, linear.team, linear.user, linear.project],
)
@settings(deadline=None, max_examples=30)
@given(found=_LINEAR)
def test_of_linear_no_more_is_shown_than_a_model_needs(shape: Any, found: dict[str, Any]) -> None:
    _is_trimmed(shape(found))


def _is_trimmed(shown: dict[str, Any]) -> None:
    told = json.dumps(shown, ensure_ascii=False)
    assert SECRET not in told
    assert len(told) < MAX_CHARS
    assert None not in shown.values()


@settings(deadline=None)
@given(st.lists(st.dictionaries(st.text(max_size=5), st.text(max_size=3_000)), max_size=60))
def test_a_list_is_kept_to_its_size_and_says_so(rows: list[dict[str, str]]) -> None:
    told = listing("rows", rows, "more")

    assert len(json.dumps(told["rows"], ensure_ascii=False)) <= MAX_CHARS + 2
    assert ("note" in told) == (len(told["rows"]) < len(rows))
    assert ("next_cursor" in told) != ("note" in told)


@given(st.text(), st.text(alphabet="\n <!->ofmniergd:", max_size=60))
def test_a_marker_is_found_and_never_shown(text: str, noise: str) -> None:
    body = marked(text + noise, MARKER)

    assert has_marker(body, MARKER)
    assert not has_marker(body, "of-" + "00" * 16)
    assert not has_marker(unmarked(body), MARKER)
    assert marked(body, MARKER).count(MARKER) == 1
    assert MARKER not in excerpt(body, 10_000) + part(body, 0, 10_000, "")


@given(st.text(min_size=1), st.integers(1, 50))
def test_the_parts_of_a_text_make_it_whole(text: str, limit: int) -> None:
    parts = [part(text, at, limit, "read {}") for at in range(0, len(text), limit)]
    whole = "".join(each.split("\n[cut: characters")[0] for each in parts)

    assert whole == text.split("\n[cut: characters")[0] or "[cut:" in text
