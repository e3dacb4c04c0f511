"""What Notion refuses, and what goes wrong on the way."""

import pytest

from omniforge.errors import (
    ConnectionBroken,
    OutcomeUnknown,
    RateLimited,
    ServiceAnswerInvalid,
    ServiceUnavailable,
    TryAgain,
)
from tests.support.integrations import Toolbox
from tests.support.json_service import Told
from tests.support.notion_api import MISSING, NotionApi


async def test_what_is_not_shared_is_told_with_the_way_to_share_it(tools: Toolbox) -> None:
    for name, arguments in [
        ("notion_read_page", {"page": MISSING}),
        ("notion_get_database", {"database": MISSING}),
        ("notion_append_to_page", {"page": MISSING, "content": "x"}),
        ("notion_list_comments", {"page": MISSING}),
    ]:
        with pytest.raises(TryAgain, match=r"not shared.*Connections"):
            await tools.call(name, **arguments)


async def test_notions_own_words_about_a_value_reach_the_model(
    notion: NotionApi, tools: Toolbox
) -> None:
    page = notion.page("Plan")
    notion.tells_next(Told(notion.pages[page]))
    message = "body failed validation: body.properties.Points.number should be a number."
    notion.refuses_next(400, "validation_error", message)

    with pytest.raises(TryAgain, match=r"properties\.Points\.number.*Nothing was done"):
        await tools.call("notion_update_page", page=page, title="x")


async def test_a_capability_that_is_off_is_named_as_such(notion: NotionApi, tools: Toolbox) -> None:
    notion.refuses_next(403, "restricted_resource", "Insufficient permissions for this endpoint.")

    with pytest.raises(TryAgain, match="capabilit"):
        await tools.call("notion_list_users")


async def test_a_token_that_notion_does_not_take_breaks_the_connection(
    notion: NotionApi, tools: Toolbox
) -> None:
    notion.refuses_next(401, "unauthorized", "API token is invalid.")

    with pytest.raises(ConnectionBroken, match="connect it again"):
        await tools.call("notion_list_users")


async def test_a_collision_is_tried_again_even_by_a_write(
    notion: NotionApi, tools: Toolbox
) -> None:
    page = notion.page("Log", "first")
    notion.refuses_next(409, "conflict_error", "Conflict occurred while saving.")

    await tools.call("notion_append_to_page", page=page, content="second")

    assert notion.contents[page] == "first\nsecond"


async def test_a_collision_that_stays_is_told_as_nothing_done(
    notion: NotionApi, tools: Toolbox
) -> None:
    page = notion.page("Log")
    for _ in range(4):
        notion.refuses_next(409, "conflict_error", "Conflict occurred while saving.")

    with pytest.raises(ServiceUnavailable, match="Nothing was done"):
        await tools.call("notion_append_to_page", page=page, content="x")


@pytest.mark.parametrize(("status", "code"), [(429, "rate_limited"), (529, "service_overload")])
async def test_limits_are_waited_for_or_told(
    notion: NotionApi, tools: Toolbox, status: int, code: str
) -> None:
    notion.refuses_next(status, code, retry_after="1")
    assert (await tools.call("notion_list_users"))["users"]

    notion.refuses_next(status, code, retry_after="60")
    with pytest.raises(RateLimited, match="60 seconds"):
        await tools.call("notion_append_to_page", page=MISSING, content="x")


async def test_reads_by_post_outlast_a_failure_and_writes_are_in_doubt(
    notion: NotionApi, tools: Toolbox, tasks: str
) -> None:
    notion.fails_next(503, {"code": "service_unavailable", "message": "Unavailable."})
    assert (await tools.call("notion_search", query="Tasks"))["results"]
    notion.cuts_next()
    assert (await tools.call("notion_search", query="Tasks"))["results"]

    page = notion.page("Log")
    append = {"page": page, "content": "once"}
    notion.fails_next(503)
    with pytest.raises(OutcomeUnknown, match="503"):
        await tools.call("notion_append_to_page", **append)
    notion.cuts_next()
    with pytest.raises(OutcomeUnknown, match="broke off"):
        await tools.call("notion_append_to_page", **append)
    assert notion.contents[page] == "once"


async def test_pages_and_floods_instead_of_json_are_no_answers(
    notion: NotionApi, tools: Toolbox
) -> None:
    notion.sends_html_next()
    with pytest.raises(ServiceAnswerInvalid, match="text/html"):
        await tools.call("notion_list_users")
    notion.sends_html_next(502)
    assert (await tools.call("notion_list_users"))["users"]
    notion.sends_too_much_next()
    with pytest.raises(ServiceAnswerInvalid, match="more than"):
        await tools.call("notion_list_users")
