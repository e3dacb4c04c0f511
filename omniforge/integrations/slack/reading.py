"""What skills can read in Slack."""

import asyncio
import contextlib
from collections.abc import Iterable

from omniforge.errors import Observation, TryAgain
from omniforge.integrations.http.pages import Fetch, Page, gathered
from omniforge.integrations.operations import Arguments, reading
from omniforge.integrations.slack import shapes
from omniforge.integrations.slack.arguments import (
    CHANNEL,
    CURSOR,
    LIMIT,
    THREAD,
    TIME,
    channel_of,
    moment_of,
)
from omniforge.integrations.slack.client import MAX_PAGE, MESSAGES_PAGE, Record, Slack
from omniforge.integrations.trimming import listing
from omniforge.journal.steps import Json
from omniforge.tools.parameters import parameters, text, whole

# Each name costs a call, and is worth less than the messages.
MAX_LOOKUPS = 40

_HISTORY = ("channels:history", "groups:history", "im:history")


# ---- channels and people ---------------------------------------------------------------------


@reading(
    "slack_list_channels",
    parameters(
        name=text("Only channels with this in their name, such as 'release'."),
        limit=LIMIT,
        cursor=CURSOR,
    ),
    "channels:read",
    "groups:read",
)
async def list_channels(slack: Slack, arguments: Arguments) -> Json:
    """List the channels that the connected app can see, with their ids. It can post and read only
    where it is a member."""
    wanted = arguments.get("name", "").strip().lstrip("#").casefold()

    async def fetch(cursor: str | None, size: int) -> Page:
        page = await slack.channels("public_channel,private_channel", size, cursor)
        fits = [each for each in page.items if wanted in str(each.get("name", "")).casefold()]
        return Page(fits, page.next_cursor)

    page = await _found(fetch, arguments, is_filtered=bool(wanted))
    return listing("channels", [shapes.channel(each) for each in page.items], page.next_cursor)


@reading(
    "slack_find_user",
    parameters(
        name=text("A part of the name, such as 'Ada'."),
        email=text("The exact email address."),
        limit=LIMIT,
        cursor=CURSOR,
    ),
    "users:read",
    "users:read.email",
)
async def find_user(slack: Slack, arguments: Arguments) -> Json:
    """Find people of the workspace by name or email address: their ids serve for mentions and direct
    messages."""
    if email := arguments.get("email"):
        return listing("people", [shapes.person(await slack.person_by_email(email))])
    wanted = arguments.get("name", "").strip().lstrip("@").casefold()
    if not wanted:
        raise TryAgain("Give a name or an email address.")

    async def fetch(cursor: str | None, size: int) -> Page:
        page = await slack.people(size, cursor)
        fits = [each for each in page.items if _is_called(each, wanted)]
        return Page(fits, page.next_cursor)

    page = await _found(fetch, arguments, is_filtered=True)
    return listing("people", [shapes.person(each) for each in page.items], page.next_cursor)


# ---- reading ---------------------------------------------------------------------------------


@reading(
    "slack_read_channel",
    parameters(
        required=["channel"],
        channel=CHANNEL,
        since=text(f"Only messages posted since. {TIME}"),
        until=text(f"Only messages posted before. {TIME}"),
        limit=LIMIT,
        cursor=CURSOR,
    ),
    *_HISTORY,
)
async def read_channel(slack: Slack, arguments: Arguments) -> Json:
    """Read the messages of a channel, newest first. `replies` counts the answers in a message's
    thread, which slack_read_thread reads."""
    channel, oldest = channel_of(arguments), moment_of(arguments, "since")
    latest = moment_of(arguments, "until")

    async def fetch(cursor: str | None, size: int) -> Page:
        return await slack.history(channel, size, cursor, oldest, latest)

    return await _messages(slack, await _window(fetch, arguments))


@reading(
    "slack_read_thread",
    parameters(
        required=["channel", "thread_ts"],
        channel=CHANNEL,
        thread_ts=THREAD,
        limit=LIMIT,
        cursor=CURSOR,
    ),
    *_HISTORY,
)
async def read_thread(slack: Slack, arguments: Arguments) -> Json:
    """Read a thread from its first message on, oldest first."""
    channel = channel_of(arguments)

    async def fetch(cursor: str | None, size: int) -> Page:
        return await slack.replies(channel, arguments["thread_ts"], size, cursor)

    return await _messages(slack, await _window(fetch, arguments))


@reading(
    "slack_search_messages",
    parameters(
        required=["query"],
        query=text(
            "Slack's search terms, such as 'invoice in:#billing from:@ada after:2026-11-01'."
        ),
        sort=text("By what, best first: score unless told.", enum=["score", "timestamp"]),
        limit=LIMIT,
        page=whole("Which page of the hits; 1 unless told.", 1, 100),
    ),
    "search:read",
)
async def search_messages(slack: Slack, arguments: Arguments) -> Json:
    """Search messages of the whole workspace. Slack allows it only where a person's own account is
    connected, not to an app's bot: then read the channels instead."""
    number = arguments.get("page", 1)
    sort = arguments.get("sort", "score")
    found = await slack.search(arguments["query"], arguments.get("limit", 20), number, sort)
    hits = found.get("matches") or []
    names = await _names(slack, hits)
    told = listing("messages", [shapes.hit(each, names) for each in hits])
    pages = (found.get("paging") or {}).get("pages") or 1
    return {**told, "next_page": number + 1} if number < pages else told


# ---- how -------------------------------------------------------------------------------------


async def _window(fetch: Fetch, arguments: Arguments) -> Page:
    limit = arguments.get("limit", 20)
    return await gathered(fetch, limit, arguments.get("cursor"), MESSAGES_PAGE)


async def _found(fetch: Fetch, arguments: Arguments, *, is_filtered: bool) -> Page:
    """What fits is often far apart, so whoever looks for something is given large pages."""

    async def fetch_large(cursor: str | None, size: int) -> Page:
        return await fetch(cursor, MAX_PAGE if is_filtered else size)

    limit = arguments.get("limit", 20)
    return await gathered(fetch_large, limit, arguments.get("cursor"), MAX_PAGE)


async def _messages(slack: Slack, page: Page) -> Json:
    names = await _names(slack, page.items)
    return listing(
        "messages", [shapes.message(each, names) for each in page.items], page.next_cursor
    )


async def _names(slack: Slack, messages: Iterable[Record]) -> dict[str, str]:
    """The names of the people in messages. Who cannot be looked up stays an id."""
    people = shapes.people_in(messages)
    known: dict[str, str] = slack.session.memory.setdefault("names", {})

    async def look_up(user: str) -> None:
        with contextlib.suppress(Observation):
            known[user] = shapes.name_of(await slack.person(user))

    unknown = [each for each in people if each not in known]
    await asyncio.gather(*(look_up(each) for each in unknown[:MAX_LOOKUPS]))
    return {each: known.get(each, each) for each in people}


def _is_called(person: Record, wanted: str) -> bool:
    profile = person.get("profile") or {}
    names = (person.get("name"), profile.get("real_name"), profile.get("display_name"))
    return any(wanted in str(each).casefold() for each in names if each)
