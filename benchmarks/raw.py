"""What we are compared with: a hand-written workflow of three activities that do nothing."""

import asyncio
from datetime import timedelta

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


async def work() -> None:
    """Serve the queue until killed."""
    from workflows.wire import connect

    async with Worker(
        await connect(),
        task_queue=QUEUE,
        workflows=[RawRun],
        activities=[nothing],
        max_concurrent_activities=200,
    ):
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(work())
