"""MCP over HTTP: to checked addresses, in bounded answers, and with failures told apart."""

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import httpx2
from mcp.client.streamable_http import streamable_http_client
from mcp_types import ErrorData, JSONRPCError, jsonrpc_message_adapter

from omniforge.tools.egress import Egress, PinnedTransport
from omniforge.tools.mcp.process import MAX_MESSAGE_BYTES
from omniforge.tools.mcp.servers import WebServer

if TYPE_CHECKING:
    from mcp.client._transport import TransportStreams

# Codes of our own, for what happened on the way. They lie outside what the protocol and servers use.
NOT_SENT = 7_001
REFUSED = 7_002
SESSION_LOST = 7_003

_BROKEN = 7_004
_CONNECT_SECONDS = 10.0
_SESSION_HEADER = "mcp-session-id"
_NEVER_ARRIVED = (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.UnsupportedProtocol)


@asynccontextmanager
async def web_transport(
    server: WebServer, allow_private: Iterable[str]
) -> AsyncIterator["TransportStreams"]:
    """A session's streams over HTTP. An operator's server may be at a private address, too.

    Raises:
        TryAgain: The address is not one that may be connected to.
    """
    exempt = [httpx2.URL(server.url).host] if server.is_operators else allow_private
    destination = await Egress(exempt).check(server.url)
    async with (
        httpx2.AsyncClient(
            transport=ServerTransport(destination),
            headers={**server.headers, "accept-encoding": "identity"},
            # How long an answer may take is up to each call, and a stream of news may rest for hours.
            timeout=httpx2.Timeout(None, connect=_CONNECT_SECONDS),
            trust_env=False,
        ) as client,
        streamable_http_client(
            server.url, http_client=client, max_sse_event_size=MAX_MESSAGE_BYTES
        ) as streams,
    ):
        yield streams


class ServerTransport(PinnedTransport):
    """Turns each failure into an error message for the one request it belongs to.

    The SDK would end the whole session over a refused connection, and could not say whether the
    request had left.
    """

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        try:
            response = await super().handle_async_request(request)
        except _NEVER_ARRIVED as error:
            return _failure(NOT_SENT, f"no connection came about ({_reason(error)})")
        except httpx2.TransportError as error:
            return _failure(_BROKEN, f"the connection broke off ({_reason(error)})")
        if response.headers.get("content-encoding", "identity") != "identity":
            await response.aclose()
            return _failure(_BROKEN, "the answer is packed in a way that was not asked for")
        is_stream = response.headers.get("content-type", "").startswith("text/event-stream")
        if is_stream and response.is_success:
            return response
        try:
            content = await _content(response)
        except httpx2.TransportError as error:
            return _failure(_BROKEN, f"the answer broke off ({_reason(error)})")
        if content is None:
            return _failure(_BROKEN, f"the answer has more than {MAX_MESSAGE_BYTES} bytes")
        return _judged(request, response, content)


async def _content(response: httpx2.Response) -> bytes | None:
    """The whole body; None when it is too long."""
    content = bytearray()
    try:
        async for chunk in response.aiter_raw():
            content += chunk
            if len(content) > MAX_MESSAGE_BYTES:
                return None
    finally:
        await response.aclose()
    return bytes(content)


def _judged(request: httpx2.Request, response: httpx2.Response, content: bytes) -> httpx2.Response:
    status = response.status_code
    if status == 404 and _SESSION_HEADER in request.headers:
        return _failure(SESSION_LOST, "the server has ended the session")
    if status >= 400 and not _is_error_message(content):
        failed = status >= 500
        said = f"the server {'failed' if failed else 'refused'} with status {status}"
        return _failure(_BROKEN if failed else REFUSED, said)
    headers = {
        name: value
        for name, value in response.headers.items()
        if name not in {"content-length", "transfer-encoding"}
    }
    return httpx2.Response(status, headers=headers, content=content, request=request)


def _is_error_message(content: bytes) -> bool:
    try:
        return isinstance(jsonrpc_message_adapter.validate_json(content), JSONRPCError)
    except ValueError:
        return False


def _failure(code: int, message: str) -> httpx2.Response:
    error = JSONRPCError(jsonrpc="2.0", id=None, error=ErrorData(code=code, message=message))
    content = error.model_dump_json(by_alias=True, exclude_none=False).encode()
    return httpx2.Response(400, headers={"content-type": "application/json"}, content=content)


def _reason(error: Exception) -> str:
    return str(error).rstrip(".") or type(error).__name__
