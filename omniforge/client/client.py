"""The client of a platform."""

from typing import Self

from omniforge.client.access.audit import Audit
from omniforge.client.access.keys import Keys
from omniforge.client.access.members import Members
from omniforge.client.agents import Agents
from omniforge.client.approvals import Approvals
from omniforge.client.budgets import Budgets
from omniforge.client.connections import Connections
from omniforge.client.history import Histories
from omniforge.client.mcp_servers import McpServers
from omniforge.client.runs import Runs
from omniforge.client.schedules import Schedules
from omniforge.client.transport import Transport
from omniforge.client.triggers import Triggers
from omniforge.client.workspace import Workspace

DEFAULT_URL = "http://localhost:8000"


class OmniForgeClient:
    """A platform as its API shows it to the owner of a key. Close it, or use it with `async with`.

    Every answer that is an error is raised as the class of `omniforge.errors` it had on the
    platform, and as `ApiError` where there is none. `timeout` bounds one request; `patience` is how
    many seconds a request is tried again for while nothing answers.

    Raises:
        Rejected: The address is not one.
        Unauthenticated: The key cannot be one.
    """

    def __init__(
        self,
        api_key: str,
        base_url: str = DEFAULT_URL,
        *,
        timeout: float = 30.0,
        patience: float = 5.0,
    ) -> None:
        self._transport = Transport(api_key, base_url, timeout, patience)
        self.base_url = self._transport.base_url
        self.agents = Agents(self._transport)
        self.runs = Runs(self._transport)
        self.approvals = Approvals(self._transport)
        self.budgets = Budgets(self._transport)
        self.history = Histories(self._transport)
        self.connections = Connections(self._transport)
        self.mcp_servers = McpServers(self._transport)
        self.schedules = Schedules(self._transport)
        self.triggers = Triggers(self._transport)
        self.workspace = Workspace(self._transport)
        self.keys = Keys(self._transport)
        self.members = Members(self._transport)
        self.audit = Audit(self._transport)

    async def aclose(self) -> None:
        await self._transport.http.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()
