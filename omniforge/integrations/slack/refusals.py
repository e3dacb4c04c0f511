"""What Slack's words for a refusal mean. https://docs.slack.dev/reference/methods lists them by method."""

from collections.abc import Mapping
from typing import Any

from omniforge.integrations.http.service import FINE, Finding, Verdict
from omniforge.tools.wording import shortened

_TOKEN = frozenset(
    {"account_inactive", "invalid_auth", "not_authed", "token_expired", "token_revoked"}
)
_FAILED = frozenset({"fatal_error", "internal_error", "service_unavailable"})
_LIMITED = frozenset({"rate_limited", "ratelimited"})
# What was asked for is so already.
_DONE = frozenset({"already_reacted"})

_WORDS = {
    "cannot_dm_bot": "bots take no direct messages",
    "cant_update_message": "only messages that the connected app has posted can be changed",
    "channel_not_found": "there is no such channel, or the connected app cannot see it. A private"
    " channel shows once somebody in it has invited the app",
    "edit_window_closed": "the message is too old to be changed in this workspace",
    "invalid_cursor": "that is no cursor; pass one as an answer gave it, or none",
    "invalid_name": "there is no emoji of that name",
    "is_archived": "the channel is archived and takes nothing new; choose another one",
    "message_not_found": "the channel has no message with that ts",
    "messages_tab_disabled": "the connected app takes no direct messages: its Messages tab is off",
    "msg_too_long": "the message is too long; shorten it, or split it into several",
    "no_text": "the message has no text",
    "not_allowed_token_type": "it takes a person's own token for this, and the connection has a bot's."
    " Read the channels instead",
    "not_in_channel": "the connected app is not in this channel. Somebody in it has to invite it:"
    " /invite and the app's name",
    "restricted_action": "the workspace's admins have restricted who may do this here",
    "thread_not_found": "the channel has no thread with that ts",
    "too_many_emoji": "the message has as many reactions as it can have",
    "too_many_reactions": "the message has as many reactions as it can have",
    "user_disabled": "that person's account is deactivated",
    "user_not_found": "there is no such person; slack_find_user tells people's ids",
    "users_not_found": "there is nobody with that email address in the workspace",
}


def verdict(body: Any, wait: float | None) -> Verdict:
    """What an answer with status 200 means; `wait` is how long its headers ask to be left alone."""
    if not isinstance(body, Mapping) or not isinstance(body.get("ok"), bool):
        return Verdict(Finding.FAILED, "it answered in a form that is not its own")
    code = str(body.get("error") or "it did not say why")
    if body["ok"] or code in _DONE:
        return FINE
    said = shortened(f"{_WORDS[code]} ({code})" if code in _WORDS else code, 300)
    if code == "missing_scope":
        needed = tuple(each.strip() for each in str(body.get("needed", "")).split(",") if each)
        return Verdict(Finding.NOT_ENTITLED, said, missing=needed)
    if code in _LIMITED:
        return Verdict(Finding.LIMITED, said, wait)
    if code in _FAILED:
        return Verdict(Finding.FAILED, said)
    return Verdict(Finding.UNKNOWN_TOKEN if code in _TOKEN else Finding.REFUSED, said)
