"""Many workers at once under a few caps, and runs that wait for money, on both databases."""

import asyncio
from decimal import Decimal
from random import Random

import pytest

from omniforge.agents.budgets import Period, Scope, Shortfall
from omniforge.agents.runs import Run
from omniforge.errors import BudgetExceeded, BudgetNotRaised
from omniforge.journal.events import BudgetWarning
from omniforge.store.budgets import CostBy
from tests.store.making import Tenant
from tests.store.spending import a_call, cap, caps, taken, taken_by_run
from tests.store.test_budget_model import begin, costs_of, finish, raise_cap
from tests.support.requirements import requirement

LIMIT = Decimal("1.5")
"""How far the cap of one run may rise by itself."""


class Crowd:
    """Workers of four runs whose calls end, are refused, or die with them."""

    def __init__(self, tenant: Tenant, agents: list[str]) -> None:
        self.tenant, self.agents = tenant, agents
        self.people = [tenant.owner.user_id, "us_bob"]
        self.runs: list[Run] = []
        self.refused = 0
        self._choose = Random(7)  # noqa: S311 - the same choices each time

    async def begin_runs(self) -> None:
        for number in range(4):
            person = self.people[number // 2]
            limit = LIMIT if number == 3 else None
            self.runs.append(await begin(self.tenant, self.agents[number % 2], person, limit))

    async def work(self, worker: int) -> None:
        for number in range(12):
            run, amount = self.runs[self._choose.randrange(4)], self._choose.randrange(10, 99)
            call = await a_call(self.tenant, run, f"0.{amount}", f"{worker}.{number}")
            try:
                await call.begin()
            except BudgetExceeded:
                self.refused += 1
                continue
            fate = self._choose.random()
            if fate < 0.2:
                await call.lose_worker()
            elif fate < 0.9:
                await call.end(call.amount * self._choose.randrange(100) / 100)

    async def cap_and_clear(self) -> None:
        for _ in range(10):
            await cap(self.tenant, Scope.USER, self.people[0], "50", Period.EVER)
            await self.look()
            await self.tenant.mine.write(lambda db: db.budgets.clear(self.people[0], Period.EVER))
        await cap(self.tenant, Scope.USER, self.people[0], "50", Period.EVER)

    async def look(self) -> None:
        for budget in (await caps(self.tenant)).values():
            assert budget.settled + budget.reserved <= budget.cap
        reserved, settled, _ = await taken_by_run(self.tenant, self.runs[3].id)
        assert reserved + settled <= LIMIT

    async def end_runs(self) -> None:
        for run in self.runs:
            await finish(self.tenant, run)


@requirement("BUD-2")
async def test_many_workers_at_once_pass_no_cap_wait_for_no_other_and_leak_nothing(
    tenant: Tenant,
) -> None:
    crowd = Crowd(tenant, [await tenant.agent(), await tenant.agent(cap="1")])
    await crowd.begin_runs()
    await cap(tenant, Scope.TENANT, tenant.id, "12", Period.DAY)
    await cap(tenant, Scope.AGENT, crowd.agents[0], "4", Period.MONTH)

    async with asyncio.timeout(60):
        await asyncio.gather(*(crowd.work(worker) for worker in range(16)), crowd.cap_and_clear())
    await crowd.look()
    await crowd.end_runs()

    assert crowd.refused > 0
    events = await tenant.mine.read(lambda db: db.runs.events(crowd.runs[3].id, 0, 1_000))
    assert [event.body.type for event in events].count("budget_raised") == 1
    for budget in (await caps(tenant)).values():
        costs = await costs_of(tenant, CostBy(budget.scope))
        spent = sum((each.cost for each in costs if each.key == budget.subject), Decimal(0))
        assert [*taken(budget)] == [0, spent, 0]


@requirement("BUD-3")
async def test_a_wait_for_money_is_found_when_there_is_room_and_runs_above_are_told(
    tenant: Tenant,
) -> None:
    parent = await begin(tenant, await tenant.agent(cap="1"), tenant.owner.user_id)
    child = await tenant.run(await tenant.agent(), parent_id=parent.id)
    await tenant.mine.write(lambda db: db.runs.begin(child))
    call = await a_call(tenant, child, "3")
    with pytest.raises(BudgetExceeded) as refused:
        await call.begin()
    wait_id = await call.park(Shortfall.model_validate(refused.value.details))

    before = await tenant.mine.read(lambda db: db.budgets.in_funds())
    with pytest.raises(BudgetNotRaised, match="which it works for"):
        await raise_cap(tenant, child, Decimal(5), "br_1")
    await raise_cap(tenant, parent, Decimal(5), "br_2")
    after = await tenant.mine.read(lambda db: db.budgets.in_funds())

    events = await tenant.mine.read(lambda db: db.runs.events(parent.id, 0, 100))
    (warned,) = [one.body for one in events if isinstance(one.body, BudgetWarning)]
    assert (before, after) == ({}, {child.id: [wait_id]})
    assert (warned.run_id, warned.short.subject) == (child.id, parent.id)
