"""Linear: issues, comments, teams, people and projects, over its GraphQL API."""

from omniforge.integrations.linear.client import LINEAR, Linear
from omniforge.integrations.linear.oauth import OAUTH
from omniforge.integrations.linear.tools import OPERATIONS
from omniforge.integrations.operations import Integration

INTEGRATION = Integration(LINEAR, OAUTH, Linear, OPERATIONS, Linear.account)
