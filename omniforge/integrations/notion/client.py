"""Notion's REST API, as far as the tools need it. https://developers.notion.com/reference/intro"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from omniforge.integrations.http.calls import Answer, Call, path
from omniforge.integrations.http.limits import Limits, seconds_to_wait
from omniforge.integrations.http.pages import Page
from omniforge.integrations.http.service import Dialect, Finding, Service, Verdict
from omniforge.integrations.http.session import Session
from omniforge.integrations.http.tokens import Token
from omniforge.integrations.oauth.connection import Account

Record = Mapping[str, Any]

# Brought pages as Markdown, and `position` and `in_trash` in the place of `after` and `archived`.
API_VERSION = "2026-03-11"
PAGE_SIZE = 100

_WORDS = {
    "object_not_found": "there is no such page or database, or it is not shared with the connected"
    " integration. Somebody who has it shares it there: open it in Notion, then the menu \u2022\u2022\u2022,"
    " Connections, and the integration's name",
    "restricted_resource": "the connected integration lacks the capability for this. Its owner switches"
    " capabilities on where Notion lists the workspace's integrations",
}


class NotionDialect(Dialect):
    def headers(self, token: Token) -> Mapping[str, str]:
        return {**super().headers(token), "notion-version": API_VERSION}

    def only_reads(self, call: Call) -> bool:
        """Searches and queries are POSTs that change nothing."""
        is_query = call.path.startswith("/data_sources/") and call.path.endswith("/query")
        return call.method == "GET" or (
            call.method == "POST" and (is_query or call.path == "/search")
        )

    def said(self, answer: Answer) -> str:
        code = answer.body.get("code") if isinstance(answer.body, Mapping) else None
        return _WORDS.get(str(code)) or super().said(answer)

    def judge(self, answer: Answer, limits: Limits) -> Verdict:
        verdict = super().judge(answer, limits)
        match answer.status:
            case 409:
                return Verdict(Finding.COLLIDED, verdict.said)
            case 529:
                wait = seconds_to_wait(answer.headers, limits)
                return Verdict(Finding.LIMITED, verdict.said, wait)
        return verdict


NOTION = Service(
    "notion", "Notion", "https://api.notion.com/v1", NotionDialect(), Limits(budgets=())
)


@dataclass(frozen=True, slots=True)
class Notion:
    """A database has data sources, mostly one; these have the properties, and the pages are theirs."""

    session: Session

    # ---- databases ---------------------------------------------------------------------------

    async def database(self, database: str) -> Record:
        return await self._send("GET", path("databases", database))

    async def source(self, source: str) -> Record:
        return await self._send("GET", path("data_sources", source))

    async def query(
        self,
        source: str,
        size: int,
        cursor: str | None,
        filter_: Record | None,
        sorts: Sequence[Record],
    ) -> Page:
        more = {"filter": filter_ or None, "sorts": list(sorts) or None}
        return await self._post_list(path("data_sources", source, "query"), size, cursor, more)

    async def search(self, query: str, kind: str | None, size: int, cursor: str | None) -> Page:
        only = {"property": "object", "value": kind} if kind else None
        newest = {"timestamp": "last_edited_time", "direction": "descending"}
        more = {"query": query or None, "filter": only, "sort": None if query else newest}
        return await self._post_list("/search", size, cursor, more)

    # ---- pages -------------------------------------------------------------------------------

    async def page(self, page: str) -> Record:
        return await self._send("GET", path("pages", page))

    async def markdown(self, page: str) -> Record:
        """The content of a page, or of a block that was left out of one."""
        return await self._send("GET", path("pages", page, "markdown"))

    async def create_page(self, parent: Record, properties: Record, markdown: str) -> Record:
        fields = {"parent": parent, "properties": properties, "markdown": markdown or None}
        return await self._send("POST", "/pages", fields)

    async def update_page(self, page: str, properties: Record) -> Record:
        return await self._send("PATCH", path("pages", page), {"properties": properties})

    async def append(self, page: str, markdown: str) -> Record:
        content = {"content": markdown, "position": {"type": "end"}}
        fields = {"type": "insert_content", "insert_content": content}
        return await self._send("PATCH", path("pages", page, "markdown"), fields)

    # ---- comments and people -----------------------------------------------------------------

    async def comments(self, page: str, size: int, cursor: str | None) -> Page:
        return await self._get_list("/comments", size, cursor, block_id=page)

    async def comment(self, where: Record, rich_text: Sequence[Record]) -> Record:
        return await self._send("POST", "/comments", {**where, "rich_text": list(rich_text)})

    async def users(self, size: int, cursor: str | None) -> Page:
        return await self._get_list("/users", size, cursor)

    # ---- who ---------------------------------------------------------------------------------

    async def account(self) -> Account:
        """Of an integration that is no OAuth app: it may not say which workspace it is in."""
        me = await self._send("GET", "/users/me")
        bot = me.get("bot") or {}
        name = bot.get("workspace_name") or me.get("name") or ""
        return Account(bot.get("workspace_id") or me["id"], name)

    # ---- how ---------------------------------------------------------------------------------

    async def _send(self, method: str, at: str, fields: Record | None = None) -> Record:
        body = fields and {name: value for name, value in fields.items() if value is not None}
        answer = await self.session.send(Call(method, at, json=body))
        told: Record = answer.body
        return told

    async def _get_list(self, at: str, size: int, cursor: str | None, **query: str) -> Page:
        asked = {**query, "page_size": min(size, PAGE_SIZE), "start_cursor": cursor}
        answer = await self.session.send(Call("GET", at, asked))
        return _page(answer.body)

    async def _post_list(self, at: str, size: int, cursor: str | None, more: Record) -> Page:
        asked = {**more, "page_size": min(size, PAGE_SIZE), "start_cursor": cursor}
        return _page(await self._send("POST", at, asked))


def _page(body: Record) -> Page:
    return Page(body["results"], body.get("next_cursor") if body.get("has_more") else None)
