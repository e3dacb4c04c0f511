"""What a model is shown of Slack's objects."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from omniforge.integrations.slack.mrkdwn import mentioned, to_text
from omniforge.integrations.trimming import excerpt, part, present

Record = Mapping[str, Any]
Shape = dict[str, Any]
Names = Mapping[str, str]

LINE_CHARS = 200
MESSAGE_CHARS = 4_000
MAX_NAMES = 20


def channel(found: Record) -> Shape:
    return present(
        id=found.get("id"),
        name=found.get("name"),
        topic=excerpt((found.get("topic") or {}).get("value"), LINE_CHARS),
        purpose=excerpt((found.get("purpose") or {}).get("value"), LINE_CHARS),
        members=found.get("num_members"),
        is_private=found.get("is_private") or None,
        app_is_member=bool(found.get("is_member")),
    )


def person(found: Record) -> Shape:
    profile = found.get("profile") or {}
    return present(
        id=found.get("id"),
        name=name_of(found),
        handle=found.get("name"),
        title=excerpt(profile.get("title"), LINE_CHARS),
        email=profile.get("email"),
        timezone=found.get("tz"),
        is_bot=found.get("is_bot") or None,
        is_deactivated=found.get("deleted") or None,
    )


def name_of(person: Record) -> str:
    """The name under which people see somebody."""
    profile = person.get("profile") or {}
    shown = profile.get("display_name") or profile.get("real_name") or person.get("real_name")
    return str(shown or person.get("name") or person.get("id") or "")


def message(found: Record, names: Names) -> Shape:
    ts = found.get("ts", "")
    return present(
        ts=ts,
        time=time_of(ts),
        author=_author(found, names),
        author_id=found.get("user") or found.get("bot_id"),
        text=part(to_text(_text(found), names), 0, MESSAGE_CHARS, "open it in Slack"),
        thread_ts=found.get("thread_ts") if found.get("thread_ts") != ts else None,
        replies=found.get("reply_count"),
        reactions={each["name"]: each.get("count") for each in _some(found, "reactions")},
        files=[each.get("name") for each in _some(found, "files") if each.get("name")],
        is_edited="edited" in found or None,
    )


def hit(found: Record, names: Names) -> Shape:
    """A message that a search has found, in whichever channel."""
    where = found.get("channel") or {}
    return {
        **present(channel=where.get("name"), channel_id=where.get("id")),
        **message(found, names),
        **present(url=found.get("permalink")),
    }


def posted(answer: Record) -> Shape:
    return present(channel=answer.get("channel"), ts=answer.get("ts"))


def people_in(messages: Iterable[Record]) -> list[str]:
    """The ids of those who wrote messages or are mentioned in them, each once."""
    ids = (
        each
        for one in messages
        for each in [one.get("user"), *mentioned(_text(one))]
        if isinstance(each, str)
    )
    return list(dict.fromkeys(ids))


def time_of(ts: str) -> str | None:
    """A message's id says when it was posted, in UTC."""
    try:
        moment = datetime.fromtimestamp(float(ts), UTC)
    except (ValueError, OverflowError, OSError):
        return None
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def _author(found: Record, names: Names) -> str | None:
    user = found.get("user")
    bot = (found.get("bot_profile") or {}).get("name")
    known = names.get(user) if isinstance(user, str) else None
    return known or bot or found.get("username")


def _text(found: Record) -> str:
    """A message's text; of what other apps post the text is often in the attachments alone."""
    attached = (each.get("fallback") or each.get("text") for each in _some(found, "attachments"))
    return str(found.get("text") or "\n".join(str(each) for each in attached if each))


def _some(found: Record, name: str) -> list[Record]:
    return [each for each in found.get(name) or () if isinstance(each, Mapping)][:MAX_NAMES]
