"""Filters and mappings of triggers: refused when they are saved, bounded when an event comes."""

import contextlib
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given, settings

from omniforge.errors import ConditionFailed
from omniforge.execution.plans.events import (
    OutsideEvent,
    check_filter,
    check_mapping,
    mapped,
    passes,
)
from tests.execution.expressions import EXPRESSIONS
from tests.support.requirements import requirement

AT = datetime(2026, 11, 21, 13, 0, tzinfo=timezone(timedelta(hours=1)))
ISSUE: dict[str, Any] = {
    "title": "It does not start",
    "labels": [{"name": "bug"}, {"name": "urgent"}],
    "assignee": None,
    "number": 7,
}
EVENT = OutsideEvent("issues.opened", "72d3162e", {"action": "opened", "issue": ISSUE}, AT)


@requirement("FR-10")
@pytest.mark.parametrize(
    ("expression", "is_passed"),
    [
        (None, True),
        ("event.type == 'issues.opened'", True),
        ("event.type.startsWith('pull_request')", False),
        ("event.payload.issue.labels.exists(label, label.name == 'bug')", True),
        ("has(event.payload.issue.milestone) && event.payload.issue.milestone.open", False),
        ("event.payload.issue.assignee == null", True),
        ("timestamp(event.at) > timestamp('2026-11-21T11:59:59Z')", True),
        ("event.at == '2026-11-21T12:00:00+00:00'", True),
        ("event.id in ['72d3162e']", True),
    ],
)
def test_a_filter_says_whether_an_event_leads_to_a_run(
    expression: str | None, is_passed: bool
) -> None:
    assert passes(expression, EVENT) is is_passed
    assert expression is None or check_filter(expression) == ()


@requirement("FR-10")
def test_a_mapping_makes_the_runs_input() -> None:
    mapping = {
        "title": "event.payload.issue.title",
        "labels": "event.payload.issue.labels.map(label, label.name)",
        "where": "'GitHub'",
        "day": "string(timestamp(event.at).getFullYear())",
        "assignee": "event.payload.issue.assignee",
    }

    assert check_mapping(mapping) == ()
    assert mapped(mapping, EVENT) == {
        "title": "It does not start",
        "labels": ["bug", "urgent"],
        "where": "GitHub",
        "day": "2026",
        "assignee": None,
    }


def test_without_a_mapping_the_input_is_the_event() -> None:
    whole = {
        "type": "issues.opened",
        "id": "72d3162e",
        "payload": EVENT.payload,
        "at": "2026-11-21T12:00:00+00:00",
    }

    assert mapped(None, EVENT) == {"event": whole}
    assert mapped({"all": "event"}, EVENT) == {"all": whole}
    assert mapped({}, EVENT) == {}


@requirement("FR-10")
@pytest.mark.parametrize(
    ("expression", "message"),
    [
        ("payload.action == 'opened'", "Write event.payload.action"),
        ("type == 'message'", "Write event.type"),
        ("input.action == 'opened'", "There is no `input`. There is event, with at, id, payload"),
        ("steps.find.output == 1", "There is no `steps`"),
        ("event.payloads.action == 'opened'", "the fields there are: at, id, payload, type"),
        ("event['kind'] == 'opened'", "the fields there are: at, id, payload, type"),
        ("event.type == 1", "compares text with a whole number"),
        ("event.type", "It gives text; true or false is needed"),
        ("event.payload", "It gives an object; true or false is needed"),
        ("size(event.payload.issue.labels)", "It gives a whole number; true or false is needed"),
        ("'yes'", "It gives text; true or false is needed"),
        ("1 + 1", "It gives a whole number; true or false is needed"),
        ("false", "never true, so no delivery would lead to a run"),
        ("1 / 0 == 1", "divides by zero"),
        ("event.type ==", "ends too early"),
        ("event.type = 'x'", "'=' at character 12 means nothing"),
        ("event.payload.a.all(x, event.payload.b.all(y, x == y))", "Let a skill do that part"),
        ("lower(event.type) == 'x'", "There is no lower()"),
        ("event.type == '" + "x" * 500 + "'", "longer than 500 characters"),
        ("", "ends too early"),
    ],
)
def test_a_filter_that_cannot_work_is_refused_when_it_is_saved(
    expression: str, message: str
) -> None:
    (finding,) = check_filter(expression)

    assert finding.place == "filter"
    assert message in finding.message


def test_what_is_wrong_with_a_mapping_is_said_for_each_of_its_names() -> None:
    found = check_mapping(
        {
            "right": "event.payload.issue",
            "when": "timestamp(event.at)",
            "name": "input.name",
            "half": "1 / 0",
        }
    )

    assert [(one.place, one.message.split(".")[0]) for one in found] == [
        ("mapping.when", "It gives a timestamp, which JSON does not know; string("),
        ("mapping.name", "There is no `input`"),
        ("mapping.half", "It divides by zero"),
    ]


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        ("event.payload.comment == 'x'", "has(event.payload.comment) asks first"),
        ("event.payload.issue.labels[5] == 'x'", "an item that the list does not have"),
        ("event.payload.action.name == 'x'", "`event.payload.action` is a string, so it has no"),
        ("event.payload.issue.labels.exists(one, one.color == 'red')", "has() asks first"),
        ("event.payload.issue.number", "It gives a number; true or false is needed"),
        ("event.payload.issue.assignee", "It gives null; true or false is needed"),
        ("payload.action == 'opened'", "There is no `payload` here"),
    ],
)
def test_what_an_event_does_not_have_is_said_to_who_reads_the_delivery(
    expression: str, message: str
) -> None:
    with pytest.raises(ConditionFailed) as failure:
        passes(expression, EVENT)

    assert message in failure.value.message
    assert "It does not start" not in failure.value.message


def test_a_mapping_says_which_expression_failed() -> None:
    with pytest.raises(ConditionFailed, match=r"`event\.payload\.comment` failed"):
        mapped({"a": "event.type", "b": "event.payload.comment"}, EVENT)


@requirement("FR-10")
def test_what_would_hold_the_process_up_is_not_evaluated() -> None:
    rows = [{"id": number, "name": "x" * 20} for number in range(3_000)]
    event = OutsideEvent("rows", "1", {"rows": rows}, AT)

    assert passes("event.payload.rows.exists(row, row.id == 2999)", event)
    with pytest.raises(ConditionFailed, match="too much data"):
        passes("size(event.payload.rows.filter(row, row.id > 5)) > 1", event)
    with pytest.raises(ConditionFailed, match="too much data"):
        mapped({"rows": "event.payload.rows.map(row, row.id)"}, event)


def test_the_expressions_of_a_mapping_share_what_they_may_cost() -> None:
    event = OutsideEvent("rows", "1", {"rows": list(range(500))}, AT)
    costly = "event.payload.rows.map(row, row + 1)"

    assert mapped({"one": costly}, event)
    with pytest.raises(ConditionFailed, match="too much data"):
        mapped({f"field_{number}": costly for number in range(50)}, event)


@given(expression=EXPRESSIONS.map(lambda text: text.replace("input", "event.payload")))
@settings(max_examples=150)
def test_any_expression_gives_json_or_a_reason(expression: str) -> None:
    event = OutsideEvent("any", "1", {"week": 27, "rate": 1.5, "name": "Zoë", "none": None}, AT)

    check_filter(expression)
    with contextlib.suppress(ConditionFailed):
        assert isinstance(passes(expression, event), bool)
    with contextlib.suppress(ConditionFailed):
        assert set(mapped({"x": expression}, event)) == {"x"}
