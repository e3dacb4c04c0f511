"""GitHub: issues, pull requests, commits, files and workflow runs, over its REST API."""

from omniforge.integrations.github.client import GITHUB, GitHub
from omniforge.integrations.github.oauth import OAUTH
from omniforge.integrations.github.tools import OPERATIONS
from omniforge.integrations.operations import Integration

INTEGRATION = Integration(GITHUB, OAUTH, GitHub, OPERATIONS, GitHub.account)
