"""What the tests of the tools share: a workspace with the tools at hand."""

from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

from omniforge.errors import BlobMissing
from omniforge.journal.blobs import digest_of
from omniforge.tools.builtin import builtin_tools
from omniforge.tools.protocol import Tool, ToolCallContext
from omniforge.tools.registry import ToolRegistry
from omniforge.tools.workspace import Workspace


class MemoryBlobs:
    def __init__(self) -> None:
        self._contents: dict[str, bytes] = {}

    async def put(self, content: bytes) -> str:
        self._contents[digest_of(content)] = content
        return digest_of(content)

    async def get(self, digest: str) -> bytes:
        if digest not in self._contents:
            raise BlobMissing(digest)
        return self._contents[digest]


@cache
def _builtin() -> ToolRegistry:
    """The tools keep no state, so all tests can share them."""
    return ToolRegistry(builtin_tools())


class Bench:
    """A workspace on disk and tools that work in it, called as the gateway calls them."""

    def __init__(self, root: Path, tools: Sequence[Tool] = ()) -> None:
        self.workspace = Workspace(root, MemoryBlobs())
        self.registry = ToolRegistry(tools) if tools else _builtin()
        self.context = ToolCallContext(
            "tenant", "task", "session", self.workspace, effect_id="of-effect-1"
        )

    async def call(self, tool: str, **arguments: Any) -> Any:  # tools answer with any JSON
        """Arguments that end with an underscore lose it: `from_`, `as_`."""
        plain = {name.rstrip("_"): value for name, value in arguments.items()}
        self.registry.schema_of(tool).check(plain)
        found = self.registry.get(tool)
        assert found is not None
        return await found.run(plain, self.context)

    def has(self, name: str, content: str | bytes) -> None:
        self.workspace.write(name, content if isinstance(content, bytes) else content.encode())

    def text_of(self, name: str) -> str:
        return self.workspace.read(name).decode()
