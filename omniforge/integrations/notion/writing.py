"""What skills can write in Notion.

Notion takes no idempotency key, and has no place for a mark that people do not see. So when the answer to
a new page, to new content or to a comment is lost, a person decides.
"""

from datetime import timedelta

from omniforge.errors import ServiceRefused, TryAgain
from omniforge.integrations.notion import shapes
from omniforge.integrations.notion.arguments import (
    DATABASE,
    MARKDOWN,
    PAGE,
    SOURCE,
    VALUES,
    page_of,
)
from omniforge.integrations.notion.client import Notion, Record
from omniforge.integrations.notion.ids import id_of
from omniforge.integrations.notion.reading import database_of
from omniforge.integrations.notion.values import runs, written
from omniforge.integrations.operations import Arguments, writing
from omniforge.journal.steps import Json
from omniforge.tools.parameters import parameters, text

# Setting properties twice comes to the same, but much later somebody may have set others meanwhile.
REPEATABLE_FOR = timedelta(minutes=10)

_TITLE = text("The page's title, one line.", minLength=1, maxLength=2_000)


@writing(
    "notion_create_page",
    parameters(
        required=["title"],
        title=_TITLE,
        database={**DATABASE, "description": "The database it belongs to: id or address."},
        source=SOURCE,
        page={**PAGE, "description": "Or the page it lies under: id or address."},
        properties=VALUES,
        content=MARKDOWN,
    ),
)
async def create_page(notion: Notion, arguments: Arguments, _: str) -> Json:
    """Create a page in a database, with properties, or under another page. Answers with its id and url."""
    if ("database" in arguments) == ("page" in arguments):
        raise TryAgain("Give either a database or a page for the new page to be in.")
    given = arguments.get("properties", {})
    if "page" in arguments:
        parent: Record = {"type": "page_id", "page_id": page_of(arguments)}
        properties = _properties(given, arguments["title"], {"title": {"type": "title"}})
    else:
        _database, source = await database_of(notion, arguments)
        parent = {"type": "data_source_id", "data_source_id": source["id"]}
        properties = _properties(given, arguments["title"], source.get("properties") or {})
    made = await notion.create_page(parent, properties, arguments.get("content", ""))
    return shapes.page_row(made)


@writing(
    "notion_update_page",
    parameters(required=["page"], page=PAGE, title=_TITLE, properties=VALUES),
    repeatable_for=REPEATABLE_FOR,
)
async def update_page(notion: Notion, arguments: Arguments, _: str) -> Json:
    """Change a page's title or properties. What is not given stays as it is."""
    if not arguments.get("properties") and "title" not in arguments:
        raise TryAgain("Nothing to change was given. Give a title or properties.")
    page = await notion.page(page_of(arguments))
    schema = await _schema_of(notion, page)
    properties = _properties(arguments.get("properties", {}), arguments.get("title"), schema)
    return shapes.page_row(await notion.update_page(page["id"], properties))


@writing(
    "notion_append_to_page",
    parameters(required=["page", "content"], page=PAGE, content={**MARKDOWN, "minLength": 1}),
)
async def append_to_page(notion: Notion, arguments: Arguments, _: str) -> Json:
    """Add content at the end of a page."""
    page = page_of(arguments)
    await notion.append(page, arguments["content"])
    return {"page": page, "appended": True}


@writing(
    "notion_add_comment",
    parameters(
        required=["text"],
        page={**PAGE, "description": "The page to comment on: id or address."},
        discussion=text("Or the discussion to answer in, as notion_list_comments tells it."),
        text=text("The comment, as plain text.", minLength=1, maxLength=20_000),
    ),
)
async def add_comment(notion: Notion, arguments: Arguments, _: str) -> Json:
    """Comment on a page, or answer in a discussion."""
    if ("page" in arguments) == ("discussion" in arguments):
        raise TryAgain("Give either a page or a discussion to comment in.")
    where: Record = (
        {"parent": {"page_id": page_of(arguments)}}
        if "page" in arguments
        else {"discussion_id": id_of(arguments["discussion"], "a discussion's")}
    )
    return shapes.comment(await notion.comment(where, runs(arguments["text"])))


def _properties(given: Record, title: str | None, schema: Record) -> dict[str, Json]:
    """Properties as Notion takes them. The title has another name in each database."""
    name = next((each for each, one in schema.items() if one.get("type") == "title"), "title")
    titled = {**given, name: title} if title is not None else given
    return written(titled, schema)


async def _schema_of(notion: Notion, page: Record) -> Record:
    """The properties that a page can have. A page may be shared without its database: then Notion alone
    knows the options."""
    bare = {name: {"type": each["type"]} for name, each in page["properties"].items()}
    source = (page.get("parent") or {}).get("data_source_id")
    if source is None:
        return bare
    try:
        return (await notion.source(source)).get("properties") or {}
    except ServiceRefused:
        return bare
