"""A workspace in Notion: its answers have the form that the reference documents for version 2026-03-11."""

import re
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import count
from typing import Any

from tests.support.json_service import Asked, JsonService, Told

Record = dict[str, Any]

MISSING = "11111111-1111-4111-8111-111111111111"
TIME = "2026-11-21T08:00:00.000Z"
ADA = "a0a0a0a0-0000-4000-8000-000000000001"
BOT = "b0b0b0b0-0000-4000-8000-000000000002"

_OPERATORS: Mapping[str, Callable[[Any, Any], bool]] = {
    "equals": lambda value, wanted: value == wanted,
    "does_not_equal": lambda value, wanted: value != wanted,
    "contains": lambda value, wanted: wanted in (value or ()),
    "does_not_contain": lambda value, wanted: wanted not in (value or ()),
    "starts_with": lambda value, wanted: str(value or "").startswith(wanted),
    "greater_than": lambda value, wanted: value is not None and value > wanted,
    "less_than": lambda value, wanted: value is not None and value < wanted,
    "before": lambda value, wanted: value is not None and value < wanted,
    "on_or_after": lambda value, wanted: value is not None and value >= wanted,
    "is_empty": lambda value, _: value in (None, "", []),
    "is_not_empty": lambda value, _: value not in (None, "", []),
}


class NotionApi(JsonService):
    """Knows what a test has put there; all else is `object_not_found`."""

    def __init__(self) -> None:
        super().__init__()
        self._ids = self._numbered()
        self.databases: dict[str, Record] = {}
        self.sources: dict[str, Record] = {}
        self.pages: dict[str, Record] = {}
        self.contents: dict[str, str] = {}
        self.comments: list[Record] = []
        self.users = [
            {
                "object": "user",
                "id": ADA,
                "type": "person",
                "name": "Ada",
                "person": {"email": "a@x.example"},
            },
            {
                "object": "user",
                "id": BOT,
                "type": "bot",
                "name": "OmniForge",
                "bot": {"workspace_name": "Acme"},
            },
        ]

    @staticmethod
    def _numbered() -> Iterator[str]:
        return (str(uuid.UUID(int=(0xC0FFEE << 96) + number)) for number in count(1))

    # ---- what a test puts there --------------------------------------------------------------

    def database(self, title: str, *sources: str, **properties: Record) -> str:
        database = next(self._ids)
        schema = {
            name: {"id": name[:4], "name": name, "description": None, **one}
            for name, one in {"Name": {"type": "title", "title": {}}, **properties}.items()
        }
        made = []
        for name in sources or (title,):
            source = next(self._ids)
            self.sources[source] = {
                "object": "data_source",
                "id": source,
                "title": _runs(name),
                "parent": {"type": "database_id", "database_id": database},
                "properties": schema,
                "url": f"https://www.notion.so/{database.replace('-', '')}",
                "last_edited_time": TIME,
            }
            made.append({"id": source, "name": name})
        self.databases[database] = {
            "object": "database",
            "id": database,
            "title": _runs(title),
            "description": [],
            "data_sources": made,
            "url": f"https://www.notion.so/{database.replace('-', '')}",
        }
        return database

    def source_of(self, database: str) -> str:
        return str(self.databases[database]["data_sources"][0]["id"])

    def page(self, title: str, content: str = "", **values: Record) -> str:
        parent = {"type": "workspace", "workspace": True}
        return self._put(
            parent, {"title": {"type": "title", "title": _runs(title)}, **values}, content
        )

    def row(self, database: str, title: str, **values: Record) -> str:
        source = self.source_of(database)
        parent = {"type": "data_source_id", "data_source_id": source, "database_id": database}
        return self._put(parent, {"Name": {"type": "title", "title": _runs(title)}, **values})

    def refuses_next(self, status: int, code: str, message: str = "No.", **headers: str) -> None:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        self.tells_next(replace(_error(status, code, message), headers=named))

    def _put(self, parent: Record, properties: Record, content: str = "") -> str:
        page = next(self._ids)
        self.pages[page] = {
            "object": "page",
            "id": page,
            "created_time": TIME,
            "last_edited_time": TIME,
            "created_by": {"object": "user", "id": BOT},
            "in_trash": False,
            "parent": parent,
            "properties": {name: {"id": name[:4], **value} for name, value in properties.items()},
            "url": f"https://www.notion.so/{page.replace('-', '')}",
        }
        self.contents[page] = content
        return page

    # ---- what it answers ---------------------------------------------------------------------

    def answer(self, asked: Asked) -> Told:
        if asked.headers.get("notion-version") != "2026-03-11":
            return _error(400, "missing_version", "Notion-Version header failed validation.")
        for method, pattern, answer in self._routes:
            found = re.fullmatch(pattern, asked.path)
            if found and method == asked.method:
                return answer(asked, *found.groups())
        return _error(400, "invalid_request_url", "Invalid request URL.")

    @property
    def _routes(self) -> Sequence[tuple[str, str, Callable[..., Told]]]:
        return (
            ("GET", r"/databases/([^/]+)", lambda _, each: _found(self.databases, each)),
            ("GET", r"/data_sources/([^/]+)", lambda _, each: _found(self.sources, each)),
            ("POST", r"/data_sources/([^/]+)/query", self._query),
            ("POST", r"/search", self._search),
            ("GET", r"/pages/([^/]+)", lambda _, each: _found(self.pages, each)),
            ("GET", r"/pages/([^/]+)/markdown", lambda _, each: self._markdown(each)),
            ("PATCH", r"/pages/([^/]+)/markdown", self._insert),
            ("POST", r"/pages", self._create),
            ("PATCH", r"/pages/([^/]+)", self._update),
            ("GET", r"/comments", self._comments),
            ("POST", r"/comments", self._comment),
            ("GET", r"/users/me", lambda _: Told(self.users[1])),
            ("GET", r"/users", lambda asked: _listed(self.users, asked.query)),
        )

    def _query(self, asked: Asked, source: str) -> Told:
        pages = [
            each
            for each in self.pages.values()
            if each["parent"].get("data_source_id") == source
            and _fits(each, asked.json.get("filter"))
        ]
        for order in reversed(asked.json.get("sorts", [])):
            name = order.get("property") or order["timestamp"]
            is_down = order["direction"] == "descending"
            pages.sort(key=lambda each: str(_value(each, name)), reverse=is_down)
        return _listed(pages, asked.json)

    def _search(self, asked: Asked) -> Told:
        kind = (asked.json.get("filter") or {}).get("value")
        words = asked.json.get("query", "").casefold()
        there = [*self.pages.values(), *self.sources.values()]
        hits = [
            each
            for each in there
            if kind in (None, each["object"]) and words in _title(each).casefold()
        ]
        return _listed(hits, asked.json)

    def _markdown(self, page: str) -> Told:
        if page not in self.contents:
            return _missing(page)
        told = {"object": "page_markdown", "id": page, "markdown": self.contents[page]}
        return Told({**told, "truncated": False, "unknown_block_ids": []})

    def _insert(self, asked: Asked, page: str) -> Told:
        if page not in self.contents:
            return _missing(page)
        assert asked.json["type"] == "insert_content"
        content = asked.json["insert_content"]
        assert content["position"] == {"type": "end"}
        self.contents[page] = "\n".join(filter(None, [self.contents[page], content["content"]]))
        return self._markdown(page)

    def _create(self, asked: Asked) -> Told:
        parent, schema = dict(asked.json["parent"]), {"title": {"type": "title"}}
        if source := parent.get("data_source_id"):
            if source not in self.sources:
                return _missing(source)
            schema = self.sources[source]["properties"]
            parent["database_id"] = self.sources[source]["parent"]["database_id"]
        elif parent["page_id"] not in self.pages:
            return _missing(parent["page_id"])
        values = _checked(asked.json["properties"], schema)
        if isinstance(values, Told):
            return values
        page = self._put(parent, values, asked.json.get("markdown", ""))
        return Told(self.pages[page])

    def _update(self, asked: Asked, page: str) -> Told:
        if page not in self.pages:
            return _missing(page)
        properties = self.pages[page]["properties"]
        source = self.pages[page]["parent"].get("data_source_id")
        schema = self.sources[source]["properties"] if source else properties
        values = _checked(asked.json["properties"], schema)
        if isinstance(values, Told):
            return values
        properties |= values
        return Told(self.pages[page])

    def _comments(self, asked: Asked) -> Told:
        page = asked.query["block_id"]
        there = [each for each in self.comments if each["parent"].get("page_id") == page]
        return _listed(there, asked.query) if page in self.pages else _missing(page)

    def _comment(self, asked: Asked) -> Told:
        discussion = asked.json.get("discussion_id") or next(self._ids)
        first = next((each for each in self.comments if each["discussion_id"] == discussion), None)
        parent = asked.json.get("parent") or (first and first["parent"])
        if parent is None:
            return _missing(discussion)
        made = {
            "object": "comment",
            "id": next(self._ids),
            "parent": parent,
            "discussion_id": discussion,
            "created_time": TIME,
            "created_by": {"object": "user", "id": BOT},
            "rich_text": _shown(asked.json["rich_text"]),
        }
        self.comments.append(made)
        return Told(made)


def option(kind: str, name: str) -> Record:
    """A value of a select or status property."""
    return {"type": kind, kind: {"id": name, "name": name, "color": "default"}}


def day(date: str) -> Record:
    """A value of a date property."""
    return {"type": "date", "date": {"start": date, "end": None}}


def options(kind: str, *names: str) -> Record:
    """The definition of a select, multi-select or status property."""
    return {"type": kind, kind: {"options": [{"id": name, "name": name} for name in names]}}


def _runs(text: str) -> list[Record]:
    return _shown([{"type": "text", "text": {"content": text}}])


def _shown(runs: Sequence[Record]) -> list[Record]:
    return [{**run, "plain_text": run["text"]["content"], "href": None} for run in runs]


def _checked(values: Record, schema: Record) -> Record | Told:
    """The values as pages show them, or the error that Notion tells."""
    made = {}
    for name, value in values.items():
        if name not in schema:
            return _error(400, "validation_error", f"{name} is not a property that exists.")
        kind = schema[name]["type"]
        if kind not in value:
            return _error(400, "validation_error", f"{name} is expected to be {kind}.")
        inner = _shown(value[kind]) if kind in {"title", "rich_text"} else value[kind]
        made[name] = {"id": name[:4], "type": kind, kind: inner}
    return made


def _fits(page: Record, condition: Record | None) -> bool:
    if not condition:
        return True
    if "and" in condition or "or" in condition:
        decide = all if "and" in condition else any
        return decide(_fits(page, each) for each in condition.get("and") or condition["or"])
    name = condition.get("property") or condition["timestamp"]
    test = next(each for kind, each in condition.items() if kind not in {"property", "timestamp"})
    (operator, wanted) = next(iter(test.items()))
    return _OPERATORS[operator](_value(page, name), wanted)


def _value(page: Record, name: str) -> Any:
    value = page["properties"].get(name)
    if value is None:
        return page.get(name)
    inner = value[value["type"]]
    if isinstance(inner, list):
        is_text = value["type"] in {"title", "rich_text"}
        return (
            "".join(run["plain_text"] for run in inner)
            if is_text
            else [each["name"] for each in inner]
        )
    if isinstance(inner, dict):
        return inner.get("name") or inner.get("start")
    return inner


def _title(thing: Record) -> str:
    titles = [each["title"] for each in thing["properties"].values() if each["type"] == "title"]
    return "".join(run["plain_text"] for run in thing.get("title") or titles[0])


def _listed(items: Sequence[Record], given: Mapping[str, Any]) -> Told:
    begin = int(given.get("start_cursor") or 0)
    end = begin + int(given.get("page_size") or 100)
    more = end < len(items)
    told = {"object": "list", "results": list(items[begin:end]), "has_more": more}
    return Told({**told, "next_cursor": str(end) if more else None})


def _found(there: Mapping[str, Record], wanted: str) -> Told:
    return Told(there[wanted]) if wanted in there else _missing(wanted)


def _missing(wanted: str) -> Told:
    message = (
        f"Could not find object with ID: {wanted}. Make sure it is shared with your connection."
    )
    return _error(404, "object_not_found", message)


def _error(status: int, code: str, message: str) -> Told:
    return Told({"object": "error", "status": status, "code": code, "message": message}, status)
