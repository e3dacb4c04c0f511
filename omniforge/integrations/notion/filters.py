"""Conditions and orders of a query, from simple JSON to Notion's.

https://developers.notion.com/reference/filter-data-source-entries
"""

from collections.abc import Mapping, Sequence
from typing import Any

from omniforge.errors import TryAgain
from omniforge.integrations.notion.ids import id_of
from omniforge.integrations.notion.values import option_of, options_of, property_of
from omniforge.journal.steps import Json
from omniforge.tools.wording import listed, shown

Record = Mapping[str, Any]
Schema = Mapping[str, Record]

_EMPTY = ("is_empty", "is_not_empty")
_SAME = ("equals", "does_not_equal")
_PART = ("contains", "does_not_contain")
_TEXT = (*_SAME, *_PART, "starts_with", "ends_with", *_EMPTY)
_AMOUNT = (
    *_SAME,
    "greater_than",
    "less_than",
    "greater_than_or_equal_to",
    "less_than_or_equal_to",
    *_EMPTY,
)
_RELATIVE = (
    "past_week",
    "past_month",
    "past_year",
    "this_week",
    "next_week",
    "next_month",
    "next_year",
)
_MOMENT = ("equals", "before", "after", "on_or_before", "on_or_after", *_RELATIVE, *_EMPTY)

_ONLY_MOMENT = frozenset(_MOMENT) - frozenset(_TEXT)

_BY_KIND: Mapping[str, Sequence[str]] = {
    "title": _TEXT,
    "rich_text": _TEXT,
    "url": _TEXT,
    "email": _TEXT,
    "phone_number": _TEXT,
    "number": _AMOUNT,
    "unique_id": _AMOUNT,
    "checkbox": _SAME,
    "select": (*_SAME, *_EMPTY),
    "status": (*_SAME, *_EMPTY),
    "multi_select": (*_PART, *_EMPTY),
    "people": (*_PART, *_EMPTY),
    "created_by": (*_PART, *_EMPTY),
    "last_edited_by": (*_PART, *_EMPTY),
    "relation": (*_PART, *_EMPTY),
    "files": _EMPTY,
    "date": _MOMENT,
    "created_time": _MOMENT,
    "last_edited_time": _MOMENT,
}
_TIMESTAMPS = frozenset({"created_time", "last_edited_time"})
_WITH_OPTIONS = frozenset({"select", "status", "multi_select"})
_BY_ID = frozenset({"people", "created_by", "last_edited_by", "relation"})

OPERATORS = tuple(dict.fromkeys(each for operators in _BY_KIND.values() for each in operators))
WITHOUT_VALUE = (*_EMPTY, *_RELATIVE)


def filter_of(conditions: Sequence[Record], *, any_of: bool, schema: Schema) -> Record | None:
    """
    Raises:
        TryAgain: A property is unknown, or a condition is none that it can have.
    """
    parts = [_condition(each, schema) for each in conditions]
    if len(parts) <= 1:
        return parts[0] if parts else None
    return {"or" if any_of else "and": parts}


def sorts_of(orders: Sequence[Record], schema: Schema) -> list[Record]:
    """
    Raises:
        TryAgain: A property is unknown.
    """
    return [_order(each, schema) for each in orders]


def _condition(condition: Record, schema: Schema) -> Record:
    name, operator = str(condition["property"]), str(condition["operator"])
    if name in _TIMESTAMPS and name not in schema:
        return {"timestamp": name, name: _test(name, operator, condition, {"type": name})}
    definition = property_of(name, schema)
    kind = str(definition["type"])
    if kind == "formula":
        result = "date" if operator in _ONLY_MOMENT else _kind_of(condition.get("value"))
        inner = _test(name, operator, condition, {"type": result})
        return {"property": name, "formula": {_FORMULA.get(result, result): inner}}
    return {"property": name, kind: _test(name, operator, condition, definition)}


_FORMULA = {"rich_text": "string"}


def _kind_of(value: Json) -> str:
    """Of what type a formula's result must be to be compared with a value."""
    if isinstance(value, bool):
        return "checkbox"
    return "number" if isinstance(value, int | float) else "rich_text"


def _test(name: str, operator: str, condition: Record, definition: Record) -> Record:
    kind = str(definition["type"])
    operators = _BY_KIND.get(kind)
    if operators is None:
        raise TryAgain(f"{name!r} ({kind}) cannot be filtered by. Filter by another property.")
    if operator not in operators:
        raise TryAgain(f"{name!r} ({kind}) takes {listed(operators, 30)}, not {operator}.")
    if operator in _EMPTY:
        return {operator: True}
    if operator in _RELATIVE:
        return {operator: {}}
    if "value" not in condition:
        raise TryAgain(f"{name!r}: {operator} needs a value.")
    return {operator: _value(name, condition["value"], definition)}


def _value(name: str, value: Json, definition: Record) -> Json:
    kind = str(definition["type"])
    if kind in _BY_ID:
        return id_of(str(value), "a page's" if kind == "relation" else "a person's")
    if kind == "checkbox" and not isinstance(value, bool):
        raise TryAgain(f"{name!r} ({kind}) is compared with true or false, not {shown(value)}.")
    if kind in {"number", "unique_id"} and not isinstance(value, int | float):
        raise TryAgain(f"{name!r} ({kind}) is compared with a number, not {shown(value)}.")
    if kind not in _WITH_OPTIONS:
        return value
    chosen = option_of(str(value), definition)
    if chosen is None:
        known = listed(options_of(definition), 40)
        raise TryAgain(f"{name!r} has no option {shown(value)}. Known: {known}.")
    return chosen


def _order(order: Record, schema: Schema) -> Record:
    name, direction = str(order["property"]), order.get("direction", "ascending")
    if name in _TIMESTAMPS and name not in schema:
        return {"timestamp": name, "direction": direction}
    property_of(name, schema)
    return {"property": name, "direction": direction}
