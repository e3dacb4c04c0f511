"""A call of each of GitHub's tools that the small GitHub of these tests answers."""

from typing import Any

REPO = "acme/shop"
READS: dict[str, dict[str, Any]] = {
    "github_search_issues": {"query": f"repo:{REPO} crash"},
    "github_list_issues": {"repo": REPO},
    "github_get_issue": {"repo": REPO, "number": 1},
    "github_list_pull_requests": {"repo": REPO},
    "github_get_pull_request": {"repo": REPO, "number": 2},
    "github_list_commits": {"repo": REPO},
    "github_read_file": {"repo": REPO, "path": "README.md"},
    "github_search_code": {"query": "shop"},
    "github_list_workflow_runs": {"repo": REPO},
}
WRITES: dict[str, dict[str, Any]] = {
    "github_create_issue": {"repo": REPO, "title": "It is slow", "body": "Very."},
    "github_update_issue": {"repo": REPO, "number": 1, "state": "closed"},
    "github_comment_on_issue": {"repo": REPO, "number": 1, "body": "I see it, too."},
}
ALL = READS | WRITES
