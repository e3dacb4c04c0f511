"""Arguments that several of Notion's tools take."""

from omniforge.integrations.notion.filters import OPERATORS, WITHOUT_VALUE
from omniforge.integrations.notion.ids import id_of
from omniforge.integrations.operations import Arguments
from omniforge.tools.parameters import Schema, several, text, whole

PAGE = text("The page's id, or its address in Notion.", minLength=1)
DATABASE = text("The database's id, or its address in Notion.", minLength=1)
SOURCE = text("The id or name of one of its data sources, where the database has several.")
LIMIT = whole("How many at most; 20 unless told.", 1, 100)
CURSOR = text("next_cursor of the answer before, to go on from there.")
MARKDOWN = text("The content, in Markdown.", maxLength=100_000)
VALUES: Schema = {
    "type": "object",
    "description": "Values by the property's name: text, number, true or false, the name of an option, a date"
    " such as 2026-11-21 (or start and end), lists of options, of people's ids, of pages' ids. null empties"
    " one. notion_get_database tells the properties.",
}
CONDITIONS = several(
    "Only pages that fit. notion_get_database tells the properties; created_time and last_edited_time are"
    " always there.",
    {
        "type": "object",
        "properties": {
            "property": {"type": "string"},
            "operator": {"type": "string", "enum": list(OPERATORS)},
            "value": {"description": f"Not needed for {', '.join(WITHOUT_VALUE)}."},
        },
        "required": ["property", "operator"],
        "additionalProperties": False,
    },
    maxItems=25,
)
ORDERS = several(
    "By what to sort, the most important first.",
    {
        "type": "object",
        "properties": {
            "property": {"type": "string"},
            "direction": {"type": "string", "enum": ["ascending", "descending"]},
        },
        "required": ["property"],
        "additionalProperties": False,
    },
    maxItems=5,
)


def page_of(arguments: Arguments) -> str:
    return id_of(str(arguments["page"]), "a page's")


def window(arguments: Arguments) -> tuple[int, str | None]:
    """How many, and from where on."""
    return arguments.get("limit", 20), arguments.get("cursor")
