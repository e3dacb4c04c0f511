"""What befalls a platform while it works."""

import asyncio
import random
from collections import Counter
from collections.abc import Callable, Coroutine
from typing import Any

from tests.chaos.stage import Stage

Say = Callable[[str], None]
Torment = Callable[[Stage], Coroutine[Any, Any, None]]
"""Does it harm until it is cancelled, or has done what it wanted."""

# Seconds between two of a kind, from and to; a worker's are counted from its first work, so that a
# slow machine does not only see workers that start.
WORKER, DATABASE, API = (2.0, 7.0), (15.0, 30.0), (25.0, 50.0)
# The longest is longer than the product waits for a lock by itself.
AWAY = (0.5, 7.0)


class Everything:
    """Workers die every few seconds, the database now and then, the API more rarely."""

    def __init__(self, seed: int, say: Say) -> None:
        self.counts: Counter[str] = Counter()
        self._seed, self._say = seed, say

    async def __call__(self, stage: Stage) -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(self._kill_workers(stage))
            group.create_task(self._kill_apis(stage))
            group.create_task(self._strike(stage))

    async def _kill_workers(self, stage: Stage) -> None:
        draw = random.Random(f"{self._seed} worker")  # noqa: S311
        while True:
            before = stage.model.asked
            while stage.model.asked == before:
                await asyncio.sleep(0.05)
            await asyncio.sleep(draw.uniform(*WORKER))
            stage.platform.kill("worker")
            self.counts["worker killed"] += 1

    async def _kill_apis(self, stage: Stage) -> None:
        draw = random.Random(f"{self._seed} api")  # noqa: S311
        while True:
            await asyncio.sleep(draw.uniform(*API))
            stage.platform.kill("api")
            self.counts["API killed"] += 1

    async def _strike(self, stage: Stage) -> None:
        draw = random.Random(f"{self._seed} database")  # noqa: S311
        while True:
            await asyncio.sleep(draw.uniform(*DATABASE))
            self._say(await stage.database.strike(draw.uniform(*AWAY)))
            self.counts["database away"] += 1
