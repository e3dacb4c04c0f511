"""What a journalled step costs, beside a bare row and its commit on the same disk."""

import statistics
import time
from collections.abc import Awaitable, Callable
from decimal import Decimal
from pathlib import Path

from sqlalchemy import text

from omniforge import clock
from omniforge.identity import new_id
from omniforge.journal.journal import Journal
from omniforge.journal.steps import NodeKey, Performed, Request, Sending, StepKind
from omniforge.store.bootstrap import prepare
from omniforge.store.store import open_store
from omniforge.store.streams import open_stream

STEPS = 300
ANSWER = {"text": "x" * 500}


async def measure_journal(database_url: str, folder: Path) -> tuple[float, float]:
    """Milliseconds at the median: a recorded step, and a bare row."""
    await prepare(database_url)
    store = open_store(database_url, folder)
    stream = new_id("ex")
    await store.database.write(lambda c: open_stream(c, stream, "bench", Decimal(1), clock.now()))
    journal = await Journal.open(store.for_tenant("bench").journal, NodeKey(stream, "n"), "n")

    async def perform(_: Sending) -> Performed:
        return Performed(answer=ANSWER)

    async def step() -> None:
        await journal.step(Request(StepKind.TOOL, "tool", {"n": len(ANSWER)}), perform)

    await store.database.write(lambda c: c.execute(text("CREATE TABLE bare (id TEXT, body TEXT)")))
    row = text("INSERT INTO bare VALUES (:id, :body)")

    async def bare() -> None:
        values = {"id": new_id("b"), "body": ANSWER["text"]}
        await store.database.write(lambda c: c.execute(row, values))

    try:
        return await _median(step), await _median(bare)
    finally:
        await store.close()


async def _median(work: Callable[[], Awaitable[None]]) -> float:
    times = []
    for _ in range(STEPS):
        started = time.perf_counter()
        await work()
        times.append((time.perf_counter() - started) * 1000)
    return statistics.median(times)
