"""What a model is shown of Linear's objects."""

from collections.abc import Mapping
from typing import Any

from omniforge.integrations.trimming import excerpt, name, part, present

Shape = dict[str, Any]

TITLE_CHARS = 250
DESCRIPTION_CHARS = 8_000
COMMENT_CHARS = 2_000
SUMMARY_CHARS = 300
MAX_NODES = 50


def issue_row(issue: Mapping[str, Any]) -> Shape:
    return present(
        id=issue.get("identifier"),
        title=excerpt(issue.get("title"), TITLE_CHARS),
        state=_of(issue, "state", "name"),
        state_type=_of(issue, "state", "type"),
        priority=issue.get("priorityLabel"),
        assignee=_of(issue, "assignee", "name"),
        team=_of(issue, "team", "key"),
        project=_of(issue, "project", "name"),
        labels=[name(label.get("name")) for label in _nodes(issue, "labels")],
        due_date=issue.get("dueDate"),
        created_at=issue.get("createdAt"),
        updated_at=issue.get("updatedAt"),
        completed_at=issue.get("completedAt"),
        url=issue.get("url"),
    )


def issue(found: Mapping[str, Any], offset: int = 0) -> Shape:
    how = "ask with description_offset {}"
    return {
        **issue_row(found),
        **present(
            creator=_of(found, "creator", "name"),
            estimate=found.get("estimate"),
            cycle=_of(found, "cycle", "name") or (found.get("cycle") or {}).get("number"),
            parent=_of(found, "parent", "identifier"),
            sub_issues=[
                present(
                    id=each.get("identifier"),
                    title=excerpt(each.get("title"), TITLE_CHARS),
                    state=_of(each, "state", "name"),
                )
                for each in _nodes(found, "children")
            ],
            description=part(found.get("description"), offset, DESCRIPTION_CHARS, how),
        ),
    }


def comment(found: Mapping[str, Any]) -> Shape:
    return present(
        author=_of(found, "user", "name") or _of(found, "botActor", "name"),
        created_at=found.get("createdAt"),
        body=part(found.get("body"), 0, COMMENT_CHARS, "open its url"),
        url=found.get("url"),
    )


def team(found: Mapping[str, Any]) -> Shape:
    return present(
        key=name(found.get("key")),
        name=name(found.get("name")),
        states=[
            present(name=name(each.get("name")), type=each.get("type"))
            for each in _nodes(found, "states")
        ],
    )


def user(found: Mapping[str, Any]) -> Shape:
    return present(
        name=name(found.get("name")),
        email=name(found.get("email")),
        is_me=found.get("isMe") or None,
    )


def project(found: Mapping[str, Any]) -> Shape:
    progress = found.get("progress")
    return present(
        name=name(found.get("name")),
        summary=excerpt(found.get("description"), SUMMARY_CHARS),
        status=_of(found, "status", "name"),
        lead=_of(found, "lead", "name"),
        teams=[name(each.get("key")) for each in _nodes(found, "teams")],
        percent_done=round(progress * 100) if isinstance(progress, int | float) else None,
        start_date=found.get("startDate"),
        target_date=found.get("targetDate"),
        url=found.get("url"),
    )


def _of(found: Mapping[str, Any], inside: str, field: str) -> str | None:
    inner = found.get(inside)
    return name(inner.get(field)) if isinstance(inner, Mapping) else None


def _nodes(found: Mapping[str, Any], inside: str) -> list[Mapping[str, Any]]:
    nodes = (found.get(inside) or {}).get("nodes") or []
    return [each for each in nodes if isinstance(each, Mapping)][:MAX_NODES]
