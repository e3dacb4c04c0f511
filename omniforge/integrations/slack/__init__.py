"""Slack: channels, messages and people, over its Web API."""

from omniforge.integrations.operations import Integration
from omniforge.integrations.slack.client import SLACK, Slack
from omniforge.integrations.slack.oauth import OAUTH
from omniforge.integrations.slack.tools import OPERATIONS

INTEGRATION = Integration(SLACK, OAUTH, Slack, OPERATIONS, Slack.account)
