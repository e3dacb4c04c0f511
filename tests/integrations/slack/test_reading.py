"""Channels, people, messages and threads, as a model is shown them."""

from datetime import UTC, datetime

import pytest

from omniforge.errors import (
    TryAgain,
)
from tests.support.integrations import Toolbox
from tests.support.json_service import Told
from tests.support.slack_api import SlackApi


def _iso(ts: str) -> str:
    return datetime.fromtimestamp(int(ts.split(".")[0]), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


async def test_channels_are_listed_with_ids_and_whether_the_app_is_a_member(
    tools: Toolbox,
) -> None:
    answer = await tools.call("slack_list_channels")

    assert answer == {
        "channels": [
            {"id": "C0GENERAL0", "name": "general", "members": 3, "app_is_member": True},
            {"id": "C0SECRET00", "name": "secret", "members": 3, "app_is_member": False},
        ]
    }


async def test_a_channel_is_found_by_its_name_however_far_back_it_is_listed(
    slack: SlackApi, tools: Toolbox
) -> None:
    slack.page_limit = 2
    for number in range(6):
        slack.channel(f"C0OTHER{number:03}", f"other-{number}")
    slack.channel("C0RELEASES", "releases")

    answer = await tools.call("slack_list_channels", name="#Releases")

    assert [each["id"] for each in answer["channels"]] == ["C0RELEASES"]


async def test_people_are_found_by_name_and_by_email(tools: Toolbox) -> None:
    by_name = await tools.call("slack_find_user", name="lovelace")
    by_email = await tools.call("slack_find_user", email="ada@example.com")

    assert by_name == by_email
    assert by_name["people"] == [
        {
            "id": "U0ADA00000",
            "name": "Ada Lovelace",
            "handle": "ada",
            "email": "ada@example.com",
        }
    ]


async def test_nobody_is_an_empty_list_by_name_and_a_sentence_by_email(tools: Toolbox) -> None:
    assert await tools.call("slack_find_user", name="nobody") == {"people": []}
    with pytest.raises(TryAgain, match="nobody with that email address"):
        await tools.call("slack_find_user", email="nobody@example.com")
    with pytest.raises(TryAgain, match="Give a name or an email address"):
        await tools.call("slack_find_user")


async def test_a_channel_is_read_newest_first_with_names_and_counts_of_replies(
    slack: SlackApi, tools: Toolbox
) -> None:
    first = slack.said(slack.general, "Is <@U0BOB00000> &amp; co. here? <https://x.example|docs>")
    slack.said(slack.general, "yes", "U0BOB00000", thread_ts=first)
    slack.said(slack.general, "Good morning", "U0GONE0000")

    answer = await tools.call("slack_read_channel", channel=slack.general)

    newest, oldest = answer["messages"]
    assert newest["author_id"] == "U0GONE0000"
    assert newest["author"] == "U0GONE0000"  # nobody knows the name any more
    assert oldest["author"] == "Ada Lovelace"
    assert oldest["text"] == "Is @Bob Ross & co. here? [docs](https://x.example)"
    assert oldest["replies"] == 1
    assert oldest["time"] == _iso(first)


async def test_each_name_is_asked_for_once(slack: SlackApi, tools: Toolbox) -> None:
    for number in range(5):
        slack.said(slack.general, f"{number} <@U0ADA00000>")

    for _ in range(2):
        await tools.call("slack_read_channel", channel=slack.general)

    assert [each.path for each in slack.requests].count("/users.info") == 1


async def test_an_empty_channel_is_an_empty_list(slack: SlackApi, tools: Toolbox) -> None:
    assert await tools.call("slack_read_channel", channel=slack.general) == {"messages": []}


async def test_a_long_channel_goes_on_with_a_cursor(slack: SlackApi, tools: Toolbox) -> None:
    slack.page_limit = 15
    for number in range(50):
        slack.said(slack.general, str(number))

    first = await tools.call("slack_read_channel", channel=slack.general, limit=30)
    second = await tools.call(
        "slack_read_channel", channel=slack.general, limit=30, cursor=first["next_cursor"]
    )

    texts = [each["text"] for each in [*first["messages"], *second["messages"]]]
    assert texts == [str(number) for number in reversed(range(50))]
    assert "next_cursor" not in second


async def test_a_channel_is_read_between_two_times(slack: SlackApi, tools: Toolbox) -> None:
    said = [slack.said(slack.general, str(number)) for number in range(5)]

    answer = await tools.call(
        "slack_read_channel", channel=slack.general, since=_iso(said[1]), until=_iso(said[4])
    )

    assert [each["text"] for each in answer["messages"]] == ["3", "2", "1"]
    newest = await tools.call(
        "slack_read_channel", channel=slack.general, since=_iso(said[1]), limit=2
    )
    assert [each["text"] for each in newest["messages"]] == ["4", "3"]
    with pytest.raises(TryAgain, match="'yesterday' is no time"):
        await tools.call("slack_read_channel", channel=slack.general, since="yesterday")


async def test_a_thread_is_read_oldest_first(slack: SlackApi, tools: Toolbox) -> None:
    first = slack.said(slack.general, "Lunch?")
    slack.said(slack.general, "between")
    slack.said(slack.general, "Yes", thread_ts=first)

    answer = await tools.call("slack_read_thread", channel=slack.general, thread_ts=first)

    assert [each["text"] for each in answer["messages"]] == ["Lunch?", "Yes"]


async def test_long_messages_are_cut_and_say_so(slack: SlackApi, tools: Toolbox) -> None:
    slack.said(slack.general, "word " * 2_000)

    answer = await tools.call("slack_read_channel", channel=slack.general)

    assert len(answer["messages"][0]["text"]) < 4_200
    assert "cut" in answer["messages"][0]["text"]


async def test_a_bot_cannot_search_and_is_told_what_to_do_instead(tools: Toolbox) -> None:
    with pytest.raises(TryAgain, match=r"person's own token.*Read the channels instead"):
        await tools.call("slack_search_messages", query="invoice")


async def test_a_person_can_search(slack: SlackApi, tools: Toolbox) -> None:
    match = {
        "ts": "1795248001.000100",
        "user": "U0ADA00000",
        "text": "the invoice",
        "channel": {"id": "C0GENERAL0", "name": "general"},
        "permalink": "https://acme.slack.com/archives/C0GENERAL0/p1795248001000100",
    }
    found = {"matches": [match], "paging": {"page": 1, "pages": 3, "total": 41}}
    slack.tells_next(Told({"ok": True, "messages": found}), path="/search")

    answer = await tools.call("slack_search_messages", query="invoice")

    assert answer["next_page"] == 2
    assert answer["messages"][0]["channel_id"] == "C0GENERAL0"
    assert answer["messages"][0]["author"] == "Ada Lovelace"
