"""A small GitHub: one account, its repositories, and what can be wrong with a call."""

import base64
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from omniforge import clock
from tests.support.json_service import Asked, JsonService, Told

Record = dict[str, Any]


@dataclass
class Repository:
    name: str
    files: dict[str, bytes] = field(default_factory=dict)
    issues: list[Record] = field(default_factory=list)
    comments: dict[int, list[Record]] = field(default_factory=dict)
    pulls: list[Record] = field(default_factory=list)
    changes: dict[int, list[Record]] = field(default_factory=dict)
    commits: list[Record] = field(default_factory=list)
    runs: list[Record] = field(default_factory=list)


class GitHubApi(JsonService):
    """Knows `token-1` and `token-2`; anything else is a 401."""

    def __init__(self) -> None:
        super().__init__()
        self.tokens = {"token-1", "token-2"}
        self.repositories: dict[str, Repository] = {}
        self._clock = clock.now()

    def repository(self, name: str, **files: bytes) -> Repository:
        return self.repositories.setdefault(name, Repository(name, dict(files)))

    def issue(self, repo: str, title: str, **fields: Any) -> Record:
        repository = self.repository(repo)
        number = 1 + len(repository.issues) + len(repository.pulls)
        issue = self._record(repo, number, title, **fields)
        repository.issues.append(issue)
        repository.comments[number] = []
        return issue

    def comment(self, repo: str, number: int, body: str) -> Record:
        comments = self.repository(repo).comments[number]
        made = {
            "id": 1_000 * number + len(comments),
            "body": body,
            "user": person("ada"),
            "html_url": f"https://github.com/{repo}/issues/{number}#{len(comments)}",
            "issue_url": f"{self.url}/repos/{repo}/issues/{number}",
            "created_at": self._now(),
        }
        comments.append(made)
        next(each for each in self._all(repo) if each["number"] == number)["comments"] += 1
        return made

    def pull_request(self, repo: str, title: str, *files: Record, **fields: Any) -> Record:
        repository = self.repository(repo)
        number = 1 + len(repository.issues) + len(repository.pulls)
        pull = {
            **self._record(repo, number, title),
            "pull_request": {"url": f"{self.url}/repos/{repo}/pulls/{number}"},
            "head": {"ref": "topic", "repo": {"full_name": repo}},
            "base": {"ref": "main", "repo": {"full_name": repo}},
            "mergeable": True,
            "merged_at": None,
            "commits": 1,
            "changed_files": len(files),
            **fields,
        }
        repository.pulls.append(pull)
        repository.comments[number] = []
        repository.changes[number] = list(files)
        return pull

    # ---- answering ---------------------------------------------------------------------------

    def answer(self, asked: Asked) -> Told:
        scheme, _, secret = asked.headers.get("authorization", "").partition(" ")
        if scheme != "Bearer" or secret not in self.tokens:
            return Told({"message": "Bad credentials"}, 401)
        for method, pattern, reply in self._routes():
            found = re.fullmatch(pattern, asked.path)
            if found and method == asked.method:
                repo = found.groupdict().get("repo")
                if repo is not None and repo not in self.repositories:
                    return NOT_FOUND
                return reply(asked, **found.groupdict())
        return NOT_FOUND

    def _routes(self) -> list[tuple[str, str, Callable[..., Told]]]:
        repo = r"/repos/(?P<repo>[\w.-]+/[\w.-]+)"
        one = rf"{repo}/issues/(?P<number>\d+)"
        return [
            ("GET", "/search/issues", self._search_issues),
            ("GET", "/search/code", self._search_code),
            ("GET", rf"{repo}/issues", self._list_issues),
            ("POST", rf"{repo}/issues", self._create_issue),
            ("GET", one, self._get_issue),
            ("PATCH", one, self._update_issue),
            ("GET", rf"{one}/comments", self._list_comments),
            ("POST", rf"{one}/comments", self._create_comment),
            ("GET", rf"{repo}/pulls", self._list_pulls),
            ("GET", rf"{repo}/pulls/(?P<number>\d+)", self._get_pull),
            ("GET", rf"{repo}/pulls/(?P<number>\d+)/files", self._list_files),
            ("GET", rf"{repo}/commits", self._list_commits),
            ("GET", rf"{repo}/contents(?P<path>/.*)?", self._contents),
            ("GET", rf"{repo}/actions/runs", self._list_runs),
        ]

    def _search_issues(self, asked: Asked) -> Told:
        words = [word for word in asked.query["q"].split() if ":" not in word]
        found = [
            each
            for name in self.repositories
            for each in self._all(name)
            if all(word in each["title"] for word in words)
        ]
        return self._page(asked, found, under="items")

    def _search_code(self, asked: Asked) -> Told:
        found = [
            {
                "path": path,
                "html_url": f"https://github.com/{repo.name}/blob/main/{path}",
                "repository": {"full_name": repo.name},
            }
            for repo in self.repositories.values()
            for path, content in repo.files.items()
            if asked.query["q"].encode() in content
        ]
        return self._page(asked, found, under="items")

    def _list_issues(self, asked: Asked, repo: str) -> Told:
        state = asked.query.get("state", "open")
        labels = {name for name in asked.query.get("labels", "").split(",") if name}
        found = [
            each
            for each in reversed(self._all(repo))
            if state in {"all", each["state"]}
            and labels <= {label["name"] for label in each["labels"]}
        ]
        return self._page(asked, found)

    def _create_issue(self, asked: Asked, repo: str) -> Told:
        title = asked.json.get("title")
        if not title or title == "forbidden word":
            error = {"resource": "Issue", "field": "title", "code": "invalid"}
            return Told({"message": "Validation Failed", "errors": [error]}, 422)
        labels = [{"name": name, "id": 7} for name in asked.json.get("labels", [])]
        assignees = [person(name) for name in asked.json.get("assignees", [])]
        body = asked.json.get("body")
        made = self.issue(repo, title, body=body, labels=labels, assignees=assignees)
        return Told(made, 201)

    def _get_issue(self, _: Asked, repo: str, number: str) -> Told:
        return self._one(self._all(repo), number)

    def _update_issue(self, asked: Asked, repo: str, number: str) -> Told:
        told = self._one(self._all(repo), number)
        if told.status == 200:
            changes = dict(asked.json)
            if "labels" in changes:
                changes["labels"] = [{"name": name} for name in changes["labels"]]
            told.body.update(changes)
        return told

    def _list_comments(self, asked: Asked, repo: str, number: str) -> Told:
        since = asked.query.get("since", "")
        comments = self.repositories[repo].comments.get(int(number), [])
        return self._page(asked, [each for each in comments if each["created_at"] >= since])

    def _create_comment(self, asked: Asked, repo: str, number: str) -> Told:
        if int(number) not in self.repositories[repo].comments:
            return NOT_FOUND
        return Told(self.comment(repo, int(number), asked.json["body"]), 201)

    def _list_pulls(self, asked: Asked, repo: str) -> Told:
        state = asked.query.get("state", "open")
        pulls = self.repositories[repo].pulls
        return self._page(asked, [each for each in pulls if state in {"all", each["state"]}])

    def _get_pull(self, _: Asked, repo: str, number: str) -> Told:
        return self._one(self.repositories[repo].pulls, number)

    def _list_files(self, asked: Asked, repo: str, number: str) -> Told:
        return self._page(asked, self.repositories[repo].changes.get(int(number), []))

    def _list_commits(self, asked: Asked, repo: str) -> Told:
        return self._page(asked, self.repositories[repo].commits)

    def _list_runs(self, asked: Asked, repo: str) -> Told:
        return self._page(asked, self.repositories[repo].runs, under="workflow_runs")

    def _contents(self, _: Asked, repo: str, path: str | None) -> Told:
        files, name = self.repositories[repo].files, (path or "").strip("/")
        if name in files:
            content = files[name]
            is_long = len(content) > 1_000_000
            told = base64.encodebytes(content).decode() if not is_long else ""
            return Told(
                {
                    "type": "file",
                    "path": name,
                    "size": len(content),
                    "encoding": "none" if is_long else "base64",
                    "content": told,
                    "download_url": f"https://raw.example/{name}?token=SECRET",
                }
            )
        inside = [each for each in files if not name or each.startswith(f"{name}/")]
        entries = [{"type": "file", "path": each, "size": len(files[each])} for each in inside]
        return Told(entries) if entries else NOT_FOUND

    # ---- how ---------------------------------------------------------------------------------

    def _one(self, records: list[Record], number: str) -> Told:
        found = [each for each in records if each["number"] == int(number)]
        return Told(found[0]) if found else NOT_FOUND

    def _page(self, asked: Asked, records: list[Record], under: str | None = None) -> Told:
        number, size = int(asked.query.get("page", 1)), int(asked.query.get("per_page", 30))
        shown = records[(number - 1) * size : number * size]
        headers = {}
        if number * size < len(records):
            here = f"{self.url}{asked.path}?per_page={size}"
            headers["link"] = (
                f'<{here}&page={number + 1}>; rel="next", <{here}&page=99>; rel="last"'
            )
        body: Any = {under: shown, "total_count": len(records)} if under else shown
        return Told(body, headers=headers)

    def _all(self, repo: str) -> list[Record]:
        """Issues and pull requests, which share their numbers."""
        repository = self.repositories[repo]
        return sorted([*repository.issues, *repository.pulls], key=lambda each: each["number"])

    def _record(self, repo: str, number: int, title: str, **fields: Any) -> Record:
        now = self._now()
        return {
            "number": number,
            "title": title,
            "state": "open",
            "body": None,
            "user": person("ada"),
            "labels": [],
            "assignees": [],
            "comments": 0,
            "created_at": now,
            "updated_at": now,
            "html_url": f"https://github.com/{repo}/issues/{number}",
            "url": f"{self.url}/repos/{repo}/issues/{number}",
            "repository_url": f"{self.url}/repos/{repo}",
            **fields,
        }

    def _now(self) -> str:
        self._clock += timedelta(seconds=1)
        return self._clock.strftime("%Y-%m-%dT%H:%M:%SZ")


NOT_FOUND = Told({"message": "Not Found"}, 404)


def person(login: str) -> Record:
    return {
        "login": login,
        "id": 1,
        "avatar_url": f"https://avatars.example/{login}",
        "url": f"https://api.github.com/users/{login}",
        "type": "User",
    }
