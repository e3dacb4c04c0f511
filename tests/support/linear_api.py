"""A small Linear: one workspace behind GraphQL, its filters included, and what can be wrong with a call."""

import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

from omniforge import clock
from tests.support.json_service import Asked, JsonService, Told

Record = dict[str, Any]

_OPERATION = re.compile(r"\s*(?:query|mutation)\s+(\w+)")
_CAPITAL = re.compile(r"([A-Z])")


class LinearApi(JsonService):
    """Knows `token-1` and `token-2`. Ids that callers give are taken once, as at Linear."""

    def __init__(self) -> None:
        super().__init__()
        self.tokens = {"token-1", "token-2"}
        self.users = [user("ada", is_me=True), user("grace"), user("edsger", active=False)]
        self.teams = [team("ENG", "Engineering"), team("OPS", "Operations")]
        self.labels = [label("bug"), label("perf", self.teams[0]), label("perf", self.teams[1])]
        self.projects: list[Record] = []
        self.issues: list[Record] = []
        self.comments: list[Record] = []
        self._clock = clock.now()

    @property
    def writes(self) -> list[Asked]:
        return [each for each in self.requests if "mutation" in each.json["query"]]

    def issue(self, title: str, team_key: str = "ENG", **fields: Any) -> Record:
        owner = next(each for each in self.teams if each["key"] == team_key)
        number = 1 + sum(each["team"] is owner for each in self.issues)
        now = self._now()
        made = {
            "id": f"issue-{len(self.issues)}",
            "identifier": f"{team_key}-{number}",
            "title": title,
            "team": owner,
            "state": owner["states"]["nodes"][0],
            "priorityLabel": "No priority",
            "labels": {"nodes": []},
            "children": {"nodes": []},
            "createdAt": now,
            "updatedAt": now,
            "url": f"https://linear.app/acme/issue/{team_key}-{number}",
            "creator": self.users[0],
            **fields,
        }
        self.issues.append(made)
        return made

    def comment(self, issue: Record, body: str, **fields: Any) -> Record:
        made = {
            "id": f"comment-{len(self.comments)}",
            "issue": issue,
            "body": body,
            "user": self.users[0],
            "createdAt": self._now(),
            "url": f"{issue['url']}#comment-{len(self.comments)}",
            **fields,
        }
        self.comments.append(made)
        return made

    # ---- answering ---------------------------------------------------------------------------

    def answer(self, asked: Asked) -> Told:
        scheme, _, secret = asked.headers.get("authorization", "").partition(" ")
        if scheme != "Bearer" or secret not in self.tokens:
            return refusal("Authentication required", "authentication error", 401)
        name = asked.path.rpartition("/")[2]
        reply = getattr(self, _CAPITAL.sub(r"_\1", name).lower(), None)
        if reply is None:
            return refusal(f"Cannot query {name}", "graphql error", 400)
        told: Told = reply(asked.json["variables"])
        return told

    def _told(self, asked: Asked) -> Told:
        """Faults go by the operation's name, for there is one path only."""
        return super()._told(replace(asked, path=f"{asked.path}/{_operation(asked)}"))

    def _issues(self, given: Record) -> Told:
        return self._page("issues", self.issues, given)

    def _search_issues(self, given: Record) -> Told:
        words = given["term"].casefold().split()
        found = [each for each in self.issues if all(w in each["title"].casefold() for w in words)]
        return self._page("searchIssues", found, given)

    def _issue(self, given: Record) -> Told:
        found = self._named(given["id"])
        if found is None:
            return NOT_FOUND
        comments = [each for each in self.comments if each["issue"] is found]
        return Told({"data": {"issue": {**found, "comments": _slice(comments, given)}}})

    def _team_of_issue(self, given: Record) -> Told:
        found = self._named(given["id"])
        return Told({"data": {"issue": {"team": found["team"]}}}) if found else NOT_FOUND

    def _issue_by_id(self, given: Record) -> Told:
        found = [each for each in self.issues if each["id"] == given["id"]]
        return Told({"data": {"issues": {"nodes": found}}})

    def _comment_by_id(self, given: Record) -> Told:
        found = [each for each in self.comments if each["id"] == given["id"]]
        return Told({"data": {"comments": {"nodes": found}}})

    def _create_issue(self, given: Record) -> Told:
        fields = given["input"]
        if any(each["id"] == fields["id"] for each in self.issues):
            return refusal("Entity already exists", "invalid input")
        if fields["title"] == "forbidden word":
            return refusal(
                "Argument Validation Error", "invalid input", words="Title is not allowed"
            )
        owner = next(each for each in self.teams if each["id"] == fields["teamId"])
        made = self.issue(fields["title"], owner["key"], id=fields["id"])
        self._set(made, fields)
        return Told({"data": {"issueCreate": {"success": True, "issue": made}}})

    def _update_issue(self, given: Record) -> Told:
        found = self._named(given["id"])
        if found is None:
            return NOT_FOUND
        self._set(found, given["input"])
        return Told({"data": {"issueUpdate": {"success": True, "issue": found}}})

    def _create_comment(self, given: Record) -> Told:
        fields = given["input"]
        if any(each["id"] == fields["id"] for each in self.comments):
            return refusal("Entity already exists", "invalid input")
        found = self._named(fields["issueId"])
        if found is None:
            return NOT_FOUND
        made = self.comment(found, fields["body"], id=fields["id"])
        return Told({"data": {"commentCreate": {"success": True, "comment": made}}})

    def _teams(self, given: Record) -> Told:
        return self._page("teams", self.teams, given)

    def _users(self, given: Record) -> Told:
        return self._page("users", self.users, given)

    def _projects(self, given: Record) -> Told:
        return self._page("projects", self.projects, given)

    def _labels(self, given: Record) -> Told:
        return self._page("issueLabels", self.labels, {**given, "first": 100})

    # ---- how ---------------------------------------------------------------------------------

    def _page(self, under: str, records: list[Record], given: Record) -> Told:
        found = [each for each in records if fits(each, given.get("filter", {}))]
        return Told({"data": {under: _slice(found, given)}})

    def _named(self, name: str) -> Record | None:
        return next(
            (each for each in self.issues if name in {each["id"], each["identifier"]}), None
        )

    def _set(self, issue: Record, fields: Record) -> None:
        issue["updatedAt"] = self._now()
        for name in ("title", "description", "dueDate"):
            if name in fields:
                issue[name] = fields[name]
        if "priority" in fields:
            issue["priorityLabel"] = ["No priority", "Urgent", "High", "Normal", "Low"][
                fields["priority"]
            ]
        if "stateId" in fields:
            issue["state"] = _by_id(issue["team"]["states"]["nodes"], fields["stateId"])
        if "assigneeId" in fields:
            issue["assignee"] = _by_id(self.users, fields["assigneeId"])
        if "projectId" in fields:
            issue["project"] = _by_id(self.projects, fields["projectId"])
        if "labelIds" in fields:
            issue["labels"] = {"nodes": [_by_id(self.labels, each) for each in fields["labelIds"]]}

    def _now(self) -> str:
        self._clock += timedelta(seconds=1)
        return self._clock.strftime("%Y-%m-%dT%H:%M:%S.000Z")


def fits(record: Any, wanted: Mapping[str, Any]) -> bool:
    """Whether a record passes one of Linear's filters."""
    return all(_passes(record, name, value) for name, value in wanted.items())


def _passes(record: Any, name: str, value: Any) -> bool:
    match name:
        case "or":
            return any(fits(record, each) for each in value)
        case "and":
            return all(fits(record, each) for each in value)
        case "some":
            return any(fits(each, value) for each in (record or {}).get("nodes", []))
        case "null":
            return bool((record is None) == value)
        case "eq":
            return bool(record == value)
        case "eqIgnoreCase":
            return str(record).casefold() == str(value).casefold()
        case "gte":
            return str(record) >= str(value)
        case "accessibleTeams":
            return fits(record.get("teams"), value)
    return fits((record or {}).get(name), value)


def refusal(message: str, kind: str, status: int = 200, *, words: str = "", code: str = "") -> Told:
    extensions = {"type": kind, "userPresentableMessage": words or None, "code": code or None}
    return Told({"data": None, "errors": [{"message": message, "extensions": extensions}]}, status)


NOT_FOUND = refusal("Entity not found: Issue", "invalid input")


def team(key: str, name: str) -> Record:
    states = [("Todo", "unstarted"), ("In Progress", "started"), ("Done", "completed")]
    nodes = [{"id": f"{key}-{each}", "name": each, "type": kind} for each, kind in states]
    return {"id": f"team-{key}", "key": key, "name": name, "states": {"nodes": nodes}}


def user(name: str, *, is_me: bool = False, active: bool = True) -> Record:
    return {
        "id": f"user-{name}",
        "name": name.title(),
        "displayName": name,
        "email": f"{name}@example.com",
        "avatarUrl": f"https://avatars.example/{name}?token=SECRET",
        "active": active,
        "isMe": is_me,
    }


def label(name: str, owner: Record | None = None) -> Record:
    where = owner["key"] if owner else "all"
    return {"id": f"label-{name}-{where}", "name": name, "team": owner}


def _by_id(records: list[Record], wanted: str | None) -> Record | None:
    return next((each for each in records if each["id"] == wanted), None)


def _slice(records: list[Record], given: Record) -> Record:
    begin = int(given.get("after") or 0)
    end = begin + int(given.get("first") or 50)
    more = end < len(records)
    info = {"hasNextPage": more, "endCursor": str(end) if more else None}
    return {"nodes": records[begin:end], "pageInfo": info}


def _operation(asked: Asked) -> str:
    found = _OPERATION.match(asked.json["query"])
    assert found is not None, asked.json
    return found[1]
