"""What skills can read in Notion."""

from omniforge.errors import TryAgain
from omniforge.integrations.http.pages import Page, gathered
from omniforge.integrations.notion import shapes
from omniforge.integrations.notion.arguments import (
    CONDITIONS,
    CURSOR,
    DATABASE,
    LIMIT,
    ORDERS,
    PAGE,
    SOURCE,
    page_of,
    window,
)
from omniforge.integrations.notion.client import PAGE_SIZE, Notion, Record
from omniforge.integrations.notion.filters import filter_of, sorts_of
from omniforge.integrations.notion.ids import id_of
from omniforge.integrations.operations import Arguments, reading
from omniforge.integrations.trimming import listing
from omniforge.journal.steps import Json
from omniforge.tools.parameters import parameters, text, whole
from omniforge.tools.wording import shortened


@reading(
    "notion_search",
    parameters(
        query=text("Words of the title; without any, what was edited last comes first."),
        kind=text("Only these; both unless told.", enum=["page", "database"]),
        limit=LIMIT,
        cursor=CURSOR,
    ),
)
async def search(notion: Notion, arguments: Arguments) -> Json:
    """Find pages and databases by their titles, among those that are shared with the integration. What
    is only minutes old may be missing."""
    kind = {"database": "data_source"}.get(arguments.get("kind", ""), arguments.get("kind"))
    page = await notion.search(arguments.get("query", ""), kind, *window(arguments))
    return listing("results", [shapes.found(each) for each in page.items], page.next_cursor)


@reading(
    "notion_read_page",
    parameters(
        required=["page"],
        page=PAGE,
        offset=whole("From which character on to read, when it was cut.", 0, 10_000_000),
    ),
)
async def read_page(notion: Notion, arguments: Arguments) -> Json:
    """Read a page: its properties, and its content as Markdown."""
    page, offset = page_of(arguments), arguments.get("offset", 0)
    told = shapes.content(await notion.markdown(page), offset)
    return told if offset else {**shapes.page_row(await notion.page(page)), **told}


@reading("notion_get_database", parameters(required=["database"], database=DATABASE, source=SOURCE))
async def get_database(notion: Notion, arguments: Arguments) -> Json:
    """Read a database's properties: their names, types and options. Its pages are what
    notion_query_database gives."""
    found, source = await database_of(notion, arguments)
    return shapes.database(found, source)


@reading(
    "notion_query_database",
    parameters(
        required=["database"],
        database=DATABASE,
        source=SOURCE,
        filter=CONDITIONS,
        match=text(
            "Whether all conditions must fit or any one; all unless told.", enum=["all", "any"]
        ),
        sort=ORDERS,
        limit=LIMIT,
        cursor=CURSOR,
    ),
)
async def query_database(notion: Notion, arguments: Arguments) -> Json:
    """Read pages of a database with their properties, filtered and sorted."""
    _, source = await database_of(notion, arguments)
    schema = source.get("properties") or {}
    is_any = arguments.get("match") == "any"
    chosen = filter_of(arguments.get("filter", []), any_of=is_any, schema=schema)
    sorts = sorts_of(arguments.get("sort", []), schema)

    async def fetch(cursor: str | None, size: int) -> Page:
        return await notion.query(source["id"], size, cursor, chosen, sorts)

    limit, cursor = window(arguments)
    page = await gathered(fetch, limit, cursor, PAGE_SIZE)
    return listing("pages", [shapes.page_row(each) for each in page.items], page.next_cursor)


@reading(
    "notion_list_comments",
    parameters(required=["page"], page=PAGE, limit=LIMIT, cursor=CURSOR),
)
async def list_comments(notion: Notion, arguments: Arguments) -> Json:
    """List the open comments on a page, oldest first."""
    page = await notion.comments(page_of(arguments), *window(arguments))
    return listing("comments", [shapes.comment(each) for each in page.items], page.next_cursor)


@reading("notion_list_users", parameters(limit=LIMIT, cursor=CURSOR))
async def list_users(notion: Notion, arguments: Arguments) -> Json:
    """List the people and bots of the workspace with their ids."""
    page = await notion.users(*window(arguments))
    return listing("users", [shapes.user(each) for each in page.items], page.next_cursor)


async def database_of(notion: Notion, arguments: Arguments) -> tuple[Record, Record]:
    """A database, and the data source of it that is meant.

    Raises:
        TryAgain: It has several, and it was not said which.
    """
    found = await notion.database(id_of(str(arguments["database"]), "a database's"))
    sources = found.get("data_sources") or []
    wanted = arguments.get("source")
    if wanted:
        sources = [each for each in sources if wanted in (each.get("id"), each.get("name"))]
    if len(sources) == 1:
        return found, await notion.source(sources[0]["id"])
    known = "; ".join(f"{each.get('name')!r} ({each['id']})" for each in found["data_sources"])
    which = f"There is no data source {shortened(wanted)!r}" if wanted else "Say which data source"
    raise TryAgain(f"{which}. The database has: {known}.")
