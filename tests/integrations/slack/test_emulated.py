"""Slack's tools against a Slack that others have rebuilt, with the very scopes that consent asks for."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from omniforge.errors import ConnectionBroken, ServiceRefused
from omniforge.integrations.slack.oauth import OAUTH
from tests.support.emulate import emulated
from tests.support.integrations import Tokens, Toolbox
from tests.support.json_service import Receive, Send
from tests.support.ports import free_port
from tests.support.requirements import requirement
from tests.support.servers import serving

SEED = {
    "slack": {
        "team": {"name": "Acme", "domain": "acme"},
        "strict_scopes": True,
        "users": [
            {"name": "ada", "real_name": "Ada Lovelace", "email": "ada@example.com"},
            {"name": "bob", "real_name": "Bob Ross", "email": "bob@example.com"},
        ],
        "channels": [{"name": "general", "topic": "All"}, {"name": "random", "topic": "Else"}],
        "tokens": [
            {"token": "token-1", "user": "ada", "scopes": list(OAUTH.scopes)},
            {"token": "token-2", "user": "ada", "scopes": ["channels:read"]},
        ],
    }
}


class Posting:
    """Slack takes reads as GET and as POST, emulate as POST only: this turns one into the other."""

    def __init__(self, url: str) -> None:
        self._url = url

    async def __call__(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        given = {name.decode(): value.decode() for name, value in scope["headers"]}
        kept = {name: given[name] for name in ("authorization", "content-type") if name in given}
        content = (await receive()).get("body", b"")
        if scope["method"] == "GET":
            content = scope["query_string"]
            kept["content-type"] = "application/x-www-form-urlencoded"
        async with httpx2.AsyncClient(base_url=self._url, trust_env=False) as client:
            told = await client.post(scope["path"], content=content, headers=kept)
        headers = [(b"content-type", told.headers["content-type"].encode())]
        await send({"type": "http.response.start", "status": told.status_code, "headers": headers})
        await send({"type": "http.response.body", "body": told.content})


@pytest.fixture
async def url(tmp_path: Path) -> AsyncIterator[str]:
    port = free_port()
    async with emulated("slack", SEED, tmp_path) as address, serving(Posting(address), port):
        yield f"http://127.0.0.1:{port}/api"


@pytest.fixture
async def tools(url: str, tmp_path: Path) -> AsyncIterator[Toolbox]:
    box = Toolbox("slack", url, tmp_path)
    yield box
    await box.http.aclose()


async def id_of(tools: Toolbox, name: str) -> str:
    (found,) = (await tools.call("slack_list_channels", name=name))["channels"]
    return str(found["id"])


@requirement("INT-2")
async def test_a_message_lives_a_whole_life(tools: Toolbox) -> None:
    general = await id_of(tools, "general")
    message: dict[str, Any] = {
        "channel": general,
        "text": "**Lunch** at [Joe's](https://joe.example)?",
    }

    assert await tools.find("slack_post_message", **message) is None
    posted = await tools.call("slack_post_message", **message)
    assert await tools.find("slack_post_message", **message) == posted
    reply = {"channel": general, "thread_ts": posted["ts"], "text": "Yes & soon"}
    await tools.call("slack_reply_in_thread", **reply)
    for _ in range(2):
        await tools.call("slack_add_reaction", **posted, emoji=":fork_and_knife:")
    read = (await tools.call("slack_read_channel", channel=general))["messages"][0]
    thread = await tools.call("slack_read_thread", channel=general, thread_ts=posted["ts"])
    await tools.call("slack_update_message", **posted, text="Dinner")
    changed = (await tools.call("slack_read_channel", channel=general))["messages"][0]

    assert read["text"] == "*Lunch* at [Joe's](https://joe.example)?"
    assert (read["author"], read["replies"]) == ("ada", 1)
    assert read["reactions"] == {"fork_and_knife": 1}
    assert [each["text"] for each in thread["messages"]] == [read["text"], "Yes & soon"]
    assert changed["text"] == "Dinner"


async def test_a_direct_message_is_sent_and_found(tools: Toolbox) -> None:
    (bob,) = (await tools.call("slack_find_user", email="bob@example.com"))["people"]
    message = {"user": bob["id"], "text": "Psst"}

    sent = await tools.call("slack_send_direct_message", **message)

    assert await tools.find("slack_send_direct_message", **message) == sent


async def test_long_channels_are_paged_and_refusals_told(
    tools: Toolbox, url: str, tmp_path: Path
) -> None:
    random = await id_of(tools, "random")
    for number in range(5):
        await tools.call("slack_post_message", channel=random, text=str(number))

    first = await tools.call("slack_read_channel", channel=random, limit=3)
    second = await tools.call(
        "slack_read_channel", channel=random, limit=3, cursor=first["next_cursor"]
    )

    texts = [each["text"] for page in (first, second) for each in page["messages"]]
    assert texts[:5] == ["4", "3", "2", "1", "0"]
    with pytest.raises(ServiceRefused, match="channel_not_found"):
        await tools.call("slack_read_channel", channel="C0NOWHERE0")
    with pytest.raises(ServiceRefused, match="there is nobody with that email"):
        await tools.call("slack_find_user", email="nobody@example.com")
    few = Toolbox("slack", url, tmp_path, Tokens(["token-2"]))
    with pytest.raises(ConnectionBroken, match=r"without the right.*chat:write"):
        await few.call("slack_post_message", channel=random, text="Hi")
    await few.http.aclose()
