"""What skills can write in Slack."""

from datetime import timedelta

from omniforge import clock
from omniforge.errors import OutcomeUnknown
from omniforge.integrations.http.pages import MAX_PAGES, Fetch, Page, gathered
from omniforge.integrations.operations import Arguments, writing
from omniforge.integrations.slack import shapes
from omniforge.integrations.slack.arguments import (
    CHANNEL,
    MESSAGE,
    TEXT,
    THREAD,
    USER,
    channel_of,
    text_of,
    ts_of,
    user_of,
)
from omniforge.integrations.slack.client import MAX_PAGE, MESSAGES_PAGE, Slack, has_effect
from omniforge.journal.steps import Json
from omniforge.tools.parameters import parameters, text

# Slack says nothing on when a message shows in its channel's history; it does so within a second or two.
VISIBLE_AFTER = timedelta(seconds=15)
# An answer that was lost longer ago than this is not looked for any more.
LOOKBACK = timedelta(days=30)

# Setting a text twice comes to the same, but much later somebody may have set another one meanwhile.
TEXT_REPEATABLE_FOR = timedelta(minutes=10)
# A reaction is there or not, however often it was added.
REACTION_REPEATABLE_FOR = timedelta(days=1)


async def _find_posted(slack: Slack, arguments: Arguments, effect_id: str) -> Json | None:
    return await _find_in_channel(slack, channel_of(arguments), effect_id)


@writing(
    "slack_post_message",
    parameters(required=["channel", "text"], channel=CHANNEL, text=TEXT),
    "chat:write",
    find=_find_posted,
    visible_after=VISIBLE_AFTER,
)
async def post_message(slack: Slack, arguments: Arguments, effect_id: str) -> Json:
    """Post a new message in a channel. Answers with its ts, by which threads and changes refer to it."""
    made = await slack.post(channel_of(arguments), text_of(arguments), effect_id)
    return shapes.posted(made)


async def _find_reply(slack: Slack, arguments: Arguments, effect_id: str) -> Json | None:
    channel, oldest = channel_of(arguments), ts_of(clock.now() - LOOKBACK)

    async def fetch(cursor: str | None, size: int) -> Page:
        return await slack.replies(channel, arguments["thread_ts"], size, cursor, oldest)

    return await _effect_in(fetch, channel, effect_id)


@writing(
    "slack_reply_in_thread",
    parameters(
        required=["channel", "thread_ts", "text"],
        channel=CHANNEL,
        thread_ts=THREAD,
        text=TEXT,
        also_in_channel={"type": "boolean", "description": "Show the reply in the channel, too."},
    ),
    "chat:write",
    find=_find_reply,
    visible_after=VISIBLE_AFTER,
)
async def reply_in_thread(slack: Slack, arguments: Arguments, effect_id: str) -> Json:
    """Answer a message in its thread."""
    more = {"thread_ts": arguments["thread_ts"]}
    if arguments.get("also_in_channel"):
        more["reply_broadcast"] = True
    made = await slack.post(channel_of(arguments), text_of(arguments), effect_id, **more)
    return shapes.posted(made)


async def _find_direct(slack: Slack, arguments: Arguments, effect_id: str) -> Json | None:
    user = user_of(arguments)

    async def fetch(cursor: str | None, size: int) -> Page:
        page = await slack.channels("im", MAX_PAGE, cursor)
        return Page([each for each in page.items if each.get("user") == user], page.next_cursor)

    page = await gathered(fetch, 1, None, MAX_PAGE)
    if page.items:
        return await _find_in_channel(slack, page.items[0]["id"], effect_id)
    if page.next_cursor:
        raise OutcomeUnknown("There are too many direct messages to look for this one.")
    return None


@writing(
    "slack_send_direct_message",
    parameters(
        required=["user", "text"],
        user=USER,
        text=TEXT,
    ),
    "chat:write",
    "im:read",
    find=_find_direct,
    visible_after=VISIBLE_AFTER,
)
async def send_direct_message(slack: Slack, arguments: Arguments, effect_id: str) -> Json:
    """Write to one person directly, as the connected app. Nobody else sees it."""
    return shapes.posted(await slack.post(user_of(arguments), text_of(arguments), effect_id))


@writing(
    "slack_update_message",
    parameters(required=["channel", "ts", "text"], channel=CHANNEL, ts=MESSAGE, text=TEXT),
    "chat:write",
    repeatable_for=TEXT_REPEATABLE_FOR,
)
async def update_message(slack: Slack, arguments: Arguments, _: str) -> Json:
    """Replace the text of a message that the connected app has posted."""
    made = await slack.update(channel_of(arguments), arguments["ts"], text_of(arguments))
    return shapes.posted(made)


@writing(
    "slack_add_reaction",
    parameters(
        required=["channel", "ts", "emoji"],
        channel=CHANNEL,
        ts=MESSAGE,
        emoji=text("The emoji's name, such as white_check_mark.", minLength=1, maxLength=100),
    ),
    "reactions:write",
    repeatable_for=REACTION_REPEATABLE_FOR,
)
async def add_reaction(slack: Slack, arguments: Arguments, _: str) -> Json:
    """React to a message with an emoji."""
    emoji = arguments["emoji"].strip(": ")
    await slack.react(channel_of(arguments), arguments["ts"], emoji)
    return {"channel": arguments["channel"], "ts": arguments["ts"], "reaction": emoji}


# ---- how -------------------------------------------------------------------------------------


async def _find_in_channel(slack: Slack, channel: str, effect_id: str) -> Json | None:
    oldest = ts_of(clock.now() - LOOKBACK)

    async def fetch(cursor: str | None, size: int) -> Page:
        return await slack.history(channel, size, cursor, oldest)

    return await _effect_in(fetch, channel, effect_id)


async def _effect_in(fetch: Fetch, channel: str, effect_id: str) -> Json | None:
    """The message that carries this id; None only if all that may carry it was looked at."""
    cursor: str | None = None
    for _ in range(MAX_PAGES):
        page = await fetch(cursor, MESSAGES_PAGE)
        for message in page.items:
            if has_effect(message, effect_id):
                return shapes.posted({"channel": channel, "ts": message["ts"]})
        if (cursor := page.next_cursor) is None:
            return None
    raise OutcomeUnknown("There are too many messages to look for this one.")
