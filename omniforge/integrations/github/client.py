"""GitHub's REST API, as far as the tools need it. https://docs.github.com/en/rest"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from omniforge.errors import TryAgain
from omniforge.integrations.http.calls import Answer, Call, path
from omniforge.integrations.http.limits import Limits, seconds_to_wait
from omniforge.integrations.http.pages import Page, next_in_link
from omniforge.integrations.http.service import Dialect, Finding, Service, Verdict
from omniforge.integrations.http.session import Session
from omniforge.integrations.http.tokens import Token
from omniforge.integrations.oauth.connection import Account
from omniforge.tools.wording import listed, shortened

Record = Mapping[str, Any]

API_VERSION = "2022-11-28"
PAGE_SIZE = 100


class GitHubDialect(Dialect):
    def headers(self, token: Token) -> Mapping[str, str]:
        return {
            "authorization": f"Bearer {token.secret}",
            "accept": "application/vnd.github+json",
            "x-github-api-version": API_VERSION,
        }

    def lane(self, call: Call) -> str:
        """Searches have limits of their own, and those of code a lower one."""
        if call.path.startswith("/search/"):
            return call.path.split("/")[2]
        return "core"

    def said(self, answer: Answer) -> str:
        message = super().said(answer)
        errors = answer.body.get("errors") if isinstance(answer.body, Mapping) else None
        details = [_detail(error) for error in errors] if isinstance(errors, list) else []
        return f"{message}: {listed(details, 5)}" if details else message

    def judge(self, answer: Answer, limits: Limits) -> Verdict:
        verdict = super().judge(answer, limits)
        if answer.status == 403:
            return self._forbidden(answer, verdict.said, limits)
        if answer.status == 404:
            said = "there is no such thing, or the connected account cannot see it (status 404)"
            return Verdict(Finding.REFUSED, said)
        return verdict

    def _forbidden(self, answer: Answer, said: str, limits: Limits) -> Verdict:
        """403 stands for limits, for rights the token lacks, and for what the account itself may not do."""
        wait = seconds_to_wait(answer.headers, limits)
        if wait is not None or "rate limit" in said.casefold():
            return Verdict(Finding.LIMITED, said, wait)
        if missing := _missing_scopes(answer):
            return Verdict(Finding.NOT_ENTITLED, said, missing=missing)
        if answer.headers.get("x-github-sso", "").startswith("required"):
            return Verdict(
                Finding.NOT_ENTITLED, f"{said}; the organisation asks for its own sign-on"
            )
        return Verdict(Finding.REFUSED, f"the connected account may not do that; {said}")


GITHUB = Service("github", "GitHub", "https://api.github.com", GitHubDialect())


@dataclass(frozen=True, slots=True)
class GitHub:
    """`repo` is always `owner/name`. Lists answer with one page; a cursor holds its size, too."""

    session: Session

    # ---- issues ------------------------------------------------------------------------------

    async def search_issues(self, query: str, size: int, cursor: str | None) -> Page:
        return await self._list("/search/issues", size, cursor, "items", q=query)

    async def issues(
        self, repo: str, size: int, cursor: str | None = None, **filters: str | None
    ) -> Page:
        return await self._list(_in(repo, "issues"), size, cursor, **filters)

    async def issue(self, repo: str, number: int) -> Record:
        return await self._get(_in(repo, "issues", number))

    async def create_issue(self, repo: str, fields: Record) -> Record:
        return await self._send("POST", _in(repo, "issues"), fields)

    async def update_issue(self, repo: str, number: int, fields: Record) -> Record:
        return await self._send("PATCH", _in(repo, "issues", number), fields)

    async def comments(
        self,
        repo: str,
        number: int,
        size: int,
        cursor: str | None = None,
        since: str | None = None,
    ) -> Page:
        """The comments of an issue or pull request, oldest first; there is no other order."""
        at = _in(repo, "issues", number, "comments")
        return await self._list(at, size, cursor, since=since)

    async def comment(self, repo: str, number: int, body: str) -> Record:
        return await self._send("POST", _in(repo, "issues", number, "comments"), {"body": body})

    # ---- code --------------------------------------------------------------------------------

    async def pull_requests(
        self, repo: str, size: int, cursor: str | None = None, **filters: str | None
    ) -> Page:
        return await self._list(_in(repo, "pulls"), size, cursor, **filters)

    async def pull_request(self, repo: str, number: int) -> Record:
        return await self._get(_in(repo, "pulls", number))

    async def changed_files(self, repo: str, number: int, size: int, cursor: str | None) -> Page:
        return await self._list(_in(repo, "pulls", number, "files"), size, cursor)

    async def commits(
        self, repo: str, size: int, cursor: str | None = None, **filters: str | None
    ) -> Page:
        return await self._list(_in(repo, "commits"), size, cursor, **filters)

    async def contents(self, repo: str, file: str, ref: str | None) -> Record | list[Record]:
        """A file, or the entries of a folder."""
        at = _in(repo, "contents", *(name for name in file.split("/") if name))
        answer = await self.session.send(Call("GET", at, {"ref": ref}))
        found: Record | list[Record] = answer.body
        return found

    async def search_code(self, query: str, size: int, cursor: str | None) -> Page:
        return await self._list("/search/code", size, cursor, "items", q=query)

    async def workflow_runs(
        self, repo: str, size: int, cursor: str | None = None, **filters: str | None
    ) -> Page:
        at = _in(repo, "actions", "runs")
        return await self._list(at, size, cursor, "workflow_runs", **filters)

    # ---- who ---------------------------------------------------------------------------------

    async def account(self) -> Account:
        person = await self._get("/user")
        return Account(str(person["id"]), person["login"])

    # ---- how ---------------------------------------------------------------------------------

    async def _get(self, at: str) -> Record:
        answer = await self.session.send(Call("GET", at))
        found: Record = answer.body
        return found

    async def _send(self, method: str, at: str, fields: Record) -> Record:
        answer = await self.session.send(Call(method, at, json=dict(fields)))
        made: Record = answer.body
        return made

    async def _list(
        self,
        at: str,
        size: int,
        cursor: str | None,
        under: str | None = None,
        **query: str | None,
    ) -> Page:
        number, size = _place(cursor) if cursor else (1, min(size, PAGE_SIZE))
        asked = {**query, "per_page": size, "page": number}
        answer = await self.session.send(Call("GET", at, asked))
        following = next_in_link(answer.headers, "page")
        items = answer.body[under] if under else answer.body
        return Page(items, f"{following}/{size}" if following else None)


def _place(cursor: str) -> tuple[int, int]:
    """The number of a page and its size: one means nothing without the other."""
    number, _, size = cursor.partition("/")
    if not (number.isdigit() and size.isdigit() and 0 < int(size) <= PAGE_SIZE):
        raise TryAgain(f"{shortened(cursor)!r} is no cursor. Pass one as an answer gave it.")
    return int(number), int(size)


def _in(repo: str, *segments: str | int) -> str:
    return path("repos", *repo.split("/", 1), *segments)


def _detail(error: Any) -> str:
    if not isinstance(error, Mapping):
        return str(error)
    said = error.get("message") or error.get("code") or "wrong"
    return f"{error['field']}: {said}" if error.get("field") else str(said)


def _missing_scopes(answer: Answer) -> tuple[str, ...]:
    """The scopes of which the token would need one, and has none."""
    if "x-oauth-scopes" not in answer.headers:
        return ()
    has = _scopes(answer.headers["x-oauth-scopes"])
    accepted = _scopes(answer.headers.get("x-accepted-oauth-scopes", ""))
    return () if has & accepted else tuple(sorted(accepted))


def _scopes(header: str) -> set[str]:
    return {name.strip() for name in header.split(",") if name.strip()}
