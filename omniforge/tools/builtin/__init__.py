"""The tools every agent can use without a connection."""

from collections.abc import Iterable

from omniforge.tools.builtin.clock import clock_tool
from omniforge.tools.builtin.files import file_tools
from omniforge.tools.builtin.http import http_tools
from omniforge.tools.builtin.tables import table_tools
from omniforge.tools.egress import Egress
from omniforge.tools.protocol import Tool


def builtin_tools(http_allow_private: Iterable[str] = ()) -> list[Tool]:
    """All built-in tools. `http_allow_private` lists private hosts (`host` or `host:port`) they may reach."""
    return [clock_tool(), *file_tools(), *table_tools(), *http_tools(Egress(http_allow_private))]
