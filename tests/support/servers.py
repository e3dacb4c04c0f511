"""An ASGI app on a real port of loopback, in the test's own event loop."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator
from typing import Any

import uvicorn


class _Server(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Signals belong to pytest."""
        yield


@contextlib.asynccontextmanager
async def serving(app: Any, port: int, grace: int = 1) -> AsyncIterator[None]:
    """Serve until the block ends; then requests under way are cut after `grace` seconds."""
    config = uvicorn.Config(
        app, port=port, log_config=None, interface="asgi3", timeout_graceful_shutdown=grace
    )
    server = _Server(config)
    task = asyncio.create_task(server.serve())
    async with asyncio.timeout(20):
        while not server.started:
            assert not task.done(), "the server did not start"
            await asyncio.sleep(0.02)
    try:
        yield
    finally:
        server.should_exit = True
        await task
