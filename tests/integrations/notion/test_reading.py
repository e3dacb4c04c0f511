"""Pages, databases, comments and people, as a model is shown them."""

from typing import Any

import pytest

from omniforge.errors import (
    TryAgain,
)
from tests.support.integrations import Toolbox
from tests.support.json_service import Told
from tests.support.notion_api import MISSING, NotionApi, day, option


async def test_a_search_finds_pages_and_databases_by_title(
    notion: NotionApi, tools: Toolbox, tasks: str
) -> None:
    page = notion.page("Task force")
    notion.page("Something else")

    answer = await tools.call("notion_search", query="task")

    assert [(each["kind"], each["id"]) for each in answer["results"]] == [
        ("page", page),
        ("database", tasks),
    ]
    only = await tools.call("notion_search", query="task", kind="database")
    assert [each["source"] for each in only["results"]] == [notion.source_of(tasks)]
    assert await tools.call("notion_search", query="no such thing") == {"results": []}


async def test_a_page_is_read_with_its_properties_and_its_content(
    notion: NotionApi, tools: Toolbox, tasks: str
) -> None:
    row = notion.row(tasks, "Paint", Status=option("status", "Done"), Due=day("2026-11-30"))
    notion.contents[row] = "# Why\n\nIt is grey."

    answer = await tools.call("notion_read_page", page=row)

    assert answer["title"] == "Paint"
    assert answer["properties"] == {"Status": "Done", "Due": "2026-11-30"}
    assert answer["content"] == "# Why\n\nIt is grey."
    assert answer["parent"] == f"database {tasks}"


async def test_a_long_page_is_read_in_parts(notion: NotionApi, tools: Toolbox) -> None:
    page = notion.page("Long", "".join(f"line {number}\n" for number in range(8_000)))

    first = (await tools.call("notion_read_page", page=page))["content"]
    second = (await tools.call("notion_read_page", page=page, offset=30_000))["content"]

    assert "for more, ask with offset 30000" in first
    assert first[:30_000] + second[:30_000] == notion.contents[page][:60_000]


async def test_blocks_that_notion_left_out_are_named_and_signatures_are_dropped(
    notion: NotionApi, tools: Toolbox
) -> None:
    page = notion.page("Huge")
    link = "https://prod-files-secure.s3.us-west-2.amazonaws.com/a/b.png"
    told = {
        "object": "page_markdown",
        "id": page,
        "markdown": f"![plan]({link}?X-Amz-Signature={'f' * 64}&X-Amz-Expires=3600)",
        "truncated": True,
        "unknown_block_ids": [MISSING],
    }
    notion.tells_next(Told(told), path="/markdown")

    answer = await tools.call("notion_read_page", page=page)

    assert answer["content"] == f"![plan]({link})"
    assert answer["left_out"] == [MISSING]


@pytest.mark.parametrize(
    "address",
    [
        "{plain}",
        "https://www.notion.so/acme/Cafe-face-{plain}",
        "https://www.notion.so/acme/Tasks-11111111111141118111111111111111?v=2&p={plain}&pm=s",
        " {dashed} ",
    ],
)
async def test_pages_are_known_by_ids_and_by_addresses(
    notion: NotionApi, tools: Toolbox, address: str
) -> None:
    page = notion.page("Plan")
    given = address.format(plain=page.replace("-", "").upper(), dashed=page)

    assert (await tools.call("notion_read_page", page=given))["id"] == page


async def test_what_is_no_id_is_answered_with_the_way_to_one(tools: Toolbox) -> None:
    with pytest.raises(TryAgain, match=r"'Plan' is not a page's id.*notion_search"):
        await tools.call("notion_read_page", page="Plan")


async def test_a_database_tells_its_properties(tools: Toolbox, tasks: str) -> None:
    answer = await tools.call("notion_get_database", database=tasks)

    assert answer["title"] == "Tasks"
    assert answer["properties"]["Status"] == {
        "type": "status",
        "options": ["Not started", "In progress", "Done"],
    }
    assert answer["properties"]["Name"] == {"type": "title"}


async def test_of_several_data_sources_one_has_to_be_said(
    notion: NotionApi, tools: Toolbox
) -> None:
    both = notion.database("Work", "Bugs", "Ideas")

    with pytest.raises(TryAgain, match=r"Say which data source.*'Bugs'.*'Ideas'"):
        await tools.call("notion_get_database", database=both)
    with pytest.raises(TryAgain, match="no data source 'Ideen'"):
        await tools.call("notion_get_database", database=both, source="Ideen")
    assert (await tools.call("notion_get_database", database=both, source="Ideas"))[
        "title"
    ] == "Ideas"


@pytest.fixture
def three(notion: NotionApi, tasks: str) -> str:
    number = {"type": "number"}
    notion.row(tasks, "Paint", Status=option("status", "Done"), Due=day("2026-11-30"))
    notion.row(
        tasks, "Sand", Status=option("status", "In progress"), Points={**number, "number": 5}
    )
    notion.row(tasks, "Buy", Status=option("status", "Not started"), Due=day("2026-11-20"))
    return tasks


@pytest.mark.parametrize(
    ("conditions", "match", "titles"),
    [
        ([], "all", ["Paint", "Sand", "Buy"]),
        ([{"property": "Status", "operator": "equals", "value": "done"}], "all", ["Paint"]),
        ([{"property": "Due", "operator": "before", "value": "2026-11-25"}], "all", ["Buy"]),
        ([{"property": "Due", "operator": "is_empty"}], "all", ["Sand"]),
        ([{"property": "Name", "operator": "contains", "value": "a"}], "all", ["Paint", "Sand"]),
        (
            [
                {"property": "Points", "operator": "greater_than", "value": 3},
                {"property": "Due", "operator": "before", "value": "2026-11-25"},
            ],
            "any",
            ["Sand", "Buy"],
        ),
        (
            [
                {"property": "Name", "operator": "contains", "value": "a"},
                {"property": "Status", "operator": "does_not_equal", "value": "Done"},
            ],
            "all",
            ["Sand"],
        ),
        (
            [{"property": "created_time", "operator": "on_or_after", "value": "2026-11-01"}],
            "all",
            ["Paint", "Sand", "Buy"],
        ),
        ([{"property": "Name", "operator": "equals", "value": "None such"}], "all", []),
    ],
)
async def test_a_database_is_filtered(
    tools: Toolbox, three: str, conditions: list[dict[str, Any]], match: str, titles: list[str]
) -> None:
    answer = await tools.call(
        "notion_query_database", database=three, filter=conditions, match=match
    )

    assert [each["title"] for each in answer["pages"]] == titles


@pytest.mark.parametrize(
    ("condition", "words"),
    [
        ({"property": "Stattus", "operator": "equals", "value": "Done"}, "Did you mean 'Status'"),
        ({"property": "Status", "operator": "equals", "value": "Finished"}, "Known: Not started"),
        ({"property": "Status", "operator": "contains", "value": "Done"}, "takes equals"),
        ({"property": "Points", "operator": "equals", "value": "five"}, "a number"),
        ({"property": "Urgent", "operator": "equals", "value": "yes"}, "true or false"),
        ({"property": "Owner", "operator": "contains", "value": "Ada"}, "a person's id"),
        ({"property": "Due", "operator": "before"}, "needs a value"),
    ],
)
async def test_a_condition_that_cannot_hold_is_not_asked(
    notion: NotionApi, tools: Toolbox, tasks: str, condition: dict[str, Any], words: str
) -> None:
    with pytest.raises(TryAgain) as refusal:
        await tools.call("notion_query_database", database=tasks, filter=[condition])

    assert words in refusal.value.message
    assert notion.writes == []


async def test_a_database_is_sorted_and_goes_on_with_a_cursor(
    notion: NotionApi, tools: Toolbox, tasks: str
) -> None:
    for number in range(130):
        notion.row(tasks, f"{number:03}")
    sort = [{"property": "Name", "direction": "descending"}]

    first = await tools.call("notion_query_database", database=tasks, sort=sort, limit=100)
    second = await tools.call(
        "notion_query_database",
        database=tasks,
        sort=sort,
        limit=100,
        cursor=first["next_cursor"],
    )

    titles = [each["title"] for each in [*first["pages"], *second["pages"]]]
    assert titles == [f"{number:03}" for number in reversed(range(130))]
    assert "next_cursor" not in second
