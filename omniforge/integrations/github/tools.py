"""What skills can do on GitHub."""

from omniforge.integrations.github.client import GitHub
from omniforge.integrations.github.code import (
    get_pull_request,
    list_commits,
    list_pull_requests,
    list_workflow_runs,
    read_file,
    search_code,
)
from omniforge.integrations.github.issues import (
    comment_on_issue,
    create_issue,
    get_issue,
    list_issues,
    search_issues,
    update_issue,
)
from omniforge.integrations.operations import Operation

OPERATIONS: tuple[Operation[GitHub], ...] = (
    search_issues,
    list_issues,
    get_issue,
    create_issue,
    update_issue,
    comment_on_issue,
    list_pull_requests,
    get_pull_request,
    list_commits,
    read_file,
    search_code,
    list_workflow_runs,
)
