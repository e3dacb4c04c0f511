"""What is posted and changed, found again after a lost answer, and held in a dry run."""

import pytest

from omniforge.errors import (
    OutcomeUnknown,
    TryAgain,
)
from omniforge.journal.steps import EffectClass
from tests.support.integrations import EFFECT, Toolbox
from tests.support.requirements import requirement
from tests.support.slack_api import SlackApi


@requirement("INT-2")
async def test_a_message_is_posted_in_slacks_own_form(slack: SlackApi, tools: Toolbox) -> None:
    text = "# Report\n\n**3** of [12](https://x.example) <b> are late, <@U0ADA00000> <!channel>"

    answer = await tools.call("slack_post_message", channel=slack.general, text=text)

    message = slack.message(slack.general, answer["ts"])
    assert message is not None
    assert message["text"] == (
        "*Report*\n\n*3* of <https://x.example|12> &lt;b&gt; are late, <@U0ADA00000> &lt;!channel&gt;"
    )


async def test_a_reply_lands_in_its_thread_and_may_show_in_the_channel(
    slack: SlackApi, tools: Toolbox
) -> None:
    first = slack.said(slack.general, "Lunch?")

    answer = await tools.call(
        "slack_reply_in_thread",
        channel=slack.general,
        thread_ts=first,
        text="Yes",
        also_in_channel=True,
    )

    reply = slack.message(slack.general, answer["ts"])
    assert reply is not None
    assert (reply["thread_ts"], reply["reply_broadcast"]) == (first, True)


async def test_a_direct_message_goes_to_one_person(slack: SlackApi, tools: Toolbox) -> None:
    answer = await tools.call("slack_send_direct_message", user="U0ADA00000", text="Psst")

    assert answer["channel"] == "D0ADA00000"
    assert slack.messages["D0ADA00000"][0]["text"] == "Psst"


async def test_only_the_apps_own_messages_are_changed(slack: SlackApi, tools: Toolbox) -> None:
    mine = (await tools.call("slack_post_message", channel=slack.general, text="one"))["ts"]
    hers = slack.said(slack.general, "hers")

    await tools.call("slack_update_message", channel=slack.general, ts=mine, text="**two**")

    changed = slack.message(slack.general, mine)
    assert changed is not None
    assert changed["text"] == "*two*"
    with pytest.raises(TryAgain, match="that the connected app has posted"):
        await tools.call("slack_update_message", channel=slack.general, ts=hers, text="mine")


async def test_a_reaction_may_be_added_twice(slack: SlackApi, tools: Toolbox) -> None:
    ts = slack.said(slack.general, "Done!")

    for _ in range(2):
        await tools.call("slack_add_reaction", channel=slack.general, ts=ts, emoji=":tada:")

    message = slack.message(slack.general, ts)
    assert message is not None
    assert [each["name"] for each in message["reactions"]] == ["tada"]


async def test_names_where_ids_belong_are_answered_with_the_way_to_the_id(tools: Toolbox) -> None:
    with pytest.raises(TryAgain, match=r"'#general' is not a channel's id.*slack_list_channels"):
        await tools.call("slack_post_message", channel="#general", text="Hi")
    with pytest.raises(TryAgain, match=r"'@ada' is not a person's id.*slack_find_user"):
        await tools.call("slack_send_direct_message", user="@ada", text="Hi")


async def test_a_text_that_slack_would_cut_is_not_sent(slack: SlackApi, tools: Toolbox) -> None:
    with pytest.raises(TryAgain, match=r"Split it into several messages"):
        await tools.call("slack_post_message", channel=slack.general, text="<" * 20_000)
    assert slack.writes == []


@requirement("INT-2")
async def test_a_post_whose_answer_was_lost_is_found_again(slack: SlackApi, tools: Toolbox) -> None:
    slack.cuts_next()
    message = {"channel": slack.general, "text": "Once"}
    with pytest.raises(OutcomeUnknown):
        await tools.call("slack_post_message", **message)
    slack.said(slack.general, "Once")

    found = await tools.find("slack_post_message", **message)

    posted = slack.messages[slack.general][0]
    assert found == {"channel": slack.general, "ts": posted["ts"]}
    assert posted["metadata"]["event_payload"] == {"id": EFFECT}
    assert tools.specs["slack_post_message"].effect is EffectClass.FINDABLE


async def test_a_reply_and_a_direct_message_are_found_again(
    slack: SlackApi, tools: Toolbox
) -> None:
    first = slack.said(slack.general, "Lunch?")
    reply = {"channel": slack.general, "thread_ts": first, "text": "Yes"}
    direct = {"user": "U0ADA00000", "text": "Psst"}
    for name, arguments in [("reply_in_thread", reply), ("send_direct_message", direct)]:
        assert await tools.find(f"slack_{name}", **arguments) is None
        slack.cuts_next()
        with pytest.raises(OutcomeUnknown):
            await tools.call(f"slack_{name}", **arguments)
        assert await tools.find(f"slack_{name}", **arguments) is not None


async def test_a_post_that_never_arrived_is_known_not_to_be_there(
    slack: SlackApi, tools: Toolbox
) -> None:
    slack.page_limit = 15
    for number in range(100):
        slack.said(slack.general, str(number))

    assert await tools.find("slack_post_message", channel=slack.general, text="Once") is None


async def test_where_too_much_was_said_since_nobody_claims_to_know(
    slack: SlackApi, tools: Toolbox
) -> None:
    slack.page_limit = 5
    for number in range(100):
        slack.said(slack.general, str(number))

    with pytest.raises(OutcomeUnknown, match="too many messages"):
        await tools.find("slack_post_message", channel=slack.general, text="Once")


@requirement("DRY-1")
@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("post_message", {"channel": "C0GENERAL0", "text": "**Hi**"}),
        (
            "reply_in_thread",
            {"channel": "C0GENERAL0", "thread_ts": "1795248001.000001", "text": "Hi"},
        ),
        ("send_direct_message", {"user": "U0ADA00000", "text": "Hi"}),
        ("update_message", {"channel": "C0GENERAL0", "ts": "1795248001.000001", "text": "Hi"}),
        ("add_reaction", {"channel": "C0GENERAL0", "ts": "1795248001.000001", "emoji": "tada"}),
    ],
)
async def test_a_dry_run_sends_nothing_and_shows_the_request(
    slack: SlackApi, tools: Toolbox, name: str, arguments: dict[str, str]
) -> None:
    held = await tools.rehearse(f"slack_{name}", **arguments)

    assert slack.requests == []
    assert held["held"] is True
    assert held["request"]["method"] == "POST"
    assert held["request"]["body"].get("text", "tada") in {"*Hi*", "Hi", "tada"}
    assert "token-1" not in str(held)
