"""What a run waits for: people, money, other runs. No worker slot is held meanwhile."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Sequence
from datetime import timedelta
from typing import Any, Literal

from temporalio import workflow
from temporalio.exceptions import ApplicationError

with workflow.unsafe.imports_passed_through():
    from activities.payloads import OpenWait
    from omniforge.agents.config import Patience
    from omniforge.agents.runs import RunStatus
    from workflows.attributes import OF_STATUS
    from workflows.bookkeeping import Bookkeeping

# Of several, the row shows the one that is first here: what nobody but a person can end.
_URGENCY = ("effect", "approval", "input", "budget", "connection", "child", "pause")

# What an interruption ends. A run that was started for a skill is told of it, and ends by itself.
ENDED_BY_STOP = frozenset(_URGENCY) - {"child"}

_ASKED_OF_PEOPLE = frozenset({"effect", "approval", "input"})

Overdue = Literal["remind", "escalate", "give_up"]


class Waits:
    """The open waits of a run, and what its row says of them."""

    def __init__(
        self, books: Bookkeeping, admit: Callable[[Sequence[str]], Awaitable[None]]
    ) -> None:
        """`admit` is given the runs that may begin because this one makes room while it waits."""
        self._books, self._admit = books, admit
        self.patience = Patience()
        self._segments = 0
        self._open: dict[str, OpenWait] = {}
        self._shown: str | None = None
        self._showing = asyncio.Lock()

    def refuse_unless_open(self, wait_id: str) -> None:
        """
        Raises:
            ApplicationError: The run does not wait for this, or no longer.
        """
        if wait_id not in self._open:
            raise ApplicationError(f"The run does not wait for {wait_id!r}.", type="not_waiting")

    def end(self, wait_id: str) -> None:
        self._open.pop(wait_id, None)

    def end_all(self, kinds: Collection[str]) -> None:
        """End every wait of these kinds. Who waited looks for itself whether it may go on."""
        for wait in list(self._open.values()):
            if wait.kind in kinds:
                self.end(wait.id)

    @contextlib.asynccontextmanager
    async def segment_under_way(self) -> AsyncIterator[None]:
        self._segments += 1
        try:
            yield
        finally:
            self._segments -= 1
        await self.show()

    async def look_for_money(self) -> None:
        """End the waits for money that there is room for. The others notice nothing."""
        if any(wait.kind == "budget" for wait in self._open.values()):
            for wait_id in (await self._books.look_for_money()).wait_ids:
                self.end(wait_id)

    async def look_for_connections(self) -> None:
        """End the waits for accounts that are connected by now."""
        if any(wait.kind == "connection" for wait in self._open.values()):
            for wait_id in (await self._books.look_for_connections()).wait_ids:
                self.end(wait_id)

    async def hold(
        self,
        waits: Sequence[OpenWait],
        run_child: Callable[[OpenWait], Awaitable[None]] | None = None,
    ) -> None:
        """Wait until all of these have ended. `run_child` runs what a wait of kind child waits for."""
        self._open |= {wait.id: wait for wait in waits}
        await self.show()
        if any(wait.kind == "budget" for wait in waits):
            # A cap that was raised before this wait was known has been told to nobody.
            await self.look_for_money()
        if any(wait.kind == "connection" for wait in waits):
            await self.look_for_connections()  # for the same reason
        tasks = [asyncio.create_task(self._remember(wait)) for wait in waits if _is_asked(wait)]
        if run_child is not None:
            tasks += [
                asyncio.create_task(self._child(wait, run_child))
                for wait in waits
                if wait.kind == "child"
            ]
        try:
            await workflow.wait_condition(lambda: not any(wait.id in self._open for wait in waits))
        finally:
            await stop(tasks)
            for wait in waits:
                self.end(wait.id)
        await self.show()

    async def show(self) -> None:
        """Have the run's row say what is waited for now, if that is something else than it says."""
        async with self._showing:
            if (most_urgent := self._most_urgent()) == self._shown:
                return
            self._shown = most_urgent
            status = RunStatus.WAITING if most_urgent else RunStatus.RUNNING
            workflow.upsert_search_attributes([OF_STATUS.value_set(status)])
            admitted = await self._books.mark(most_urgent)
        await self._admit(admitted.execution_ids)

    def _most_urgent(self) -> str | None:
        kinds = {wait.kind for wait in self._open.values()}
        if self._segments:
            kinds.discard("pause")  # it is paused when the steps under way have ended
        return next((kind for kind in _URGENCY if kind in kinds), None)

    async def _child(
        self, wait: OpenWait, run_child: Callable[[OpenWait], Awaitable[None]]
    ) -> None:
        await run_child(wait)
        self.end(wait.id)

    async def _remember(self, wait: OpenWait) -> None:
        """Remind people, tell others, and give up, where the agent's owner wants that."""
        waited = 0.0
        for after, what in _moments(self.patience):
            pause = timedelta(seconds=max(0.0, after - waited))
            await workflow.sleep(pause, summary=f"{what.replace('_', ' ')}: {wait.tool}")
            waited = after
            await self._books.overdue(wait.id, what)
        if self.patience.give_up_after_s is not None:
            self.end(wait.id)


def _is_asked(wait: OpenWait) -> bool:
    return wait.kind in _ASKED_OF_PEOPLE


def _moments(patience: Patience) -> list[tuple[float, Overdue]]:
    """When something is due for a question that nobody answers, in seconds from it."""
    moments: dict[Overdue, float | None] = {
        "remind": patience.remind_after_s,
        "escalate": patience.escalate_after_s,
        "give_up": patience.give_up_after_s,
    }
    due = sorted((after, what) for what, after in moments.items() if after is not None)
    # Nobody is told of a question that has been given up.
    return due[: next((n for n, (_, what) in enumerate(due, 1) if what == "give_up"), len(due))]


async def stop(tasks: Sequence[asyncio.Task[Any]]) -> None:
    """Cancel tasks and let each of them finish cancelling."""
    for task in tasks:
        task.cancel()
    # A workflow that its worker lets go of in mid-wait is thrown away outside of any loop.
    if tasks and workflow.in_workflow():
        await workflow.wait(tasks)
