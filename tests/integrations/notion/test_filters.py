"""Conditions as models write them, and as Notion takes them."""

from typing import Any

import pytest

from omniforge.errors import TryAgain
from omniforge.integrations.notion.filters import filter_of, sorts_of
from tests.support.notion_api import ADA, options

SCHEMA: dict[str, Any] = {
    "Name": {"type": "title"},
    "Owner": {"type": "people"},
    "Due": {"type": "date"},
    "Tags": options("multi_select", "home", "work"),
    "Late": {"type": "formula"},
    "Sum": {"type": "rollup"},
    "Made": {"type": "created_time"},
}


@pytest.mark.parametrize(
    ("condition", "notions"),
    [
        (("Name", "contains", "x"), {"property": "Name", "title": {"contains": "x"}}),
        (("Owner", "contains", ADA), {"property": "Owner", "people": {"contains": ADA}}),
        (("Due", "next_week", None), {"property": "Due", "date": {"next_week": {}}}),
        (("Due", "is_empty", None), {"property": "Due", "date": {"is_empty": True}}),
        (("Tags", "contains", "Home"), {"property": "Tags", "multi_select": {"contains": "home"}}),
        (("Late", "equals", True), {"property": "Late", "formula": {"checkbox": {"equals": True}}}),
        (("Late", "less_than", 3), {"property": "Late", "formula": {"number": {"less_than": 3}}}),
        (
            ("Late", "equals", "yes"),
            {"property": "Late", "formula": {"string": {"equals": "yes"}}},
        ),
        (
            ("Late", "before", "2026-11-21"),
            {"property": "Late", "formula": {"date": {"before": "2026-11-21"}}},
        ),
        (
            ("Made", "after", "2026-11-21"),
            {"property": "Made", "created_time": {"after": "2026-11-21"}},
        ),
        (
            ("last_edited_time", "past_week", None),
            {"timestamp": "last_edited_time", "last_edited_time": {"past_week": {}}},
        ),
    ],
)
def test_a_condition_becomes_notions(
    condition: tuple[str, str, Any], notions: dict[str, Any]
) -> None:
    name, operator, value = condition
    given = {"property": name, "operator": operator, "value": value}

    assert filter_of([given], any_of=False, schema=SCHEMA) == notions


def test_several_conditions_are_joined() -> None:
    one = {"property": "Due", "operator": "is_empty"}

    assert filter_of([], any_of=False, schema=SCHEMA) is None
    assert set(filter_of([one, one], any_of=True, schema=SCHEMA) or ()) == {"or"}
    assert set(filter_of([one, one], any_of=False, schema=SCHEMA) or ()) == {"and"}


def test_what_notion_cannot_filter_by_is_told() -> None:
    condition = {"property": "Sum", "operator": "equals", "value": 1}

    with pytest.raises(TryAgain, match=r"'Sum' \(rollup\) cannot be filtered by"):
        filter_of([condition], any_of=False, schema=SCHEMA)


def test_orders_name_properties_or_times() -> None:
    orders = [{"property": "Due", "direction": "descending"}, {"property": "created_time"}]

    assert sorts_of(orders, SCHEMA) == [
        {"property": "Due", "direction": "descending"},
        {"timestamp": "created_time", "direction": "ascending"},
    ]
    with pytest.raises(TryAgain, match="Did you mean 'Due'"):
        sorts_of([{"property": "due"}], SCHEMA)
