"""Pages and comments that are made and changed, and those that a dry run holds."""

from typing import Any

import pytest

from omniforge.errors import (
    TryAgain,
)
from omniforge.journal.steps import EffectClass
from tests.support.integrations import Toolbox
from tests.support.json_service import Told
from tests.support.notion_api import ADA, NotionApi, day, option
from tests.support.requirements import requirement


@requirement("INT-2")
async def test_a_page_is_created_in_a_database_from_plain_values(
    notion: NotionApi, tools: Toolbox, tasks: str
) -> None:
    other = notion.row(tasks, "Sand")

    made = await tools.call(
        "notion_create_page",
        database=tasks,
        title="Paint",
        properties={
            "Status": "in progress",
            "Tags": ["home"],
            "Due": {"start": "2026-11-30", "end": "2026-12-01"},
            "Points": 3,
            "Urgent": True,
            "Owner": [ADA],
            "Blocks": [other],
        },
        content="# Why\n\n- grey",
    )

    properties = notion.pages[made["id"]]["properties"]
    assert properties["Status"]["status"] == {"name": "In progress"}
    assert properties["Owner"]["people"] == [{"object": "user", "id": ADA}]
    assert properties["Blocks"]["relation"] == [{"id": other}]
    assert notion.contents[made["id"]] == "# Why\n\n- grey"
    assert made["title"] == "Paint"
    assert made["properties"]["Due"] == {"start": "2026-11-30", "end": "2026-12-01"}


async def test_a_page_is_created_under_another_one(notion: NotionApi, tools: Toolbox) -> None:
    above = notion.page("Above")

    made = await tools.call("notion_create_page", page=above, title="Below")

    assert made["parent"] == f"page {above}"
    with pytest.raises(TryAgain, match="either a database or a page"):
        await tools.call("notion_create_page", title="Nowhere")


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"Stattus": "Done"}, "Did you mean 'Status'"),
        ({"Status": "Finished"}, "'Finished' is not one of its options: Not started"),
        ({"Points": "3"}, "must be a number"),
        ({"Urgent": "yes"}, "must be true or false"),
        ({"Due": "tomorrow"}, "no date such as"),
        ({"Tags": ["home", "garden"]}, "'garden' is not one"),
        ({"Created": "2026-11-21"}, "cannot be set"),
        ({"Owner": ["Ada"]}, "a person's id"),
    ],
)
async def test_a_value_that_does_not_fit_is_not_sent(
    notion: NotionApi, tools: Toolbox, tasks: str, values: dict[str, Any], words: str
) -> None:
    with pytest.raises(TryAgain) as refusal:
        await tools.call("notion_create_page", database=tasks, title="x", properties=values)

    assert words in refusal.value.message
    assert notion.writes == []


async def test_properties_are_changed_and_emptied(
    notion: NotionApi, tools: Toolbox, tasks: str
) -> None:
    row = notion.row(tasks, "Paint", Status=option("status", "Done"), Due=day("2026-11-30"))

    answer = await tools.call(
        "notion_update_page", page=row, title="Repaint", properties={"Due": None, "Points": 8}
    )

    assert answer["title"] == "Repaint"
    assert answer["properties"] == {"Status": "Done", "Points": 8}
    with pytest.raises(TryAgain, match="Nothing to change"):
        await tools.call("notion_update_page", page=row)


async def test_a_page_outside_a_database_has_only_a_title(
    notion: NotionApi, tools: Toolbox
) -> None:
    page = notion.page("Old")

    assert (await tools.call("notion_update_page", page=page, title="New"))["title"] == "New"
    with pytest.raises(TryAgain, match="no property 'Status'"):
        await tools.call("notion_update_page", page=page, properties={"Status": "Done"})


async def test_a_page_that_is_shared_without_its_database_is_changed_all_the_same(
    notion: NotionApi, tools: Toolbox, tasks: str
) -> None:
    row = notion.row(tasks, "Paint", Status=option("status", "Done"))
    notion.tells_next(Told({"code": "object_not_found"}, 404), path="/data_sources/")

    await tools.call("notion_update_page", page=row, properties={"Status": "In progress"})

    assert notion.pages[row]["properties"]["Status"]["status"] == {"name": "In progress"}


async def test_content_is_added_at_the_end(notion: NotionApi, tools: Toolbox) -> None:
    page = notion.page("Log", "first")

    await tools.call("notion_append_to_page", page=page, content="second")

    assert notion.contents[page] == "first\nsecond"


async def test_comments_are_written_answered_and_listed(notion: NotionApi, tools: Toolbox) -> None:
    page = notion.page("Plan")
    assert await tools.call("notion_list_comments", page=page) == {"comments": []}

    first = await tools.call("notion_add_comment", page=page, text="Sure?")
    await tools.call("notion_add_comment", discussion=first["discussion"], text="y" * 4_500)

    listed = (await tools.call("notion_list_comments", page=page))["comments"]
    assert [each["text"][:5] for each in listed] == ["Sure?", "yyyyy"]
    assert [len(run["text"]["content"]) for run in notion.comments[1]["rich_text"]] == [
        2_000,
        2_000,
        500,
    ]
    with pytest.raises(TryAgain, match="either a page or a discussion"):
        await tools.call("notion_add_comment", text="Where?")


async def test_people_are_listed_with_their_ids(tools: Toolbox) -> None:
    answer = await tools.call("notion_list_users")

    assert answer["users"][0] == {
        "id": ADA,
        "name": "Ada",
        "kind": "person",
        "email": "a@x.example",
    }


@requirement("INT-2")
async def test_what_cannot_be_found_again_is_left_to_a_person(tools: Toolbox) -> None:
    effects = {name: spec.effect for name, spec in tools.specs.items()}

    assert {name for name, effect in effects.items() if effect is EffectClass.ASK} == {
        "notion_create_page",
        "notion_append_to_page",
        "notion_add_comment",
    }
    assert effects["notion_update_page"] is EffectClass.KEYED
    assert len(effects) == 10


@requirement("DRY-1")
async def test_a_dry_run_reads_and_shows_the_write(
    notion: NotionApi, tools: Toolbox, tasks: str
) -> None:
    page = notion.page("Plan")
    calls: list[tuple[str, dict[str, Any]]] = [
        ("create_page", {"database": tasks, "title": "Paint", "properties": {"Points": 3}}),
        ("update_page", {"page": page, "title": "New"}),
        ("append_to_page", {"page": page, "content": "more"}),
        ("add_comment", {"page": page, "text": "Sure?"}),
    ]
    for name, arguments in calls:
        held = await tools.rehearse(f"notion_{name}", **arguments)
        assert held["held"] is True
        assert held["request"]["method"] in {"POST", "PATCH"}
        assert "token-1" not in str(held)

    assert notion.writes == []
    assert list(notion.pages) == [page]
