"""Lists that come in pages: by Link headers, by cursors, by GraphQL's pageInfo."""

import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx2

# Whoever needs more than a thousand things at once should ask a narrower question.
MAX_PAGES = 10

_LINK = re.compile(r"<([^<>]*)>([^<]*)")


@dataclass(frozen=True, slots=True)
class Page:
    """A part of a list, and where the next one begins; None at the end."""

    items: Sequence[Any]
    next_cursor: str | None = None


Fetch = Callable[[str | None, int], Awaitable[Page]]
"""Asks for one page: from a cursor on (None is the beginning), of so many items."""


async def gathered(fetch: Fetch, wanted: int, cursor: str | None, page_size: int) -> Page:
    """At least one page, and more until there are as many items as wanted, or `MAX_PAGES`."""
    items: list[Any] = []
    for _ in range(MAX_PAGES):
        page = await fetch(cursor, min(page_size, wanted - len(items)))
        items += page.items
        cursor = page.next_cursor
        if cursor is None or len(items) >= wanted:
            break
    return Page(items, cursor)


def next_in_link(headers: httpx2.Headers, parameter: str) -> str | None:
    """A parameter of the URL that a Link header calls the next one. The URL itself is never followed."""
    for url, rest in _LINK.findall(headers.get("link", "")):
        if 'rel="next"' in rest:
            values = parse_qs(urlsplit(url).query).get(parameter)
            return values[0] if values else None
    return None


def page_of(connection: Mapping[str, Any]) -> Page:
    """A GraphQL connection (`nodes` and `pageInfo`) as a page."""
    info = connection.get("pageInfo") or {}
    more = info.get("endCursor") if info.get("hasNextPage") else None
    return Page(connection.get("nodes") or [], more)
