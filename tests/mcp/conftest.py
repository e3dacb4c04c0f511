from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from omniforge.journal.memory import MemoryBlobs
from omniforge.tools.protocol import ToolCallContext
from omniforge.tools.workspace import Workspace
from tests.mcp.honest import make_server
from tests.mcp.making import TENANT, on_the_web


@pytest.fixture
def context(tmp_path: Path) -> ToolCallContext:
    return ToolCallContext(TENANT, "task", "session", Workspace(tmp_path / "files", MemoryBlobs()))


@pytest.fixture
async def url(tmp_path: Path) -> AsyncIterator[str]:
    """An honest server of the newest protocol; its posts are in the test's folder."""
    async with on_the_web(make_server(tmp_path)) as url:
        yield url
