"""What a model is shown of Notion's objects."""

import re
from collections.abc import Mapping
from typing import Any

from omniforge.integrations.notion.values import options_of, plain, text_of, title_of
from omniforge.integrations.trimming import excerpt, part, present

Record = Mapping[str, Any]
Shape = dict[str, Any]

CONTENT_CHARS = 30_000
COMMENT_CHARS = 2_000
LINE_CHARS = 250
BLOCKS_SHOWN = 20
OPTIONS_SHOWN = 100

# Notion signs the addresses of files for an hour, in hundreds of characters that help nobody.
_SIGNED = re.compile(r"(https://[^\s()<>\"?]+\.amazonaws\.com/[^\s()<>\"?]*)\?[^\s()<>\"]*")


def found(result: Record) -> Shape:
    """A hit of a search. A data source goes by the id of its database, as addresses have it."""
    if result.get("object") == "data_source":
        parent = result.get("parent") or {}
        return present(
            kind="database",
            id=parent.get("database_id") or result.get("id"),
            source=result.get("id"),
            title=excerpt(text_of(result.get("title")), LINE_CHARS),
            url=result.get("url"),
            last_edited_time=result.get("last_edited_time"),
        )
    return {"kind": "page", **page_row(result, with_properties=False)}


def page_row(page: Record, *, with_properties: bool = True) -> Shape:
    properties = page.get("properties") or {}
    values = {name: plain(each) for name, each in properties.items() if each.get("type") != "title"}
    return present(
        id=page.get("id"),
        title=title_of(properties),
        properties=present(**values) if with_properties else None,
        parent=_parent(page.get("parent") or {}),
        is_in_trash=page.get("in_trash") or None,
        last_edited_time=page.get("last_edited_time"),
        url=page.get("url"),
    )


def content(markdown: Record, offset: int) -> Shape:
    text = _SIGNED.sub(r"\1", str(markdown.get("markdown") or ""))
    missing = list(markdown.get("unknown_block_ids") or ())[:BLOCKS_SHOWN]
    note = "Notion left these blocks out; read each by its id as if it were a page."
    return present(
        content=part(text, offset, CONTENT_CHARS, "ask with offset {}"),
        left_out=missing,
        note=note if missing else None,
    )


def database(found: Record, source: Record) -> Shape:
    properties = source.get("properties") or {}
    return present(
        id=found.get("id"),
        source=source.get("id"),
        title=excerpt(text_of(source.get("title") or found.get("title")), LINE_CHARS),
        description=excerpt(text_of(found.get("description")), LINE_CHARS),
        url=found.get("url"),
        properties={name: _definition(each) for name, each in properties.items()},
    )


def comment(found: Record) -> Shape:
    author = found.get("created_by") or {}
    return present(
        id=found.get("id"),
        discussion=found.get("discussion_id"),
        author=author.get("name") or author.get("id"),
        created_time=found.get("created_time"),
        text=part(text_of(found.get("rich_text")), 0, COMMENT_CHARS, "open it in Notion"),
    )


def user(found: Record) -> Shape:
    return present(
        id=found.get("id"),
        name=found.get("name"),
        kind=found.get("type"),
        email=(found.get("person") or {}).get("email"),
    )


def _definition(definition: Record) -> Shape:
    relation = definition.get("relation") or {}
    return present(
        type=definition.get("type"),
        options=options_of(definition)[:OPTIONS_SHOWN],
        database=relation.get("database_id"),
        description=excerpt(definition.get("description"), LINE_CHARS),
    )


def _parent(parent: Record) -> str | None:
    if database := parent.get("database_id"):
        return f"database {database}"
    return f"page {parent['page_id']}" if parent.get("page_id") else None
