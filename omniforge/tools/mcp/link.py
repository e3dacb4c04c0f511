"""A server as one tenant uses it: connected when first needed, and again when the line was lost."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from omniforge.tools.mcp.listing import Listing

if TYPE_CHECKING:
    from mcp_types import CallToolResult

    from omniforge.tools.mcp.connection import Connection

# A server that is being started again is there within seconds.
_PAUSES = (0.2, 0.5, 1.0, 2.0, 4.0, 8.0)


class NotReached(Exception):
    """There is no session with a server, and nothing was sent to it. The text says why.

    `said` is the end of what its program wrote to stderr: for operators, since it may hold anything.
    """

    def __init__(self, reason: str, *, said: str = "", is_for_good: bool = False) -> None:
        super().__init__(reason)
        self.said, self.is_for_good = said, is_for_good


@dataclass(slots=True)
class Line:
    """What a transport tells of its other end."""

    lost: asyncio.Event = field(default_factory=asyncio.Event)
    said: str = ""


class Link:
    """Shared by all skills of a tenant that run in this process."""

    def __init__(self, name: str, connect: "Callable[[], Awaitable[Connection]]") -> None:
        self.name, self._connect = name, connect
        self._connection: Connection | None = None
        self._connecting = asyncio.Lock()

    async def listing(self) -> Listing:
        """
        Raises:
            NotReached: There is no session to be had.
        """
        kept = self._connection
        connection = await self._connected()
        try:
            return await connection.listing()
        except NotReached:
            if connection is not kept:
                raise  # it was new already
        return await (await self._connected()).listing()

    async def first_listing(self, seconds: float) -> Listing:
        """The same, tried again for some seconds while the server may be coming up."""
        end = asyncio.get_running_loop().time() + seconds
        for pause in _PAUSES:
            try:
                return await self.listing()
            except NotReached as error:
                if error.is_for_good or asyncio.get_running_loop().time() + pause > end:
                    raise
            await asyncio.sleep(pause)
        return await self.listing()

    async def call(self, tool: str, arguments: Mapping[str, Any]) -> "CallToolResult":
        """As `Connection.call`, over the session whose listing the caller knows, and no other."""
        if self._connection is None:
            raise NotReached("there is no session")
        return await self._connection.call(tool, arguments)

    def forget_listing(self) -> None:
        if self._connection is not None:
            self._connection.forget_listing()

    async def aclose(self) -> None:
        if self._connection is not None:
            await self._connection.aclose()

    async def _connected(self) -> "Connection":
        async with self._connecting:
            if self._connection is None or self._connection.is_lost:
                self._connection = await self._connect()
            return self._connection
