"""One session with one MCP server, from its handshake to its end. Everything of the SDK is behind this."""

import asyncio
import logging
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from datetime import timedelta
from typing import Any

import mcp_types as types
from mcp import MCPError
from mcp.client import Client, IncomingMessage, Transport
from mcp.client.subscriptions import ListenNotSupportedError, SubscriptionLost
from mcp_types.jsonrpc import (
    CONNECTION_CLOSED,
    HEADER_MISMATCH,
    INVALID_PARAMS,
    METHOD_NOT_FOUND,
)
from pydantic import ValidationError

from omniforge.errors import OutcomeUnknown, TryAgain
from omniforge.tools.mcp.link import Line, NotReached
from omniforge.tools.mcp.listing import Listing, Told, listing_of
from omniforge.tools.mcp.process import process_transport
from omniforge.tools.mcp.servers import ProcessServer, WebServer
from omniforge.tools.mcp.web import NOT_SENT, REFUSED, SESSION_LOST, web_transport
from omniforge.tools.wording import shortened

log = logging.getLogger(__name__)

# A program nobody has used for this long costs more than starting it again.
IDLE = timedelta(minutes=10)
# Far beyond any server known; one that goes on and on is cut here.
_MAX_PAGES = 20
_MAX_LISTED = 1_000
_CLOSE_SECONDS = 6.0
_PAUSE_WITHOUT_NEWS = 5.0

_NOTHING_HAPPENED = {REFUSED, INVALID_PARAMS, METHOD_NOT_FOUND, HEADER_MISMATCH}
_WORDS = 500

OpenTransport = Callable[[Line], Transport]


def over_process(name: str, server: ProcessServer, search_path: str) -> OpenTransport:
    return lambda line: process_transport(name, server, search_path, line)


def over_web(server: WebServer, allow_private: Iterable[str]) -> OpenTransport:
    return lambda _: web_transport(server, allow_private)


class Connection:
    """A session. A task of its own opens and closes it, as the SDK's scopes demand."""

    def __init__(self, name: str, transport: OpenTransport, seconds: float) -> None:
        self._name, self._transport, self._seconds = name, transport, seconds
        self.is_lost = False
        self._line = Line()
        self._ending = self._line.lost
        self._ready: asyncio.Future[Client] = asyncio.get_running_loop().create_future()
        self._calls, self._used = 0, time.monotonic()
        self._quiet = asyncio.Event()
        self._quiet.set()
        self._listing: Listing | None = None
        self._changes = 0
        self._listing_now = asyncio.Lock()
        self._owner = asyncio.create_task(self._own())

    # ---- what it is for ----------------------------------------------------------------------

    async def listing(self) -> Listing:
        """What the server offers; asked for once, and again when it says that it changed.

        Raises:
            NotReached: There is no session, or no usable answer in time.
        """
        async with self._listing_now:
            if self._listing is not None:
                return self._listing
            client, changes = await self._client(), self._changes
            try:
                async with asyncio.timeout(self._seconds):
                    listing = await self._list(client)
            except (MCPError, ValidationError, TimeoutError) as error:
                self._give_up()
                raise NotReached(f"its tools could not be listed: {_reason(error)}") from error
            if changes == self._changes:
                self._listing = listing
            return listing

    def forget_listing(self) -> None:
        self._listing, self._changes = None, self._changes + 1

    async def call(self, tool: str, arguments: Mapping[str, Any]) -> types.CallToolResult:
        """Call a tool by the server's name for it. The caller bounds the time.

        Raises:
            NotReached: Nothing was sent.
            TryAgain: The server refused; nothing happened.
            OutcomeUnknown: It was sent, and there was no usable answer.
        """
        client = await self._client()
        params = types.CallToolRequestParams(name=tool, arguments=dict(arguments))
        self._calls += 1
        self._quiet.clear()
        try:
            # Not `client.call_tool`: that throws an answer away that breaks the tool's output schema.
            return await client.session.send_request(
                types.CallToolRequest(params=params), types.CallToolResult
            )
        except MCPError as error:
            raise self._judged(error) from error
        except ValidationError as error:
            raise OutcomeUnknown(
                f"{self._name} answered with something that is no result."
            ) from error
        finally:
            self._calls -= 1
            self._used = time.monotonic()
            if not self._calls:
                self._quiet.set()

    async def aclose(self) -> None:
        """End the session and its process. Calls under way fail."""
        self._give_up()
        if self._calls or not self._ready.done():
            self._owner.cancel()
        _, left = await asyncio.wait({self._owner}, timeout=_CLOSE_SECONDS)
        for owner in left:
            owner.cancel()

    # ---- the session's own task --------------------------------------------------------------

    async def _own(self) -> None:
        try:
            transport = self._transport(self._line)
            client = Client(transport, cache=None, message_handler=self._hear)
            async with client:
                self._ready.set_result(client)
                async with asyncio.TaskGroup() as tasks:
                    news = tasks.create_task(self._listen(client))
                    await self._until_over()
                    news.cancel()
        except asyncio.CancelledError:
            self._fail("the session was given up")
            raise
        except Exception as error:
            # The SDK wraps whatever went wrong into groups of groups.
            self._fail(_reason(error))
            log.info("mcp_session_ended", extra={"server": self._name, "reason": _reason(error)})
        finally:
            self._give_up()

    async def _until_over(self) -> None:
        while not self._ending.is_set():
            with suppress(TimeoutError):
                async with asyncio.timeout(IDLE.total_seconds()):
                    await self._ending.wait()
            if not self._calls and time.monotonic() - self._used > IDLE.total_seconds():
                break
        self.is_lost = True
        # New calls take another session; those under way may still be answered in this one.
        await self._quiet.wait()

    async def _hear(self, message: IncomingMessage) -> None:
        if isinstance(message, types.ToolListChangedNotification):
            self.forget_listing()

    async def _listen(self, client: Client) -> None:
        """Servers of the newest protocol tell of changes only to those who ask for it."""
        has_heard = False
        while True:
            try:
                async with client.listen(tools_list_changed=True) as news:
                    has_heard = True
                    async for _ in news:
                        self.forget_listing()
            except (SubscriptionLost, MCPError, TimeoutError):
                if not has_heard:
                    return
            except ListenNotSupportedError:
                return
            # Nobody tells of what changes now, or has changed meanwhile.
            self.forget_listing()
            await asyncio.sleep(_PAUSE_WITHOUT_NEWS)

    def _fail(self, reason: str) -> None:
        if not self._ready.done():
            self._ready.set_exception(NotReached(reason, said=self._line.said))
            self._ready.exception()  # nobody may be waiting for it any more

    def _give_up(self) -> None:
        """Use this session for nothing more."""
        self.is_lost = True
        self._ending.set()

    async def _client(self) -> Client:
        if self.is_lost and self._ready.done() and not self._ready.exception():
            raise NotReached("the session has ended")
        try:
            async with asyncio.timeout(self._seconds):
                return await asyncio.shield(self._ready)
        except TimeoutError:
            self._give_up()
            self._owner.cancel()
            reason = f"it did not answer within {self._seconds:g} seconds"
            raise NotReached(reason, said=self._line.said) from None

    # ---- words with the server ---------------------------------------------------------------

    async def _list(self, client: Client) -> Listing:
        tools: list[Told] = []
        cursors: set[str] = set()
        cursor: str | None = None
        for _ in range(_MAX_PAGES):
            page = await client.list_tools(cursor=cursor)
            tools += [_told(tool) for tool in page.tools]
            cursor = page.next_cursor
            if cursor is None or cursor in cursors or len(tools) > _MAX_LISTED:
                break
            cursors.add(cursor)
        kept = tools[:_MAX_LISTED]
        is_cut = cursor is not None or len(kept) < len(tools)
        cut = [f"the list of tools does not end; the first {len(kept)} count"] if is_cut else []
        # Compiling a thousand schemas takes longer than a worker's heart may stand still.
        return await asyncio.to_thread(listing_of, self._name, kept, cut)

    def _judged(self, error: MCPError) -> Exception:
        """What an error of a call means for the one who called."""
        said = shortened(error.message, _WORDS)
        if error.code in {NOT_SENT, SESSION_LOST}:
            self._give_up()
            return NotReached(said)
        if error.code in _NOTHING_HAPPENED:
            self.forget_listing()
            return TryAgain(f"{self._name} refused the call, nothing happened: {said}")
        if error.code == CONNECTION_CLOSED:
            self._give_up()
            return OutcomeUnknown(f"The connection to {self._name} broke before the answer came.")
        return OutcomeUnknown(f"{self._name} failed in the middle of the call: {said}")


def _told(tool: types.Tool) -> Told:
    reads = tool.annotations is not None and tool.annotations.read_only_hint is True
    return Told(tool.name, tool.description or "", tool.input_schema, reads)


def _reason(error: BaseException) -> str:
    """The innermost thing that went wrong, in a few words."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    if isinstance(error, TimeoutError):
        return "it took too long"
    if isinstance(error, MCPError) and error.code == CONNECTION_CLOSED:
        return "it ended the connection at once"
    if isinstance(error, ValidationError):
        return f"its answer breaks the protocol ({shortened(error.errors()[0]['msg'], 200)})"
    return shortened(str(error).rstrip(".") or type(error).__name__, _WORDS)
