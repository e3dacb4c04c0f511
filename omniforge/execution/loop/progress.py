"""Where a skill's turns are, for whoever watches and for a result that comes early."""

import asyncio
from dataclasses import dataclass

from omniforge.execution.events import TaskEvent, TaskMessageEvent


@dataclass(slots=True)
class Progress:
    task_id: str
    events: asyncio.Queue[TaskEvent] | None = None
    """None when nobody watches, so that nothing piles up."""
    iterations: int = 0
    text: str = ""
    """The model's latest words: the partial result of a skill that ends without an answer."""

    def say(self, text: str) -> None:
        if text and self.events is not None:
            self.events.put_nowait(TaskMessageEvent(self.task_id, self.iterations, text))
