"""What a model is writing, shown to people while it comes."""

import asyncio
import logging
from typing import Self

from omniforge.errors import Fenced
from omniforge.journal.events import EventBody, TextDelta, TextReset
from omniforge.journal.journal import Journal

log = logging.getLogger(__name__)

# Often enough to read along, seldom enough that watching costs a run seven short writes a second. A
# text that is whole by then is told in its own event alone.
INTERVAL = 0.15
# What a person can read; an answer that is longer is of no use anyway.
MAX_SHOWN = 200_000


class LiveText:
    """Around the call of one step; the model hands its text to `add`. Leaving it ends all writing.

    A piece that cannot be written is lost, and the call goes on; only a fenced worker is stopped.
    """

    def __init__(self, journal: Journal, step: int) -> None:
        self._journal, self._step = journal, step
        self._pieces: list[str] = []
        self._room = MAX_SHOWN
        self._is_shown = False
        self._writing: asyncio.Task[None] | None = None
        self._ended = asyncio.Event()
        self._one_at_a_time = asyncio.Lock()
        self._fenced: Fenced | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        self._ended.set()
        if self._writing is not None:
            await self._writing

    def add(self, text: str) -> None:
        """Take more text.

        Raises:
            Fenced: A successor has taken over, so nobody waits for this answer.
        """
        if self._fenced is not None:
            raise self._fenced
        text, self._room = text[: self._room], max(0, self._room - len(text))
        self._pieces.append(text)
        if self._writing is None or self._writing.done():
            self._writing = asyncio.create_task(self._write())

    async def drop(self) -> None:
        """Tell watchers that the text so far counts no more."""
        self._pieces.clear()
        self._room = MAX_SHOWN
        if self._is_shown:
            self._is_shown = False
            await self._show(TextReset(step=self._step))

    async def _write(self) -> None:
        """Show what comes until nothing does for a while."""
        while not await self._ends_within(INTERVAL):
            text = "".join(self._pieces).encode("utf-8", "replace").decode()
            self._pieces.clear()
            if not text:
                return
            self._is_shown = True
            await self._show(TextDelta(step=self._step, text=text))

    async def _ends_within(self, seconds: float) -> bool:
        try:
            await asyncio.wait_for(self._ended.wait(), seconds)
        except TimeoutError:
            return False
        return True

    async def _show(self, event: EventBody) -> None:
        async with self._one_at_a_time:
            try:
                await self._journal.show(event)
            except Fenced as fenced:
                self._fenced = fenced
            except Exception:  # whatever it is, the call that people watch is worth more
                log.exception("text_not_shown", extra={"step": self._step})
