"""What skills can do in Slack."""

from omniforge.integrations.operations import Operation
from omniforge.integrations.slack.client import Slack
from omniforge.integrations.slack.reading import (
    find_user,
    list_channels,
    read_channel,
    read_thread,
    search_messages,
)
from omniforge.integrations.slack.writing import (
    add_reaction,
    post_message,
    reply_in_thread,
    send_direct_message,
    update_message,
)

OPERATIONS: tuple[Operation[Slack], ...] = (
    list_channels,
    find_user,
    read_channel,
    read_thread,
    search_messages,
    post_message,
    reply_in_thread,
    send_direct_message,
    update_message,
    add_reaction,
)
