"""The services whose deliveries are understood."""

from collections.abc import Mapping

from omniforge.webhooks.custom import Custom
from omniforge.webhooks.delivery import Provider
from omniforge.webhooks.github import GitHub
from omniforge.webhooks.linear import Linear
from omniforge.webhooks.notion import Notion
from omniforge.webhooks.slack import Slack

PROVIDERS: Mapping[str, Provider] = {
    one.name: one for one in (Notion(), Slack(), GitHub(), Linear(), Custom())
}
