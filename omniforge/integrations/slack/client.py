"""Slack's Web API, as far as the tools need it. https://docs.slack.dev/apis/web-api"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from omniforge import clock
from omniforge.integrations.http.calls import Answer, Call
from omniforge.integrations.http.limits import Limits, seconds_to_wait
from omniforge.integrations.http.pages import Page
from omniforge.integrations.http.service import Dialect, Service, Verdict
from omniforge.integrations.http.session import Session
from omniforge.integrations.oauth.connection import Account
from omniforge.integrations.slack import refusals

Record = Mapping[str, Any]
Query = Mapping[str, str | int | None]

MAX_PAGE = 999
# What Slack recommends for messages; apps outside its marketplace get 15 at once, whatever they ask for.
MESSAGES_PAGE = 200

# By so much our clock may be behind Slack's.
_AHEAD = timedelta(hours=1)
_EFFECT = "omniforge_effect"


class SlackDialect(Dialect):
    """Almost all answers have status 200, and say `ok: false` where they mean something else."""

    def lane(self, call: Call) -> str:
        """Each method has a limit of its own."""
        return call.path

    def judge(self, answer: Answer, limits: Limits) -> Verdict:
        if answer.is_error:
            return super().judge(answer, limits)
        return refusals.verdict(answer.body, seconds_to_wait(answer.headers, limits))


SLACK = Service("slack", "Slack", "https://slack.com/api", SlackDialect(), Limits(budgets=()))


@dataclass(frozen=True, slots=True)
class Slack:
    """Channels, people and messages are known by ids; a message's is its `ts`, within its channel."""

    session: Session

    # ---- channels and people -----------------------------------------------------------------

    async def channels(self, kinds: str, size: int, cursor: str | None = None) -> Page:
        query: Query = {"types": kinds, "exclude_archived": "true", "limit": size}
        return await self._list("conversations.list", "channels", cursor, query)

    async def people(self, size: int, cursor: str | None = None) -> Page:
        return await self._list("users.list", "members", cursor, {"limit": size})

    async def person(self, user: str) -> Record:
        return await self._get("users.info", "user", user=user)

    async def person_by_email(self, email: str) -> Record:
        return await self._get("users.lookupByEmail", "user", email=email)

    # ---- reading -----------------------------------------------------------------------------

    async def history(
        self,
        channel: str,
        size: int,
        cursor: str | None = None,
        oldest: str | None = None,
        latest: str | None = None,
    ) -> Page:
        """The messages of a channel, newest first."""
        if oldest and not latest:
            # With `oldest` alone Slack begins there, and not with the newest messages.
            latest = f"{(clock.now() + _AHEAD).timestamp():.6f}"
        query: Query = {"channel": channel, "limit": size, "oldest": oldest, "latest": latest}
        return await self._messages("conversations.history", cursor, query)

    async def replies(
        self, channel: str, ts: str, size: int, cursor: str | None = None, oldest: str | None = None
    ) -> Page:
        """A thread, oldest first: the message it began with, and what was answered."""
        query: Query = {"channel": channel, "ts": ts, "limit": size, "oldest": oldest}
        return await self._messages("conversations.replies", cursor, query)

    async def search(self, query: str, size: int, number: int, sort: str) -> Record:
        return await self._get(
            "search.messages", "messages", query=query, count=size, page=number, sort=sort
        )

    # ---- writing -----------------------------------------------------------------------------

    async def post(self, channel: str, text: str, effect_id: str, **more: Any) -> Record:
        """`channel` may be a person's id, which means the app's direct messages with that person."""
        mark = {"event_type": _EFFECT, "event_payload": {"id": effect_id}}
        fields = {"channel": channel, "text": text, "metadata": mark, **more}
        return await self._send("chat.postMessage", fields)

    async def update(self, channel: str, ts: str, text: str) -> Record:
        return await self._send("chat.update", {"channel": channel, "ts": ts, "text": text})

    async def react(self, channel: str, ts: str, emoji: str) -> None:
        await self._send("reactions.add", {"channel": channel, "timestamp": ts, "name": emoji})

    # ---- who ---------------------------------------------------------------------------------

    async def account(self) -> Account:
        """A bot's account is its workspace, as in the answer to a consent."""
        answer = await self.session.send(Call("GET", "/auth.test"))
        return Account(answer.body["team_id"], answer.body["team"])

    # ---- how ---------------------------------------------------------------------------------

    async def _get(self, method: str, under: str, **query: str | int | None) -> Record:
        answer = await self.session.send(Call("GET", f"/{method}", query))
        found: Record = answer.body[under]
        return found

    async def _send(self, method: str, fields: Record) -> Record:
        answer = await self.session.send(Call("POST", f"/{method}", json=dict(fields)))
        made: Record = answer.body
        return made

    async def _messages(self, method: str, cursor: str | None, query: Query) -> Page:
        asked: Query = {**query, "include_all_metadata": "true"}
        return await self._list(method, "messages", cursor, asked)

    async def _list(self, method: str, under: str, cursor: str | None, query: Query) -> Page:
        answer = await self.session.send(Call("GET", f"/{method}", {**query, "cursor": cursor}))
        following = (answer.body.get("response_metadata") or {}).get("next_cursor")
        return Page(answer.body[under], following or None)


def has_effect(message: Record, effect_id: str) -> bool:
    """Whether a message is what the effect with this id has posted."""
    metadata = message.get("metadata") or {}
    payload = metadata.get("event_payload") or {}
    return metadata.get("event_type") == _EFFECT and payload.get("id") == effect_id
