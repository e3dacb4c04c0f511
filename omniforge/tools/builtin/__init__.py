"""The tools every agent can use without a connection."""

from collections.abc import Iterable
from datetime import timedelta

from omniforge.tools.builtin.asking import ask_tool
from omniforge.tools.builtin.clock import clock_tool
from omniforge.tools.builtin.files import file_tools
from omniforge.tools.builtin.http import TIMEOUT, http_tools
from omniforge.tools.builtin.tables import table_tools
from omniforge.tools.egress import Egress
from omniforge.tools.protocol import Tool


def builtin_tools(
    http_allow_private: Iterable[str] = (), http_timeout: timedelta = TIMEOUT
) -> list[Tool]:
    """All built-in tools. `http_allow_private` lists private hosts (`host` or `host:port`) they may reach."""
    web = http_tools(Egress(http_allow_private), http_timeout)
    return [clock_tool(), ask_tool(), *file_tools(), *table_tools(), *web]
