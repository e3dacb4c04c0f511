"""A call of each of Linear's tools that the small Linear of these tests answers."""

from typing import Any

READS: dict[str, dict[str, Any]] = {
    "linear_list_issues": {"team": "ENG"},
    "linear_search_issues": {"query": "crash"},
    "linear_get_issue": {"issue": "ENG-1"},
    "linear_list_teams": {},
    "linear_list_users": {},
    "linear_list_projects": {"team": "ENG"},
}
WRITES: dict[str, dict[str, Any]] = {
    "linear_create_issue": {"team": "ENG", "title": "It is slow", "assignee": "me"},
    "linear_update_issue": {"issue": "ENG-1", "state": "Done"},
    "linear_comment_on_issue": {"issue": "ENG-1", "body": "I see it, too."},
}
ALL = READS | WRITES
