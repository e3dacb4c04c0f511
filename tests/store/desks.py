"""The journal's port, whichever store is behind it, and a way to look at what it wrote."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal
from pathlib import Path
from typing import Protocol

from sqlalchemy import select

from omniforge import clock
from omniforge.journal.events import Event
from omniforge.journal.memory import MemoryJournalStore
from omniforge.journal.ports import Decision, InboxItem, JournalStore, NodeState, Verdict
from omniforge.journal.steps import Fence, NodeKey
from omniforge.store.store import open_store
from omniforge.store.streams import events_after
from omniforge.store.tables import inbox, streams
from tests.store.making import Tenant, announcing

HAPPENED = Verdict(Decision.HAPPENED, "us_anna", "I looked")


class Desk(Protocol):
    """One run's journal."""

    run_id: str

    @property
    def store(self) -> JournalStore: ...

    async def money(self) -> tuple[Decimal, ...]: ...

    async def events(self) -> list[Event]: ...

    async def decide(self, key: NodeKey, wait_id: str, verdict: Verdict = HAPPENED) -> None: ...


class MemoryDesk:
    def __init__(self, cap: Decimal | None) -> None:
        self.run_id = "run-1"
        self.store = MemoryJournalStore()
        self._stream = self.store.streams[self.run_id]
        self._stream.cap = cap

    async def money(self) -> tuple[Decimal, ...]:
        return self._stream.reserved, self._stream.settled

    async def events(self) -> list[Event]:
        return self._stream.events

    async def decide(self, key: NodeKey, wait_id: str, verdict: Verdict = HAPPENED) -> None:
        item = InboxItem(
            wait_id, wait_id, verdict.decision, verdict.by, verdict.note, verdict.arguments
        )
        self.store.inbox.setdefault(key, []).append(item)


class SqlDesk:
    def __init__(self, tenant: Tenant, run_id: str) -> None:
        self._tenant, self.run_id = tenant, run_id
        self.store = tenant.mine.journal

    async def money(self) -> tuple[Decimal, ...]:
        query = select(streams.c.reserved, streams.c.settled).where(streams.c.id == self.run_id)
        row = await self._tenant.store.database.read(lambda c: c.execute(query).one())
        return row.reserved, row.settled

    async def events(self) -> list[Event]:
        """Without the one that `begin` wrote."""
        return await self._tenant.store.database.read(
            lambda c: events_after(c, self.run_id, 1, 1_000)
        )

    async def decide(self, key: NodeKey, wait_id: str, verdict: Verdict = HAPPENED) -> None:
        row = {
            **key._asdict(),
            "id": wait_id,
            "tenant_id": self._tenant.id,
            "wait_id": wait_id,
            "decision": verdict.decision,
            "decided_by": verdict.by,
            "note": verdict.note,
            "arguments": verdict.arguments,
            "created_at": clock.now(),
        }
        await self._tenant.store.database.write(lambda c: c.execute(inbox.insert(), [row]))


@asynccontextmanager
async def a_desk(database_url: str | None, folder: Path, cap: str) -> AsyncIterator[Desk]:
    """A run's journal under a cap: in memory, or in a database that has been prepared."""
    if database_url is None:
        yield MemoryDesk(Decimal(cap))
        return
    store = open_store(database_url, folder)
    tenant = await Tenant.new(store)
    run = await tenant.begun(cap=cap)
    yield SqlDesk(tenant, run.id)
    await store.close()


async def claim(desk: Desk, attempt: int, node: str = "report", segment: int = 0) -> NodeState:
    fence = Fence(segment, attempt)
    return await desk.store.claim(NodeKey(desk.run_id, node), node, fence, announcing(node))
