"""Money is set aside before a call and counted after it, whatever happens in between."""

import asyncio
from decimal import Decimal
from types import SimpleNamespace

import pytest

from omniforge.errors import BudgetExceeded, Fenced
from omniforge.journal import journal as journal_module
from omniforge.journal.journal import Interrupted
from omniforge.journal.steps import Performed, Step, StepStatus
from tests.journal.making import KEY, Node, World, dollars, failure, model, spent, tool
from tests.support.requirements import requirement


def money(node: Node) -> tuple[Decimal, ...]:
    """(reserved, settled)"""
    return node.money.reserved, node.money.settled


def on_record(node: Node, number: int = 0) -> Step:
    return node.store._nodes[KEY].steps[number]


@requirement("BUD-2")
async def test_the_worst_case_is_reserved_before_the_call_and_settled_to_the_cost_after_it() -> (
    None
):
    node = Node(cap="10")
    seen: list[tuple[Decimal, ...]] = []

    async def look() -> Performed:
        seen.append(money(node))
        return spent("1.5")

    step = await (await node.worker()).step(model(reserve="4"), World(look))

    assert seen == [dollars(4, 0)]
    assert money(node) == dollars(0, 1.5)
    assert (step.cost, step.is_cost_assumed) == (Decimal("1.5"), False)
    assert step.reserved == 0


async def test_a_call_whose_worst_case_does_not_fit_is_not_made() -> None:
    node, world = Node(cap="3"), World(spent("1"))
    journal = await node.worker()

    with pytest.raises(BudgetExceeded):
        await journal.step(model(reserve="4"), world)

    assert world.count == 0
    assert money(node) == dollars(0, 0)


async def test_a_call_that_uses_the_cap_to_the_last_cent_is_made() -> None:
    node = Node(cap="4")
    await (await node.worker()).step(model(reserve="4"), World(spent("4")))

    assert money(node) == dollars(0, 4)


@requirement("BUD-2")
async def test_a_call_waits_for_one_under_way_that_holds_the_rest_of_the_money() -> None:
    node, most = Node(cap="5"), Decimal(0)

    async def look() -> Performed:
        nonlocal most
        most = max(most, sum(money(node), Decimal(0)))
        await asyncio.sleep(0.005)
        return spent("1")

    journal, world = await node.worker(), World(look)
    slots = journal.take([model(reserve="3")] * 3)

    await asyncio.gather(*(journal.run(slot, world) for slot in slots))

    assert most <= 5
    assert money(node) == dollars(0, 3)


async def test_a_call_that_will_not_fit_however_cheap_the_others_are_does_not_wait() -> None:
    node, world = Node(cap="5"), World(lambda: asyncio.sleep(0, spent("3")))
    journal = await node.worker()
    slots = journal.take([model(reserve="3"), model(reserve="3")])

    outcomes = await asyncio.gather(
        *(journal.run(slot, world) for slot in slots), return_exceptions=True
    )

    assert [type(each) for each in outcomes if isinstance(each, Exception)] == [BudgetExceeded]
    assert world.count == 1


async def test_who_waits_for_money_can_be_stopped_and_cancelled_and_holds_nothing() -> None:
    node, reasons = Node(cap="5"), [None, None, "drain"]
    journal = await node.worker(lambda: reasons.pop(0) if reasons else None)
    slots = journal.take([model(reserve="4")] * 3)
    first = asyncio.create_task(journal.run(slots[0], World(asyncio.Future)))
    while not node.money.reserved:
        await asyncio.sleep(0)

    with pytest.raises(Interrupted):
        await journal.run(slots[1], World())
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01):
            await journal.run(slots[2], World())

    assert money(node) == dollars(4, 0)
    first.cancel()
    await asyncio.wait([first])


async def test_waiting_for_money_counts_as_working_time(monkeypatch: pytest.MonkeyPatch) -> None:
    node, seconds = Node(cap="5"), 0.0

    def tick() -> None:
        nonlocal seconds
        seconds += 1

    monkeypatch.setattr(journal_module, "time", SimpleNamespace(monotonic=lambda: seconds))
    journal = await node.worker(tick)
    slots = journal.take([model(reserve="4")] * 2)
    replies = World(lambda: asyncio.sleep(0.005, spent("1")))

    await asyncio.gather(*(journal.run(slot, replies) for slot in slots))

    assert node.store._nodes[KEY].active == seconds > 2


async def test_what_a_provider_bills_beyond_the_worst_case_is_kept_apart_and_takes_up_room() -> (
    None
):
    node = Node(cap="10")
    journal = await node.worker()
    step = await journal.step(model(reserve="4"), World(spent("7")))

    with pytest.raises(BudgetExceeded, match=r"\$3 of the \$10 of this run is left"):
        await journal.step(model(reserve="4"), World(spent("1")))

    assert step.cost == 7
    assert money(node) == dollars(0, 4)
    assert node.money.overrun == 3


async def test_a_call_that_failed_settles_at_what_it_cost() -> None:
    node = Node(cap="10")
    step = await (await node.worker()).step(model(reserve="4"), World(failure()))

    assert step.status is StepStatus.FAILED
    assert money(node) == dollars(0, 0)


async def test_a_call_that_breaks_off_is_settled_at_its_worst_case_and_marked_assumed() -> None:
    node = Node(cap="10")
    with pytest.raises(RuntimeError):
        await (await node.worker()).step(model(reserve="4"), World(RuntimeError("bug")))

    assert money(node) == dollars(0, 4)
    assert on_record(node).cost == 4
    assert on_record(node).is_cost_assumed


async def test_a_call_that_is_cancelled_does_not_keep_its_reservation() -> None:
    node = Node(cap="10")
    journal, begun = await node.worker(), asyncio.Event()

    async def hang() -> Performed:
        begun.set()
        return await asyncio.Future()

    call = asyncio.create_task(journal.step(model(reserve="4"), World(hang)))
    await begun.wait()
    call.cancel()
    await asyncio.wait([call])

    assert call.cancelled()
    assert money(node) == dollars(0, 4)


async def test_after_a_cancelled_call_the_successor_asks_again_and_both_are_counted() -> None:
    node = Node(cap="10")
    with pytest.raises(asyncio.CancelledError):
        await (await node.worker()).step(model(reserve="4"), World(asyncio.CancelledError()))

    step = await (await node.worker()).step(model(reserve="4"), World(spent("1.5")))

    assert (step.cost, step.is_cost_assumed) == (Decimal("5.5"), True)
    assert money(node) == dollars(0, 5.5)


@requirement("BUD-2")
async def test_a_reservation_whose_worker_died_is_settled_by_the_successor() -> None:
    node = Node(cap="10")
    await _die_in_mid_call(node, reserve="4")
    assert money(node) == dollars(4, 0)

    step = await (await node.worker()).step(model(reserve="4"), World(spent("1")))

    assert step.cost == 5
    assert step.is_cost_assumed
    assert money(node) == dollars(0, 5)


async def test_a_dead_workers_call_is_settled_even_when_there_is_no_money_for_another() -> None:
    node, world = Node(cap="5"), World(spent("1"))
    await _die_in_mid_call(node, reserve="4")
    successor = await node.worker()

    with pytest.raises(BudgetExceeded):
        await successor.step(model(reserve="4"), world)

    assert world.count == 0
    assert money(node) == dollars(0, 4)
    assert successor.cost == 4
    assert on_record(node).is_cost_assumed


async def test_a_worker_that_comes_back_too_late_changes_no_money() -> None:
    node = Node(cap="10")
    lost, release = await node.worker(), asyncio.Event()

    async def slow() -> Performed:
        await release.wait()
        return spent("2")

    call = asyncio.create_task(lost.step(model(reserve="4"), World(slow)))
    await asyncio.sleep(0)
    await (await node.worker()).step(model(reserve="4"), World(spent("1")))
    release.set()

    with pytest.raises(Fenced):
        await call
    assert money(node) == dollars(0, 5)


async def test_what_costs_nothing_writes_nothing_ahead() -> None:
    node = Node(cap="0")
    seen: list[int] = []

    async def look() -> Performed:
        seen.append(len(node.store._nodes[KEY].steps))
        return Performed("ok")

    await (await node.worker()).step(tool(), World(look))

    assert seen == [0]


async def _die_in_mid_call(node: Node, reserve: str) -> None:
    """A worker that is gone between the reservation and its answer: nothing of it runs any more."""
    journal = await node.worker()
    call = asyncio.create_task(journal.step(model(reserve), World(asyncio.Future)))
    while not node.money.reserved:
        await asyncio.sleep(0)
    node.store._nodes[KEY].fence = journal.fence._replace(segment=0, attempt=-1)  # it may not write
    call.cancel()
    await asyncio.wait([call])
    assert isinstance(call.exception(), Fenced)
