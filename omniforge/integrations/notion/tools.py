"""What skills can do in Notion."""

from omniforge.integrations.notion.client import Notion
from omniforge.integrations.notion.reading import (
    get_database,
    list_comments,
    list_users,
    query_database,
    read_page,
    search,
)
from omniforge.integrations.notion.writing import (
    add_comment,
    append_to_page,
    create_page,
    update_page,
)
from omniforge.integrations.operations import Operation

OPERATIONS: tuple[Operation[Notion], ...] = (
    search,
    read_page,
    get_database,
    query_database,
    create_page,
    update_page,
    append_to_page,
    add_comment,
    list_comments,
    list_users,
)
