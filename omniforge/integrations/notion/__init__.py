"""Notion: pages, databases, comments and people, over its REST API."""

from omniforge.integrations.notion.client import NOTION, Notion
from omniforge.integrations.notion.oauth import OAUTH
from omniforge.integrations.notion.tools import OPERATIONS
from omniforge.integrations.operations import Integration

INTEGRATION = Integration(NOTION, OAUTH, Notion, OPERATIONS, Notion.account)
