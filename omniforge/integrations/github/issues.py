"""Issues on GitHub, and the discussions of issues and pull requests."""

import math
from datetime import timedelta

from omniforge import clock
from omniforge.errors import OutcomeUnknown, TryAgain
from omniforge.integrations.github import shapes
from omniforge.integrations.github.arguments import (
    BODY_OFFSET,
    CURSOR,
    LIMIT,
    NUMBER,
    REPO,
    TIME,
    window,
)
from omniforge.integrations.github.client import PAGE_SIZE, GitHub, Record
from omniforge.integrations.http.pages import Fetch, Page
from omniforge.integrations.operations import Arguments, reading, writing
from omniforge.integrations.trimming import has_marker, listing, marked
from omniforge.journal.steps import Json
from omniforge.tools.parameters import parameters, several, text

COMMENTS_SHOWN = 20

# A lookup after a lost answer lists what is new, since the search index lags by minutes. Lists are
# read from replicas, which are behind by a second or two.
VISIBLE_AFTER = timedelta(seconds=10)
LOOKBACK = timedelta(days=7)
LOOKED_AT = 1_000

# Setting fields to the same values twice comes to the same, so an update may be sent again; but not
# much later, when somebody may have set them otherwise meanwhile.
REPEATABLE_FOR = timedelta(minutes=10)

_LOGINS = several("Logins of accounts.", {"type": "string"}, maxItems=10)
_LABELS = several("Names of labels.", {"type": "string"}, maxItems=50)


@reading(
    "github_search_issues",
    parameters(
        required=["query"],
        query=text(
            "GitHub's search terms, such as 'repo:acme/shop is:issue is:open label:bug crash'. One of"
            " is:issue and is:pr has to be among them.",
            maxLength=256,
        ),
        limit=LIMIT,
        cursor=CURSOR,
    ),
    "repo",
)
async def search_issues(github: GitHub, arguments: Arguments) -> Json:
    """Search issues and pull requests of all repositories with GitHub's search terms. What is only
    minutes old may be missing: github_list_issues has it."""
    page = await github.search_issues(arguments["query"], *window(arguments))
    return listing("issues", [shapes.issue_row(each) for each in page.items], page.next_cursor)


@reading(
    "github_list_issues",
    parameters(
        required=["repo"],
        repo=REPO,
        state=text("open unless told.", enum=["open", "closed", "all"]),
        labels=several(
            "Only issues that have all of these labels.", {"type": "string"}, maxItems=10
        ),
        assignee=text("Only those of this login; 'none' for nobody's, '*' for anybody's."),
        since=text(f"Only those that changed since. {TIME}"),
        limit=LIMIT,
        cursor=CURSOR,
    ),
    "repo",
)
async def list_issues(github: GitHub, arguments: Arguments) -> Json:
    """List the issues of a repository, newest first. Pull requests are left out."""
    page = await github.issues(
        arguments["repo"],
        *window(arguments),
        state=arguments.get("state"),
        labels=",".join(arguments.get("labels", [])) or None,
        assignee=arguments.get("assignee"),
        since=arguments.get("since"),
    )
    issues = [each for each in page.items if "pull_request" not in each]
    return listing("issues", [shapes.issue_row(each) for each in issues], page.next_cursor)


@reading(
    "github_get_issue",
    parameters(
        required=["repo", "number"],
        repo=REPO,
        number=NUMBER,
        body_offset=BODY_OFFSET,
        comments_cursor=text("next_cursor of the answer before, for the comments before those."),
    ),
    "repo",
)
async def get_issue(github: GitHub, arguments: Arguments) -> Json:
    """Read one issue with its newest comments; a pull request's number gives its discussion."""
    repo, number = arguments["repo"], arguments["number"]
    found = await github.issue(repo, number)
    cursor = arguments.get("comments_cursor") or _last_page(found.get("comments", 0))
    told = shapes.issue(found, arguments.get("body_offset", 0))
    if cursor is None:
        return told
    page = await github.comments(repo, number, COMMENTS_SHOWN, cursor)
    comments = [shapes.comment(each) for each in page.items]
    return {**told, **listing("latest_comments", comments, _page_before(cursor))}


async def _find_issue(github: GitHub, arguments: Arguments, effect_id: str) -> Json | None:
    async def fetch(cursor: str | None, size: int) -> Page:
        return await github.issues(
            arguments["repo"], size, cursor, state="all", sort="created", direction="desc"
        )

    found = await _marked_one(fetch, effect_id)
    return shapes.issue_row(found) if found else None


@writing(
    "github_create_issue",
    parameters(
        required=["repo", "title"],
        repo=REPO,
        title=text("One line.", minLength=1, maxLength=256),
        body=text("The text, in Markdown.", maxLength=60_000),
        labels=_LABELS,
        assignees=_LOGINS,
    ),
    "repo",
    find=_find_issue,
    visible_after=VISIBLE_AFTER,
)
async def create_issue(github: GitHub, arguments: Arguments, effect_id: str) -> Json:
    """Open a new issue in a repository. Answers with its number and url."""
    fields = _given(arguments, "title", "labels", "assignees")
    body = marked(arguments.get("body", ""), effect_id)
    made = await github.create_issue(arguments["repo"], {**fields, "body": body})
    return shapes.issue_row(made)


@writing(
    "github_update_issue",
    parameters(
        required=["repo", "number"],
        repo=REPO,
        number=NUMBER,
        title=text("The new title.", minLength=1, maxLength=256),
        body=text("The new text, in Markdown. It replaces the old one.", maxLength=60_000),
        state=text("open or closed.", enum=["open", "closed"]),
        state_reason=text("Why it is closed.", enum=["completed", "not_planned", "duplicate"]),
        labels={**_LABELS, "description": "All labels it shall have. They replace the old ones."},
        assignees={**_LOGINS, "description": "All assignees it shall have, by login."},
    ),
    "repo",
    repeatable_for=REPEATABLE_FOR,
)
async def update_issue(github: GitHub, arguments: Arguments, _: str) -> Json:
    """Change an issue or pull request: title, text, labels, assignees; close it or open it again.
    What is not given stays as it is."""
    names = ("title", "body", "state", "state_reason", "labels", "assignees")
    fields = _given(arguments, *names)
    if not fields:
        raise TryAgain(f"Nothing to change was given. Give one of {', '.join(names)}.")
    found = await github.update_issue(arguments["repo"], arguments["number"], fields)
    return shapes.issue_row(found)


async def _find_comment(github: GitHub, arguments: Arguments, effect_id: str) -> Json | None:
    since = (clock.now() - LOOKBACK).strftime("%Y-%m-%dT%H:%M:%SZ")

    async def fetch(cursor: str | None, size: int) -> Page:
        repo, number = arguments["repo"], arguments["number"]
        return await github.comments(repo, number, size, cursor, since=since)

    found = await _marked_one(fetch, effect_id)
    return shapes.comment(found) if found else None


@writing(
    "github_comment_on_issue",
    parameters(
        required=["repo", "number", "body"],
        repo=REPO,
        number=NUMBER,
        body=text("The text, in Markdown.", minLength=1, maxLength=60_000),
    ),
    "repo",
    find=_find_comment,
    visible_after=VISIBLE_AFTER,
)
async def comment_on_issue(github: GitHub, arguments: Arguments, effect_id: str) -> Json:
    """Write a comment under an issue or a pull request."""
    body = marked(arguments["body"], effect_id)
    return shapes.comment(await github.comment(arguments["repo"], arguments["number"], body))


def _given(arguments: Arguments, *names: str) -> dict[str, Json]:
    return {name: arguments[name] for name in names if name in arguments}


def _last_page(comments: int) -> str | None:
    """The cursor of the newest comments. GitHub lists them oldest first, and in no other order."""
    return f"{math.ceil(comments / COMMENTS_SHOWN)}/{COMMENTS_SHOWN}" if comments else None


def _page_before(cursor: str) -> str | None:
    number, size = cursor.split("/")
    return f"{int(number) - 1}/{size}" if int(number) > 1 else None


async def _marked_one(fetch: Fetch, effect_id: str) -> Record | None:
    """What carries an effect's marker, among the new things of a list.

    Raises:
        OutcomeUnknown: So much is new that not all of it was looked at.
    """
    cursor, looked_at = None, 0
    oldest = (clock.now() - LOOKBACK).isoformat()
    while True:
        page = await fetch(cursor, PAGE_SIZE)
        looked_at += len(page.items)
        for each in page.items:
            if has_marker(each.get("body"), effect_id):
                found: Record = each
                return found
        cursor = page.next_cursor
        if cursor is None or all(each["created_at"] < oldest for each in page.items):
            return None
        if looked_at >= LOOKED_AT:
            raise OutcomeUnknown(f"It is not among the newest {looked_at}, and there are more.")
