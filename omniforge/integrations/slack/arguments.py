"""How the arguments of Slack's tools are described and read."""

import re
from datetime import UTC, datetime

from omniforge.errors import TryAgain
from omniforge.integrations.operations import Arguments
from omniforge.integrations.slack.mrkdwn import from_markdown
from omniforge.tools.parameters import text, whole
from omniforge.tools.wording import shortened

# Slack cuts longer texts without a word.
MAX_TEXT = 40_000

_TS = r"^\d{9,11}\.\d{6}$"
_CHANNEL_ID = re.compile(r"^[CDG][A-Z0-9]{5,}$")
_USER_ID = re.compile(r"^[UW][A-Z0-9]{5,}$")
TIME = "An ISO 8601 time such as 2026-11-21T00:00:00Z."

CHANNEL = text("The channel's id, such as C0123456789; slack_list_channels tells it.")
USER = text("The person's id, such as U0123456789; slack_find_user tells it.")
MESSAGE = text("The message's ts, such as 1763712000.000100.", pattern=_TS)
THREAD = text("The ts of the message that the thread began with.", pattern=_TS)
TEXT = text(
    "The text, in Markdown. Mention people as <@U0123456789> and channels as <#C0123456789>.",
    minLength=1,
    maxLength=MAX_TEXT,
)
LIMIT = whole("How many at most; 20 unless told.", 1, 100)
CURSOR = text("next_cursor of the answer before, to go on from there.")


def channel_of(arguments: Arguments) -> str:
    given = str(arguments["channel"]).strip()
    if _CHANNEL_ID.match(given):
        return given
    raise TryAgain(
        f"{shortened(given)!r} is not a channel's id, which is like C0123456789. slack_list_channels with"
        " its name tells the id."
    )


def user_of(arguments: Arguments) -> str:
    given = str(arguments["user"]).strip()
    if _USER_ID.match(given):
        return given
    raise TryAgain(
        f"{shortened(given)!r} is not a person's id, which is like U0123456789. slack_find_user with a"
        " name or an email address tells the id."
    )


def text_of(arguments: Arguments) -> str:
    made = from_markdown(arguments["text"])
    if len(made) > MAX_TEXT:
        raise TryAgain(
            f"In Slack's form the text has {len(made):,} characters, and {MAX_TEXT:,} are the most that it"
            " takes. Split it into several messages."
        )
    return made


def moment_of(arguments: Arguments, name: str) -> str | None:
    given = arguments.get(name)
    if given is None:
        return None
    try:
        moment = datetime.fromisoformat(given)
    except ValueError:
        raise TryAgain(f"{name}: {shortened(given)!r} is no time. {TIME}") from None
    return ts_of(moment if moment.tzinfo else moment.replace(tzinfo=UTC))


def ts_of(moment: datetime) -> str:
    return f"{moment.timestamp():.6f}"
