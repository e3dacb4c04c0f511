"""A workspace in Slack, as its Web API shows it: channels, people, messages, threads, reactions."""

import itertools
from collections.abc import Callable, Mapping
from typing import Any

from omniforge import clock
from tests.support.json_service import Asked, JsonService, Told

Record = dict[str, Any]

BOT = "U0BOT00000"


class SlackApi(JsonService):
    """One bot's view. `general` is a channel it is in, `secret` one it is not, `old` an archived one.

    Messages are an hour old, and a second apart.
    """

    def __init__(self) -> None:
        super().__init__()
        self.people: dict[str, Record] = {}
        self.channels: dict[str, Record] = {}
        self.messages: dict[str, list[Record]] = {}
        self._numbers = itertools.count(1)
        self.page_limit = 1000
        self._began = int(clock.now().timestamp()) - 3_600
        self.person("U0ADA00000", "ada", "Ada Lovelace")
        self.person("U0BOB00000", "bob", "Bob Ross")
        self.general = self.channel("C0GENERAL0", "general")
        self.secret = self.channel("C0SECRET00", "secret", is_member=False)
        self.old = self.channel("C0ARCHIVE0", "old", is_archived=True)

    # ---- what a test puts there --------------------------------------------------------------

    def person(self, user: str, handle: str, name: str, **more: Any) -> str:
        profile = {"real_name": name, "display_name": "", "email": f"{handle}@example.com"}
        self.people[user] = {"id": user, "name": handle, "profile": profile, **more}
        return user

    def channel(self, channel: str, name: str, **more: Any) -> str:
        there = {"id": channel, "name": name, "is_member": True, "num_members": 3, **more}
        self.channels[channel] = there
        self.messages[channel] = []
        return channel

    def said(self, channel: str, text: str, user: str = "U0ADA00000", **more: Any) -> str:
        number = next(self._numbers)
        ts = f"{self._began + number}.{number:06}"
        message = {"type": "message", "ts": ts, "user": user, "text": text, **more}
        self.messages[channel].append(message)
        if (parent := self.message(channel, more.get("thread_ts", ""))) is not None:
            parent["reply_count"] = parent.get("reply_count", 0) + 1
            parent["thread_ts"] = parent["ts"]
        return ts

    def message(self, channel: str, ts: str) -> Record | None:
        return next((each for each in self.messages[channel] if each["ts"] == ts), None)

    def refuses_next(self, error: str, status: int = 200, path: str = "", **more: Any) -> None:
        headers = {"retry-after": str(more.pop("retry_after"))} if "retry_after" in more else {}
        self.tells_next(Told({"ok": False, "error": error, **more}, status, headers), path=path)

    # ---- what it answers ---------------------------------------------------------------------

    def answer(self, asked: Asked) -> Told:
        methods: Mapping[str, Callable[[Mapping[str, Any]], Record]] = {
            "/auth.test": lambda _: {"ok": True, "team": "Acme", "team_id": "T0ACME0000"},
            "/conversations.list": self._channels,
            "/conversations.history": self._history,
            "/conversations.replies": self._replies,
            "/users.list": lambda given: self._page("members", [*self.people.values()], given),
            "/users.info": self._person,
            "/users.lookupByEmail": self._person_by_email,
            "/search.messages": lambda _: _no("not_allowed_token_type"),
            "/chat.postMessage": self._post,
            "/chat.update": self._update,
            "/reactions.add": self._react,
        }
        if not asked.headers.get("authorization", "").startswith("Bearer "):
            return Told(_no("not_authed"))
        method = methods.get(asked.path)
        given = {**asked.query, **(asked.json or {})}
        return Told(method(given) if method else _no("unknown_method"))

    def _channels(self, given: Mapping[str, Any]) -> Record:
        kinds = given["types"].split(",")
        there = [
            each
            for each in self.channels.values()
            if ("im" in kinds) == bool(each.get("is_im")) and not each.get("is_archived")
        ]
        return self._page("channels", there, given)

    def _history(self, given: Mapping[str, Any]) -> Record:
        if (problem := self._closed(given["channel"], is_write=False)) is not None:
            return problem
        top = [
            each
            for each in reversed(self.messages[given["channel"]])
            if each.get("thread_ts", each["ts"]) == each["ts"] or each.get("reply_broadcast")
        ]
        there = _between(top, given)
        is_from_the_oldest_on = "oldest" in given and "latest" not in given
        return self._page("messages", there[::-1] if is_from_the_oldest_on else there, given)

    def _replies(self, given: Mapping[str, Any]) -> Record:
        if (problem := self._closed(given["channel"], is_write=False)) is not None:
            return problem
        parent = self.message(given["channel"], given["ts"])
        if parent is None:
            return _no("thread_not_found")
        thread = [
            each
            for each in self.messages[given["channel"]]
            if each.get("thread_ts") == given["ts"] and each is not parent
        ]
        return self._page("messages", [parent, *_between(thread, given)], given)

    def _person(self, given: Mapping[str, Any]) -> Record:
        found = self.people.get(given["user"])
        return {"ok": True, "user": found} if found else _no("user_not_found")

    def _person_by_email(self, given: Mapping[str, Any]) -> Record:
        for each in self.people.values():
            if each["profile"]["email"] == given["email"]:
                return {"ok": True, "user": each}
        return _no("users_not_found")

    def _post(self, given: Mapping[str, Any]) -> Record:
        channel = given["channel"]
        if channel in self.people:
            channel = self._direct(channel)
        if (problem := self._closed(channel, is_write=True)) is not None:
            return problem
        more = {name: given[name] for name in ("metadata", "thread_ts") if name in given}
        if given.get("reply_broadcast"):
            more["reply_broadcast"] = True
        if "thread_ts" in more and self.message(channel, more["thread_ts"]) is None:
            return _no("thread_not_found")
        ts = self.said(channel, given["text"], BOT, **more)
        return {"ok": True, "channel": channel, "ts": ts, "message": self.message(channel, ts)}

    def _direct(self, user: str) -> str:
        channel = f"D{user[1:]}"
        if channel not in self.channels:
            self.channel(channel, "", is_im=True, user=user)
        return channel

    def _update(self, given: Mapping[str, Any]) -> Record:
        message = self.message(given["channel"], given["ts"])
        if message is None:
            return _no("message_not_found")
        if message["user"] != BOT:
            return _no("cant_update_message")
        message |= {"text": given["text"], "edited": {"user": BOT}}
        return {"ok": True, "channel": given["channel"], "ts": given["ts"], "text": given["text"]}

    def _react(self, given: Mapping[str, Any]) -> Record:
        message = self.message(given["channel"], given["timestamp"])
        if message is None:
            return _no("message_not_found")
        reactions = message.setdefault("reactions", [])
        if any(each["name"] == given["name"] and BOT in each["users"] for each in reactions):
            return _no("already_reacted")
        reactions.append({"name": given["name"], "users": [BOT], "count": 1})
        return {"ok": True}

    def _closed(self, channel: str, *, is_write: bool) -> Record | None:
        there = self.channels.get(channel)
        if there is None:
            return _no("channel_not_found")
        if is_write and there.get("is_archived"):
            return _no("is_archived")
        return None if there.get("is_member") else _no("not_in_channel")

    def _page(self, name: str, items: list[Record], given: Mapping[str, Any]) -> Record:
        begin = int(given.get("cursor") or 0)
        end = begin + min(int(given["limit"]), self.page_limit)
        following = str(end) if end < len(items) else ""
        told = [_without_payload(each, given) for each in items[begin:end]]
        return {"ok": True, name: told, "response_metadata": {"next_cursor": following}}


def _between(messages: list[Record], given: Mapping[str, Any]) -> list[Record]:
    oldest, latest = float(given.get("oldest", 0)), float(given.get("latest", "inf"))
    return [each for each in messages if oldest < float(each["ts"]) < latest]


def _without_payload(item: Record, given: Mapping[str, Any]) -> Record:
    """Metadata is told to those who ask for it."""
    if given.get("include_all_metadata") == "true":
        return item
    return {name: value for name, value in item.items() if name != "metadata"}


def _no(error: str) -> Record:
    return {"ok": False, "error": error}
