"""The values of properties: as Notion writes them, and as plain JSON that models read and write."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from omniforge.errors import TryAgain
from omniforge.integrations.notion.ids import id_of
from omniforge.integrations.trimming import excerpt
from omniforge.journal.steps import Json
from omniforge.tools.wording import did_you_mean, listed, shown

Record = Mapping[str, Any]

# Notion's limits: https://developers.notion.com/reference/request-limits
RUN_CHARS = 2_000
MAX_RUNS = 100
MAX_ITEMS = 100

TEXT_CHARS = 500
ITEMS_SHOWN = 25


# ---- read ------------------------------------------------------------------------------------


def plain(value: Record) -> Json:
    """A property's value without Notion's wrapping; None where it is empty."""
    kind = str(value.get("type"))
    inner = value.get(kind)
    if inner is None:
        return None
    return _PLAIN[kind](inner) if kind in _PLAIN else shown(inner, TEXT_CHARS)


def text_of(runs: Iterable[Record] | None) -> str:
    return "".join(str(run.get("plain_text", "")) for run in runs or ())


def title_of(properties: Mapping[str, Record]) -> str:
    titles = (each["title"] for each in properties.values() if each.get("type") == "title")
    return excerpt(text_of(next(titles, None)), TEXT_CHARS)


def _names(items: Sequence[Record]) -> list[str]:
    names = (each.get("name") or each.get("id") for each in items[:ITEMS_SHOWN])
    return [str(name) for name in names if name]


def _date(value: Record) -> Json:
    start, end = value.get("start"), value.get("end")
    return {"start": start, "end": end} if end else start


def _computed(value: Record) -> Json:
    """A formula's or rollup's result, which is a value of some other type."""
    if value.get("type") == "array":
        return [plain(each) for each in (value.get("array") or [])[:ITEMS_SHOWN]]
    return plain(value)


def _unique_id(value: Record) -> Json:
    prefix = value.get("prefix")
    return f"{prefix}-{value.get('number')}" if prefix else value.get("number")


def _as_is(value: Any) -> Json:
    return excerpt(value, TEXT_CHARS) if isinstance(value, str) else value


_PLAIN: Mapping[str, Callable[[Any], Json]] = {
    "title": lambda runs: excerpt(text_of(runs), TEXT_CHARS),
    "rich_text": lambda runs: excerpt(text_of(runs), TEXT_CHARS),
    "select": lambda option: option.get("name"),
    "status": lambda option: option.get("name"),
    "multi_select": _names,
    "people": _names,
    "files": _names,
    "relation": lambda pages: [each.get("id") for each in pages[:ITEMS_SHOWN]],
    "date": _date,
    "formula": _computed,
    "rollup": _computed,
    "unique_id": _unique_id,
    "created_by": lambda user: user.get("name") or user.get("id"),
    "last_edited_by": lambda user: user.get("name") or user.get("id"),
} | dict.fromkeys(
    (
        "number",
        "checkbox",
        "url",
        "email",
        "phone_number",
        "created_time",
        "last_edited_time",
        "string",
        "boolean",
    ),
    _as_is,
)


# ---- write -----------------------------------------------------------------------------------


def written(values: Record, schema: Mapping[str, Record]) -> dict[str, Json]:
    """Properties as Notion takes them, from plain values; null empties one.

    Raises:
        TryAgain: A property is unknown, cannot be set, or its value does not fit.
    """
    return {
        name: _written(name, value, property_of(name, schema)) for name, value in values.items()
    }


def property_of(name: str, schema: Mapping[str, Record]) -> Record:
    """
    Raises:
        TryAgain: There is none of that name.
    """
    if name not in schema:
        hint = did_you_mean(name, schema)
        raise TryAgain(f"There is no property {name!r}.{hint} Known: {listed(schema, 40)}.")
    return schema[name]


def runs(text: str) -> list[Record]:
    """A text in the pieces that Notion takes."""
    pieces = [text[at : at + RUN_CHARS] for at in range(0, len(text), RUN_CHARS)]
    if len(pieces) > MAX_RUNS:
        raise TryAgain(f"A text may have {RUN_CHARS * MAX_RUNS:,} characters, not {len(text):,}.")
    return [{"type": "text", "text": {"content": piece}} for piece in pieces]


def options_of(definition: Record) -> list[str]:
    """What can be chosen for a select, multi-select or status property."""
    kind = str(definition.get("type"))
    return [str(each.get("name")) for each in (definition.get(kind) or {}).get("options") or ()]


def option_of(value: str, definition: Record) -> str | None:
    """The option that is meant, case aside; whatever it is where the options are not known."""
    by_folded = {each.casefold(): each for each in options_of(definition)}
    return by_folded.get(value.strip().casefold()) if by_folded else value


def _written(name: str, value: Json, definition: Record) -> Json:
    kind = str(definition.get("type"))
    if kind not in _WRITTEN:
        raise TryAgain(f"{name!r} ({kind}) cannot be set here: Notion or people fill it.")
    wanted, build = _WRITTEN[kind]
    if value is None:
        return {kind: [] if kind in _LISTS else False if kind == "checkbox" else None}
    try:
        return {kind: build(value, definition)}
    except _Unfit as problem:
        said = str(problem) or f"it must be {wanted}, but is {shown(value)}"
        raise TryAgain(f"{name!r} ({kind}): {said}.") from None


class _Unfit(Exception):
    """A value that does not fit; without words it is simply of the wrong kind."""


def _text(value: Json, _: Record) -> Json:
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise _Unfit
    return runs(str(value))


def _string(value: Json, _: Record) -> Json:
    if not isinstance(value, str):
        raise _Unfit
    return value


def _number(value: Json, _: Record) -> Json:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise _Unfit
    return value


def _checkbox(value: Json, _: Record) -> Json:
    if not isinstance(value, bool):
        raise _Unfit
    return value


def _option(value: Json, definition: Record) -> Json:
    if not isinstance(value, str):
        raise _Unfit
    chosen = option_of(value, definition)
    if chosen is None:
        raise _Unfit(f"{value!r} is not one of its options: {listed(options_of(definition), 40)}")
    return {"name": chosen}


def _options(value: Json, definition: Record) -> Json:
    return [_option(each, definition) for each in _list(value)]


def _moment(value: Json, _: Record) -> Json:
    given = {"start": value} if isinstance(value, str) else value
    if not isinstance(given, dict) or "start" not in given or given.keys() - {"start", "end"}:
        raise _Unfit
    for moment in given.values():
        if moment is not None and not _is_moment(moment):
            raise _Unfit(f"{shown(moment)} is no date such as 2026-11-21 or 2026-11-21T09:00:00Z")
    return given


def _is_moment(value: Json) -> bool:
    try:
        return isinstance(value, str) and datetime.fromisoformat(value) is not None
    except ValueError:
        return False


def _people(value: Json, _: Record) -> Json:
    return [{"object": "user", "id": id_of(str(each), "a person's")} for each in _list(value)]


def _pages(value: Json, _: Record) -> Json:
    return [{"id": id_of(str(each), "a page's")} for each in _list(value)]


def _list(value: Json) -> list[Json]:
    items = value if isinstance(value, list) else [value]
    if len(items) > MAX_ITEMS:
        raise _Unfit(f"{MAX_ITEMS} at most, not {len(items)}")
    return items


_LISTS = frozenset({"title", "rich_text", "multi_select", "people", "relation"})
_WRITTEN: Mapping[str, tuple[str, Callable[[Json, Record], Json]]] = {
    "title": ("a text", _text),
    "rich_text": ("a text", _text),
    "number": ("a number", _number),
    "checkbox": ("true or false", _checkbox),
    "select": ("the name of an option", _option),
    "status": ("the name of an option", _option),
    "multi_select": ("a list of options", _options),
    "date": ("a date, or an object with start and end", _moment),
    "people": ("a list of people's ids", _people),
    "relation": ("a list of pages' ids", _pages),
    "url": ("a text", _string),
    "email": ("a text", _string),
    "phone_number": ("a text", _string),
}
