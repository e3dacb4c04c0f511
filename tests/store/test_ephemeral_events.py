"""What is only shown goes with the step it belongs to: in memory, on SQLite and on PostgreSQL."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from omniforge import clock
from omniforge.agents.runs import RunStatus
from omniforge.journal.events import NewEvent, TextDelta
from omniforge.journal.ports import Transition
from omniforge.journal.steps import Fence, NodeKey
from omniforge.store.store import Store
from tests.store.desks import Desk, a_desk, claim
from tests.store.making import Tenant, a_step, an_event
from tests.support.requirements import requirement


@pytest.fixture
async def desk(journal_url: str | None, tmp_path: Path) -> AsyncIterator[Desk]:
    async with a_desk(journal_url, tmp_path, cap="10") as opened:
        yield opened


def a_delta(number: int, node: str) -> NewEvent:
    body = TextDelta(step=1, text=f"piece {number}")
    return NewEvent(dedupe_key=f"{node}/{number}", node=node, at=clock.now(), body=body)


async def show(desk: Desk, node: str, *numbers: int) -> None:
    for number in numbers:
        change = Transition(events=[a_delta(number, node)])
        await desk.store.commit(NodeKey(desk.run_id, node), Fence(0, 1), change)


async def told(desk: Desk) -> list[tuple[int, str]]:
    """Types of events by number, counted from the first."""
    events = await desk.events()
    return [(event.seq - events[0].seq, event.body.type) for event in events]


async def test_a_commit_takes_away_what_its_own_node_was_showing(desk: Desk) -> None:
    await claim(desk, 1, "left")
    await claim(desk, 1, "right")
    await show(desk, "left", 1, 2)
    await show(desk, "right", 3)

    change = Transition(steps=[a_step()], events=[an_event("done")], clears=True)
    await desk.store.commit(NodeKey(desk.run_id, "left"), Fence(0, 1), change)

    assert [number for number, _ in await told(desk)] == [0, 1, 4, 5]
    assert [kind for _, kind in await told(desk)].count("text_delta") == 1


@requirement("DUR-1")
async def test_a_successor_takes_away_what_its_predecessor_was_showing(desk: Desk) -> None:
    await claim(desk, 1)
    await show(desk, "report", 1, 2)

    await claim(desk, 2)

    assert [number for number, _ in await told(desk)] == [0, 3]


async def test_the_end_of_a_run_leaves_nothing_that_was_only_shown(
    store: Store, tenant: Tenant
) -> None:
    run = await tenant.begun()
    key = NodeKey(run.id, "report")
    journal = tenant.mine.journal
    await journal.claim(key, "report", Fence(0, 1), lambda _: an_event("starts"))
    await journal.commit(key, Fence(0, 1), Transition(events=[a_delta(1, "report")]))

    await tenant.mine.write(lambda db: db.runs.finish(run.id, RunStatus.CANCELLED, None))

    events = await tenant.mine.read(lambda db: db.runs.events(run.id, 0, 100))
    assert "text_delta" not in {event.body.type for event in events}
    assert events[-1].body.type == "run_finished"
