"""Linear's GraphQL API, as far as the tools need it. https://linear.app/developers/graphql"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from omniforge.integrations.http.graphql import Error, GraphQLDialect, ask
from omniforge.integrations.http.limits import Budget, Limits
from omniforge.integrations.http.pages import Page, gathered, page_of
from omniforge.integrations.http.service import Finding, Service
from omniforge.integrations.http.session import Session
from omniforge.integrations.linear import documents
from omniforge.integrations.oauth.connection import Account

Record = Mapping[str, Any]

# Linear's own limit is 250; smaller pages count less against the limit of complexity.
PAGE_SIZE = 100
MAX_TEAMS = 300

_SCOPE = re.compile(r"`([a-z]+(?::[a-z]+)?)`")

# https://linear.app/developers/rate-limiting: the reset is in milliseconds.
LIMITS = Limits(
    budgets=(
        Budget("x-ratelimit-requests-remaining", "x-ratelimit-requests-reset", True),
        Budget("x-ratelimit-complexity-remaining", "x-ratelimit-complexity-reset", True),
    )
)

# The types of Linear's errors, as its SDK lists them. Of those not named here nothing was done.
_FINDINGS = {
    "ratelimited": Finding.LIMITED,
    "authentication error": Finding.UNKNOWN_TOKEN,
    "network error": Finding.FAILED,
    "internal error": Finding.FAILED,
    "lock timeout": Finding.FAILED,
    "unknown": Finding.FAILED,
    "other": Finding.FAILED,
}


class LinearDialect(GraphQLDialect):
    def finding(self, error: Error, status: int) -> Finding:
        details = _extensions(error)
        if details.get("code") == "RATELIMITED":
            return Finding.LIMITED
        if self.missing(error):
            return Finding.NOT_ENTITLED
        return _FINDINGS.get(str(details.get("type", "")), super().finding(error, status))

    def missing(self, error: Error) -> tuple[str, ...]:
        message = str(error.get("message", ""))
        return tuple(_SCOPE.findall(message)) if "scope" in message.casefold() else ()

    def words(self, error: Error) -> str:
        return str(_extensions(error).get("userPresentableMessage") or super().words(error))


LINEAR = Service("linear", "Linear", "https://api.linear.app", LinearDialect(), LIMITS)


@dataclass(frozen=True, slots=True)
class Linear:
    """Issues go by their identifier (ENG-12) or id."""

    session: Session

    # ---- issues ------------------------------------------------------------------------------

    async def issues(self, filters: Record, size: int, cursor: str | None) -> Page:
        return await self._page(documents.ISSUES, "issues", size, cursor, filter=filters)

    async def search(self, term: str, filters: Record, size: int, cursor: str | None) -> Page:
        document = documents.SEARCH
        return await self._page(document, "searchIssues", size, cursor, term=term, filter=filters)

    async def issue(self, issue: str, comments: int, cursor: str | None) -> Record:
        variables = {"id": issue, "first": comments, "after": cursor}
        return await self._one(documents.ISSUE, "issue", variables)

    async def team_of(self, issue: str) -> Record:
        found = await self._one(documents.TEAM_OF_ISSUE, "issue", {"id": issue})
        team: Record = found["team"]
        return team

    async def issue_by_id(self, issue_id: str) -> Record | None:
        return await self._found(documents.ISSUE_BY_ID, "issues", issue_id)

    async def create_issue(self, fields: Record) -> Record:
        made = await self._one(documents.CREATE_ISSUE, "issueCreate", {"input": fields})
        return _made(made, "issue")

    async def update_issue(self, issue: str, fields: Record) -> Record:
        variables = {"id": issue, "input": fields}
        return _made(await self._one(documents.UPDATE_ISSUE, "issueUpdate", variables), "issue")

    async def comment_by_id(self, comment_id: str) -> Record | None:
        return await self._found(documents.COMMENT_BY_ID, "comments", comment_id)

    async def create_comment(self, fields: Record) -> Record:
        made = await self._one(documents.CREATE_COMMENT, "commentCreate", {"input": fields})
        return _made(made, "comment")

    # ---- the workspace -----------------------------------------------------------------------

    async def teams(self) -> Page:
        """All teams with their states, or as many as a person would look through."""

        async def fetch(cursor: str | None, size: int) -> Page:
            return await self._page(documents.TEAMS, "teams", size, cursor)

        # With fifty states each, larger pages would pass the complexity one query may have.
        return await gathered(fetch, MAX_TEAMS, None, page_size=50)

    async def users(self, filters: Record, size: int, cursor: str | None = None) -> Page:
        return await self._page(documents.USERS, "users", size, cursor, filter=filters)

    async def projects(self, filters: Record, size: int, cursor: str | None = None) -> Page:
        return await self._page(documents.PROJECTS, "projects", size, cursor, filter=filters)

    async def labels(self, filters: Record) -> list[Record]:
        found = await self._one(documents.LABELS, "issueLabels", {"filter": filters})
        return list(found["nodes"])

    # ---- who ---------------------------------------------------------------------------------

    async def account(self) -> Account:
        """A person of one workspace: whoever is in two has two ids."""
        viewer = await self._one(documents.VIEWER, "viewer", {})
        return Account(viewer["id"], viewer["organization"]["name"])

    # ---- how ---------------------------------------------------------------------------------

    async def _one(self, document: str, under: str, variables: Record) -> Record:
        data = await ask(self.session, "/graphql", document, variables)
        found: Record = data[under]
        return found

    async def _page(
        self, document: str, under: str, size: int, cursor: str | None, **variables: Any
    ) -> Page:
        asked = {**variables, "first": size, "after": cursor}
        return page_of(await self._one(document, under, asked))

    async def _found(self, document: str, under: str, wanted: str) -> Record | None:
        nodes = (await self._one(document, under, {"id": wanted}))["nodes"]
        found: Record | None = nodes[0] if nodes else None
        return found


def _extensions(error: Error) -> Record:
    extensions = error.get("extensions")
    return extensions if isinstance(extensions, Mapping) else {}


def _made(payload: Record, what: str) -> Record:
    """What a mutation made. Errors have been dealt with, so it says `success` and has it."""
    made: Record = payload[what]
    return made
