"""What one long skill takes of its worker's memory: hundreds of model calls, a transcript of a book."""

import asyncio
import os
import sys
import tempfile
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

from benchmarks.platform import resident_mb
from omniforge import clock
from omniforge.agents.budgets import Payer
from omniforge.agents.runs import TokenUsage
from omniforge.execution.autonomous import AutonomousConfig
from omniforge.execution.events import ExecutionResult
from omniforge.execution.factory import ExecutorFactory
from omniforge.identity import new_id
from omniforge.journal.journal import Journal
from omniforge.journal.steps import NodeKey
from omniforge.llm.protocol import Completion, OnDelta, StopReason, ToolCall, Turn
from omniforge.llm.tokens import estimate_tokens
from omniforge.skills.document import Skill
from omniforge.store.bootstrap import prepare
from omniforge.store.store import Store, open_store
from omniforge.store.streams import open_stream
from omniforge.tools.functions import FunctionTool
from omniforge.tools.protocol import ToolCallContext, ToolSpec

CALLS = 300
# 300 pages of 2,700 characters are some 200,000 tokens of prose.
PAGE = "word " * 540
WINDOWS = {"all of it in mind": 1_000_000, "compacted at 64,000": 64_000}
SKILL = Skill(name="read", description="Reads a book. Use to measure.", body="Read it.")
PAYER = Payer("bench", "us_bench", "ag_bench")


class Reader:
    """A model that asks for one page after another, and looks at the process each time."""

    name, default_model, has_native_tools = "reader", "reader-1", True

    def __init__(self, pages: int, window: int) -> None:
        self._pages, self._window, self._page = pages, window, 0
        self.peak_mb, self.largest = 0.0, 0

    async def complete(self, request: Completion, on_delta: OnDelta | None = None) -> Turn:
        size = estimate_tokens(request) // 2
        self.peak_mb = max(self.peak_mb, resident_mb(os.getpid()))
        self.largest = max(self.largest, size)
        usage = TokenUsage(input_tokens=size, output_tokens=50, model_calls=1)
        if not request.tools or self._page == self._pages:
            return Turn("All of it was read.", (), StopReason.END, usage, self.default_model)
        self._page += 1
        call = ToolCall(f"c{self._page}", "read_page", {"page": self._page})
        return Turn("On.", (call,), StopReason.TOOL_CALLS, usage, self.default_model)

    def price(self, model: str, usage: TokenUsage) -> Decimal | None:
        return Decimal(0)

    def window(self, model: str) -> int | None:
        return self._window

    async def aclose(self) -> None:
        return None


async def _page(arguments: Mapping[str, Any], _: ToolCallContext) -> str:
    return f"{arguments['page']}: {PAGE}"


_PARAMETERS = {"type": "object", "properties": {"page": {"type": "integer"}}}
READ = FunctionTool(ToolSpec("read_page", "Reads a page.", _PARAMETERS, is_outside=True), _page)


async def long_skill_mb(folder: Path, calls: int = CALLS) -> dict[str, float]:
    """How much a skill adds to the process at its peak, by window; the journal is on SQLite."""
    folder.mkdir(exist_ok=True)  # noqa: ASYNC240 - before anything is measured
    database = f"sqlite:///{folder / 'memory.db'}"
    await prepare(database)
    store = open_store(database, folder / "blobs")
    found = {}
    try:
        await _run(store, Reader(20, 64_000))  # what is loaded and grown once
        for name, window in WINDOWS.items():
            before, reader = resident_mb(os.getpid()), Reader(calls, window)
            result = await _run(store, reader)
            if not result.success:
                raise RuntimeError(f"the long skill ended as {result.error}")
            found[f"{name} (requests of up to {reader.largest:,} tokens)"] = reader.peak_mb - before
    finally:
        await store.close()
    return found


async def _run(store: Store, reader: Reader) -> ExecutionResult:
    stream = new_id("ex")
    await store.database.write(lambda c: open_stream(c, stream, PAYER, Decimal(1), clock.now()))
    journal = await Journal.open(store.for_tenant("bench").journal, NodeKey(stream, "n"), "read")
    config = AutonomousConfig(max_iterations=CALLS + 200)
    executor = ExecutorFactory([READ], reader).make(SKILL, config, journal)
    return await executor.execute_sync("{}")


def main() -> int:
    with tempfile.TemporaryDirectory(prefix="omniforge-bench-") as folder:
        for name, value in asyncio.run(long_skill_mb(Path(folder))).items():
            print(f"{value:10.2f}  {name}")
    return 0


if __name__ == "__main__":
    code = main()
    sys.stdout.flush()
    os._exit(code)
