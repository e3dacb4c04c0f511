"""A workspace in Notion, and the tools that work in it."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.support.integrations import Toolbox
from tests.support.notion_api import MISSING, NotionApi, options


@pytest.fixture
async def notion() -> AsyncIterator[NotionApi]:
    async with NotionApi() as service:
        yield service


@pytest.fixture
async def tools(notion: NotionApi, tmp_path: Path) -> AsyncIterator[Toolbox]:
    toolbox = Toolbox("notion", notion.url, tmp_path)
    yield toolbox
    await toolbox.http.aclose()


@pytest.fixture
def tasks(notion: NotionApi) -> str:
    return notion.database(
        "Tasks",
        Status=options("status", "Not started", "In progress", "Done"),
        Tags=options("multi_select", "home", "work"),
        Due={"type": "date", "date": {}},
        Points={"type": "number", "number": {"format": "number"}},
        Urgent={"type": "checkbox", "checkbox": {}},
        Owner={"type": "people", "people": {}},
        Blocks={"type": "relation", "relation": {"database_id": MISSING}},
        Created={"type": "created_time", "created_time": {}},
    )
