"""What a model is shown of GitHub's objects."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from omniforge.integrations.trimming import excerpt, name, part, present

Shape = dict[str, Any]

TITLE_CHARS = 250
BODY_CHARS = 8_000
COMMENT_CHARS = 2_000
PATCH_CHARS = 1_500
MAX_NAMES = 20


def issue_row(issue: Mapping[str, Any]) -> Shape:
    return present(
        number=issue.get("number"),
        title=excerpt(issue.get("title"), TITLE_CHARS),
        state=issue.get("state"),
        reason=issue.get("state_reason"),
        is_pull_request="pull_request" in issue or None,
        repo=_repo_of(issue.get("repository_url")),
        author=_login(issue.get("user")),
        assignees=_logins(issue.get("assignees")),
        labels=_names(issue.get("labels")),
        milestone=excerpt((issue.get("milestone") or {}).get("title"), TITLE_CHARS),
        comments=issue.get("comments"),
        created_at=issue.get("created_at"),
        updated_at=issue.get("updated_at"),
        closed_at=issue.get("closed_at"),
        url=issue.get("html_url"),
    )


def issue(found: Mapping[str, Any], offset: int = 0) -> Shape:
    how = "ask with body_offset {}"
    return {**issue_row(found), **present(body=part(found.get("body"), offset, BODY_CHARS, how))}


def comment(found: Mapping[str, Any]) -> Shape:
    return present(
        id=found.get("id"),
        author=_login(found.get("user")),
        created_at=found.get("created_at"),
        body=part(found.get("body"), 0, COMMENT_CHARS, "open its url"),
        url=found.get("html_url"),
    )


def pull_request_row(found: Mapping[str, Any]) -> Shape:
    return present(
        number=found.get("number"),
        title=excerpt(found.get("title"), TITLE_CHARS),
        state="merged" if found.get("merged_at") else found.get("state"),
        is_draft=found.get("draft") or None,
        author=_login(found.get("user")),
        assignees=_logins(found.get("assignees")),
        reviewers=_logins(found.get("requested_reviewers")),
        labels=_names(found.get("labels")),
        from_branch=name((found.get("head") or {}).get("ref")),
        into_branch=name((found.get("base") or {}).get("ref")),
        created_at=found.get("created_at"),
        updated_at=found.get("updated_at"),
        merged_at=found.get("merged_at"),
        url=found.get("html_url"),
    )


def pull_request(found: Mapping[str, Any], offset: int = 0) -> Shape:
    how = "ask with body_offset {}"
    return {
        **pull_request_row(found),
        **present(
            can_be_merged=found.get("mergeable"),
            commits=found.get("commits"),
            changed_files=found.get("changed_files"),
            additions=found.get("additions"),
            deletions=found.get("deletions"),
            body=part(found.get("body"), offset, BODY_CHARS, how),
        ),
    }


def changed_file(found: Mapping[str, Any], *, with_patch: bool) -> Shape:
    patch = part(found.get("patch"), 0, PATCH_CHARS, "read the file itself") if with_patch else None
    return present(
        path=found.get("filename"),
        status=found.get("status"),
        was=found.get("previous_filename"),
        additions=found.get("additions"),
        deletions=found.get("deletions"),
        patch=patch,
    )


def commit_row(found: Mapping[str, Any]) -> Shape:
    commit = found.get("commit") or {}
    author = commit.get("author") or {}
    return present(
        sha=(found.get("sha") or "")[:12],
        message=excerpt(commit.get("message"), TITLE_CHARS),
        author=_login(found.get("author")) or author.get("name"),
        date=author.get("date"),
        url=found.get("html_url"),
    )


def code_row(found: Mapping[str, Any]) -> Shape:
    return present(
        repo=(found.get("repository") or {}).get("full_name"),
        path=found.get("path"),
        url=found.get("html_url"),
    )


def run_row(found: Mapping[str, Any]) -> Shape:
    return present(
        id=found.get("id"),
        workflow=excerpt(found.get("name"), TITLE_CHARS),
        title=excerpt(found.get("display_title"), TITLE_CHARS),
        status=found.get("status"),
        conclusion=found.get("conclusion"),
        branch=name(found.get("head_branch")),
        sha=(found.get("head_sha") or "")[:12],
        event=found.get("event"),
        attempt=found.get("run_attempt"),
        started_at=found.get("run_started_at") or found.get("created_at"),
        updated_at=found.get("updated_at"),
        url=found.get("html_url"),
    )


def entry_row(found: Mapping[str, Any]) -> Shape:
    kind = "folder" if found.get("type") == "dir" else found.get("type")
    size = found.get("size") if kind == "file" else None
    return present(path=found.get("path"), kind=kind, bytes=size)


def _login(user: Mapping[str, Any] | None) -> str | None:
    return name((user or {}).get("login"))


def _logins(users: Iterable[Mapping[str, Any]] | None) -> Sequence[str]:
    logins = (_login(user) for user in users or ())
    return [login for login in logins if login][:MAX_NAMES]


def _names(labels: Iterable[Mapping[str, Any] | str] | None) -> Sequence[str]:
    names = (name(each if isinstance(each, str) else each.get("name")) for each in labels or ())
    return [each for each in names if each][:MAX_NAMES]


def _repo_of(url: str | None) -> str | None:
    """`owner/name`, which a search says only as the address of an API."""
    return "/".join(url.split("/")[-2:]) if url else None
