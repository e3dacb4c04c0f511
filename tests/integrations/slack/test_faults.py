"""What Slack refuses, and what goes wrong on the way."""

from pathlib import Path

import pytest

from omniforge.errors import (
    ConnectionBroken,
    OutcomeUnknown,
    RateLimited,
    ServiceAnswerInvalid,
    ServiceUnavailable,
    TryAgain,
)
from tests.support.integrations import Tokens, Toolbox
from tests.support.json_service import Told
from tests.support.slack_api import SlackApi


@pytest.mark.parametrize(
    ("error", "words"),
    [
        ("channel_not_found", "somebody in it has invited the app"),
        ("not_in_channel", "/invite"),
        ("is_archived", "choose another one"),
        ("msg_too_long", "split it"),
        ("restricted_action", "admins have restricted"),
        ("some_new_error", "some_new_error"),
    ],
)
async def test_a_refusal_is_told_in_words_that_help(
    slack: SlackApi, tools: Toolbox, error: str, words: str
) -> None:
    slack.refuses_next(error)

    with pytest.raises(TryAgain) as refusal:
        await tools.call("slack_post_message", channel=slack.general, text="Hi")

    assert words in refusal.value.message
    assert "Nothing was done" in refusal.value.message


async def test_refusals_of_the_workspace_itself(slack: SlackApi, tools: Toolbox) -> None:
    with pytest.raises(TryAgain, match="not_in_channel"):
        await tools.call("slack_read_channel", channel=slack.secret)
    with pytest.raises(TryAgain, match="is_archived"):
        await tools.call("slack_post_message", channel=slack.old, text="Hi")


@pytest.mark.parametrize("error", ["token_revoked", "account_inactive", "invalid_auth"])
async def test_a_token_that_slack_does_not_take_any_more_breaks_the_connection(
    slack: SlackApi, tools: Toolbox, error: str
) -> None:
    slack.refuses_next(error)

    with pytest.raises(ConnectionBroken, match="connect it again") as broken:
        await tools.call("slack_read_channel", channel=slack.general)

    assert broken.value.connection_id == "connection-1"
    assert "token-1" not in str(broken.value)


async def test_an_expired_token_is_replaced_once(slack: SlackApi, tmp_path: Path) -> None:
    tools = Toolbox("slack", slack.url, tmp_path, Tokens(["old", "new"]))
    slack.refuses_next("token_expired")

    await tools.call("slack_post_message", channel=slack.general, text="Hi")

    assert [each.headers["authorization"] for each in slack.requests] == [
        "Bearer old",
        "Bearer new",
    ]
    assert len(slack.messages[slack.general]) == 1
    await tools.http.aclose()


async def test_a_missing_scope_is_named(slack: SlackApi, tools: Toolbox) -> None:
    slack.refuses_next(
        "missing_scope", needed="channels:history,groups:history", provided="chat:write"
    )

    with pytest.raises(ConnectionBroken, match="channels:history, groups:history") as broken:
        await tools.call("slack_read_channel", channel=slack.general)

    assert broken.value.missing == ("channels:history", "groups:history")


async def test_a_short_limit_is_waited_for(slack: SlackApi, tools: Toolbox) -> None:
    slack.refuses_next("ratelimited", 429, retry_after=1)

    await tools.call("slack_post_message", channel=slack.general, text="Hi")

    assert len(slack.messages[slack.general]) == 1


async def test_a_long_limit_is_told_at_once_and_holds_only_its_own_method(
    slack: SlackApi, tools: Toolbox
) -> None:
    slack.refuses_next("ratelimited", 429, retry_after=60)

    with pytest.raises(RateLimited, match="60 seconds"):
        await tools.call("slack_read_channel", channel=slack.general)
    with pytest.raises(RateLimited):
        await tools.call("slack_read_channel", channel=slack.general)

    assert len(slack.requests) == 1
    await tools.call("slack_post_message", channel=slack.general, text="Hi")


async def test_reads_outlast_a_failure_and_writes_are_in_doubt(
    slack: SlackApi, tools: Toolbox
) -> None:
    slack.fails_next(500)
    assert await tools.call("slack_read_channel", channel=slack.general) == {"messages": []}

    for error in ("internal_error", "fatal_error"):
        slack.refuses_next(error)
        with pytest.raises(OutcomeUnknown, match=error):
            await tools.call("slack_post_message", channel=slack.general, text="Hi")
    slack.fails_next(503)
    with pytest.raises(OutcomeUnknown, match="503"):
        await tools.call("slack_post_message", channel=slack.general, text="Hi")


async def test_a_page_instead_of_json_is_no_answer(slack: SlackApi, tools: Toolbox) -> None:
    slack.sends_html_next()
    with pytest.raises(ServiceAnswerInvalid, match="text/html"):
        await tools.call("slack_list_channels")
    slack.sends_html_next()
    with pytest.raises(OutcomeUnknown, match="not JSON"):
        await tools.call("slack_post_message", channel=slack.general, text="Hi")


async def test_json_that_is_not_slacks_is_no_answer(slack: SlackApi, tools: Toolbox) -> None:
    bodies: list[object] = [[], {"ok": "yes"}, None]
    for body in bodies:
        slack.tells_next(Told(body))
        with pytest.raises(OutcomeUnknown):
            await tools.call("slack_post_message", channel=slack.general, text="Hi")


async def test_an_answer_that_is_too_large_is_not_read(slack: SlackApi, tools: Toolbox) -> None:
    slack.sends_too_much_next()

    with pytest.raises(ServiceAnswerInvalid, match="more than"):
        await tools.call("slack_list_channels")


async def test_a_read_whose_line_dropped_is_asked_again(slack: SlackApi, tools: Toolbox) -> None:
    slack.cuts_next()

    assert await tools.call("slack_read_channel", channel=slack.general) == {"messages": []}


async def test_a_workspace_that_stays_down_is_told_so(slack: SlackApi, tools: Toolbox) -> None:
    slack.fails_next(502, times=4)

    with pytest.raises(ServiceUnavailable, match="502"):
        await tools.call("slack_list_channels")
