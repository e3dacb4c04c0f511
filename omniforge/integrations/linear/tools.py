"""What skills can do in Linear."""

import hashlib
import uuid
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from omniforge.errors import ServiceRefused, TryAgain
from omniforge.integrations.http.pages import page_of
from omniforge.integrations.linear import shapes
from omniforge.integrations.linear.client import Linear
from omniforge.integrations.linear.names import PRIORITIES, issue_fields, team_named, user_filter
from omniforge.integrations.operations import Arguments, Operation, reading, writing
from omniforge.integrations.trimming import listing
from omniforge.journal.steps import Json
from omniforge.tools.parameters import parameters, several, text, whole

COMMENTS_SHOWN = 20

# What was written is looked up by its id in the database, not in a search index.
VISIBLE_AFTER = timedelta(seconds=5)

# Setting fields to the same values twice comes to the same, so an update may be sent again; but not
# much later, when somebody may have set them otherwise meanwhile.
REPEATABLE_FOR = timedelta(minutes=10)

_ISSUE = text("The issue, such as ENG-12.", pattern=r"^[A-Za-z0-9_-]+$", maxLength=64)
_TEAM = text("Key or name of a team, such as ENG.", minLength=1)
_STATE = text("Name of a state of the team, such as In Progress.", minLength=1)
_ASSIGNEE = text("Email address or name of a person; 'me' is the connected account.", minLength=1)
_PROJECT = text("Name of a project.", minLength=1)
_PRIORITY = text("How urgent it is.", enum=list(PRIORITIES))
_DUE = text("A day such as 2026-11-30.", pattern=r"^\d{4}-\d{2}-\d{2}$")
_LABELS = several("Names of labels.", {"type": "string"}, maxItems=20)
_TITLE = text("One line.", minLength=1, maxLength=250)
_MARKDOWN = text("The text, in Markdown.", maxLength=60_000)
_LIMIT = whole("How many at most; 20 unless told.", 1, 50)
_CURSOR = text("next_cursor of the answer before, to go on from there.")


# ---- reading ---------------------------------------------------------------------------------


@reading(
    "linear_list_issues",
    parameters(
        team=_TEAM,
        state=text("Only issues in the state of this name."),
        state_type=text(
            "Only issues in states of this type.",
            enum=["triage", "backlog", "unstarted", "started", "completed", "canceled"],
        ),
        assignee={**_ASSIGNEE, "description": f"{_ASSIGNEE['description']} 'nobody': unassigned."},
        label=text("Only issues with this label."),
        project=text("Only issues of the project of this name."),
        updated_since=text("Only those changed since this ISO 8601 time."),
        limit=_LIMIT,
        cursor=_CURSOR,
    ),
    "read",
)
async def list_issues(linear: Linear, arguments: Arguments) -> Json:
    """List issues, the last changed first. Each filter narrows it further."""
    page = await linear.issues(_filter(arguments), *_window(arguments))
    return listing("issues", [shapes.issue_row(each) for each in page.items], page.next_cursor)


@reading(
    "linear_search_issues",
    parameters(
        required=["query"],
        query=text("Words to look for in titles, descriptions and comments.", minLength=1),
        team=_TEAM,
        limit=_LIMIT,
        cursor=_CURSOR,
    ),
    "read",
)
async def search_issues(linear: Linear, arguments: Arguments) -> Json:
    """Search issues by words, best match first. What is only minutes old may be missing."""
    page = await linear.search(arguments["query"], _filter(arguments), *_window(arguments))
    return listing("issues", [shapes.issue_row(each) for each in page.items], page.next_cursor)


@reading(
    "linear_get_issue",
    parameters(
        required=["issue"],
        issue=_ISSUE,
        description_offset=whole(
            "From which character of the description on to read.", 0, 1_000_000
        ),
        comments_cursor=text("next_cursor of the answer before, for further comments."),
    ),
    "read",
)
async def get_issue(linear: Linear, arguments: Arguments) -> Json:
    """Read one issue with its description, sub-issues and comments."""
    cursor = arguments.get("comments_cursor")
    found = await linear.issue(arguments["issue"], COMMENTS_SHOWN, cursor)
    page = page_of(found["comments"])
    told = shapes.issue(found, arguments.get("description_offset", 0))
    if not page.items:
        return told
    comments = [shapes.comment(each) for each in page.items]
    return {**told, **listing("comments", comments, page.next_cursor)}


@reading("linear_list_teams", parameters(), "read")
async def list_teams(linear: Linear, _: Arguments) -> Json:
    """List the teams, each with the states that its issues can be in."""
    page = await linear.teams()
    return listing("teams", [shapes.team(each) for each in page.items])


@reading(
    "linear_list_users",
    parameters(limit=_LIMIT, cursor=_CURSOR),
    "read",
)
async def list_users(linear: Linear, arguments: Arguments) -> Json:
    """List the people of the workspace who can be assigned to issues."""
    page = await linear.users({"active": {"eq": True}}, *_window(arguments))
    return listing("users", [shapes.user(each) for each in page.items], page.next_cursor)


@reading(
    "linear_list_projects",
    parameters(team=_TEAM, limit=_LIMIT, cursor=_CURSOR),
    "read",
)
async def list_projects(linear: Linear, arguments: Arguments) -> Json:
    """List projects with their status, lead and progress."""
    team = arguments.get("team")
    filters = {"accessibleTeams": {"some": _team_filter(team)}} if team else {}
    page = await linear.projects(filters, *_window(arguments))
    return listing("projects", [shapes.project(each) for each in page.items], page.next_cursor)


# ---- writing ---------------------------------------------------------------------------------


async def _find_issue(linear: Linear, _: Arguments, effect_id: str) -> Json | None:
    found = await linear.issue_by_id(_id_of(effect_id))
    return shapes.issue_row(found) if found else None


@writing(
    "linear_create_issue",
    parameters(
        required=["team", "title"],
        team=_TEAM,
        title=_TITLE,
        description=_MARKDOWN,
        state=_STATE,
        assignee=_ASSIGNEE,
        priority=_PRIORITY,
        labels=_LABELS,
        project=_PROJECT,
        due_date=_DUE,
    ),
    "write",
    find=_find_issue,
    visible_after=VISIBLE_AFTER,
)
async def create_issue(linear: Linear, arguments: Arguments, effect_id: str) -> Json:
    """Create an issue in a team. Answers with its id, such as ENG-12, and its url."""
    team = await team_named(linear, arguments["team"])
    fields = await issue_fields(linear, arguments, team)
    issue_id = _id_of(effect_id)
    try:
        made = await linear.create_issue({"id": issue_id, "teamId": team["id"], **fields})
    except ServiceRefused:
        # An id is taken once, so a sending before this one that arrived late makes this one fail.
        found = await linear.issue_by_id(issue_id)
        if found is None:
            raise
        made = found
    return shapes.issue_row(made)


@writing(
    "linear_update_issue",
    parameters(
        required=["issue"],
        issue=_ISSUE,
        title=_TITLE,
        description={**_MARKDOWN, "description": "The new text. It replaces the old one."},
        state=_STATE,
        assignee={**_ASSIGNEE, "description": f"{_ASSIGNEE['description']} 'nobody' unassigns."},
        priority=_PRIORITY,
        labels={**_LABELS, "description": "All labels it shall have. They replace the old ones."},
        project=_PROJECT,
        due_date=_DUE,
    ),
    "write",
    repeatable_for=REPEATABLE_FOR,
)
async def update_issue(linear: Linear, arguments: Arguments, _: str) -> Json:
    """Change an issue: title, description, state, assignee, priority, labels, project, due date.
    What is not given stays as it is."""
    if len(arguments) == 1:
        raise TryAgain("Nothing to change was given. Give a title, a state or another field.")
    fields = await issue_fields(linear, arguments, await linear.team_of(arguments["issue"]))
    return shapes.issue_row(await linear.update_issue(arguments["issue"], fields))


async def _find_comment(linear: Linear, _: Arguments, effect_id: str) -> Json | None:
    found = await linear.comment_by_id(_id_of(effect_id))
    return shapes.comment(found) if found else None


@writing(
    "linear_comment_on_issue",
    parameters(
        required=["issue", "body"],
        issue=_ISSUE,
        body={**_MARKDOWN, "minLength": 1},
    ),
    "write",
    find=_find_comment,
    visible_after=VISIBLE_AFTER,
)
async def comment_on_issue(linear: Linear, arguments: Arguments, effect_id: str) -> Json:
    """Write a comment under an issue."""
    comment_id = _id_of(effect_id)
    fields = {"id": comment_id, "issueId": arguments["issue"], "body": arguments["body"]}
    try:
        made = await linear.create_comment(fields)
    except ServiceRefused:
        # As with issues: an id is taken once.
        found = await linear.comment_by_id(comment_id)
        if found is None:
            raise
        made = found
    return shapes.comment(made)


OPERATIONS: tuple[Operation[Linear], ...] = (
    list_issues,
    search_issues,
    get_issue,
    create_issue,
    update_issue,
    comment_on_issue,
    list_teams,
    list_users,
    list_projects,
)


# ---- how -------------------------------------------------------------------------------------


def _id_of(effect_id: str) -> str:
    """The id under which an effect's issue or comment is made: Linear takes UUIDs of version 4."""
    return str(uuid.UUID(bytes=hashlib.sha256(effect_id.encode()).digest()[:16], version=4))


def _window(arguments: Arguments) -> tuple[int, str | None]:
    return arguments.get("limit", 20), arguments.get("cursor")


def _filter(arguments: Arguments) -> dict[str, Any]:
    filters: dict[str, Any] = {}
    if "state" in arguments:
        filters["state"] = {"name": {"eqIgnoreCase": arguments["state"]}}
    if "state_type" in arguments:
        filters.setdefault("state", {})["type"] = {"eq": arguments["state_type"]}
    if "team" in arguments:
        filters["team"] = _team_filter(arguments["team"])
    if "assignee" in arguments:
        is_nobody = arguments["assignee"] == "nobody"
        filters["assignee"] = {"null": True} if is_nobody else user_filter(arguments["assignee"])
    if "label" in arguments:
        filters["labels"] = {"some": {"name": {"eqIgnoreCase": arguments["label"]}}}
    if "project" in arguments:
        filters["project"] = {"name": {"eqIgnoreCase": arguments["project"]}}
    if "updated_since" in arguments:
        filters["updatedAt"] = {"gte": arguments["updated_since"]}
    return filters


def _team_filter(name: str) -> Mapping[str, Any]:
    same = {"eqIgnoreCase": name.strip()}
    return {"or": [{"key": same}, {"name": same}]}
