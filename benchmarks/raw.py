"""What we are compared with: hand-written workflows of activities that do nothing, or take a second."""

import asyncio
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

from temporalio import activity, workflow
from temporalio.worker import Worker

QUEUE = "bench-raw"

# The size of what our own activities carry is smaller; 1 KB is what a careful author would send.
PAYLOAD = "x" * 1024


@activity.defn
async def nothing(text: str) -> str:
    return text


@workflow.defn
class RawRun:
    @workflow.run
    async def run(self, text: str) -> str:
        for _ in range(3):
            text = await workflow.execute_activity(
                nothing, text, start_to_close_timeout=timedelta(seconds=30)
            )
        return text


@activity.defn
async def a_second(text: str) -> str:
    await asyncio.sleep(1)
    return text


@workflow.defn
class RawSeconds:
    @workflow.run
    async def run(self, turns: list[int]) -> None:
        """Turns one after another, each of so many activities side by side."""
        for count in turns:
            await asyncio.gather(
                *(
                    workflow.execute_activity(
                        a_second, PAYLOAD, start_to_close_timeout=timedelta(seconds=30)
                    )
                    for _ in range(count)
                )
            )


@contextmanager
def raw_worker() -> Iterator[None]:
    """A process that serves the queue until the block ends."""
    root = Path(__file__).parents[1]
    worker = subprocess.Popen([sys.executable, "-m", "benchmarks.raw"], cwd=root)
    try:
        yield
    finally:
        worker.kill()
        worker.wait()


async def work() -> None:
    """Serve the queue until killed."""
    from workflows.wire import connect

    async with Worker(
        await connect(),
        task_queue=QUEUE,
        workflows=[RawRun, RawSeconds],
        activities=[nothing, a_second],
        max_concurrent_activities=200,
    ):
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(work())
