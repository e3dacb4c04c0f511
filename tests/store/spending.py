"""Model calls as the journal makes them: set aside first, counted after, or lost with their worker."""

from dataclasses import dataclass
from decimal import Decimal

from sqlalchemy import select

from omniforge.agents.budgets import Budget, Period, Scope, Shortfall
from omniforge.agents.runs import Run
from omniforge.journal.events import Wait
from omniforge.journal.ports import NodeStatus, Outcome, Transition
from omniforge.journal.steps import Fence, NodeKey, Step, StepKind, StepStatus
from omniforge.store.tables import streams
from tests.store.making import Tenant, a_step, announcing


@dataclass
class Call:
    """One skill of a run that makes one model call."""

    tenant: Tenant
    run: Run
    node: str
    amount: Decimal
    attempt: int = 1
    lost: Decimal = Decimal(0)

    @property
    def key(self) -> NodeKey:
        return NodeKey(self.run.id, self.node)

    async def claim(self) -> None:
        await self.tenant.mine.journal.claim(
            self.key, self.node, Fence(0, self.attempt), announcing(self.node)
        )

    async def begin(self) -> None:
        step = self._step(StepStatus.PLANNED, reserved=self.amount, cost=self.lost)
        await self._commit(Transition(steps=[step], reserve={0: self.amount}))

    async def end(self, cost: Decimal) -> None:
        step = self._step(StepStatus.CONFIRMED, cost=self.lost + cost)
        await self._commit(Transition(steps=[step], settle={0: cost}))

    async def lose_worker(self) -> None:
        """Another worker takes over and counts what the lost one may have spent."""
        self.attempt += 1
        self.lost += self.amount
        await self.claim()
        step = self._step(StepStatus.PLANNED, cost=self.lost, is_cost_assumed=True)
        await self._commit(Transition(steps=[step], settle={0: self.amount}))

    async def park(self, short: Shortfall) -> str:
        """There is no room for it, so it waits; the id of its wait."""
        wait_id = f"budget-{self.node}-{self.attempt}"
        wait = Wait(kind="budget", id=wait_id, question="More?", short=short)
        await self._commit(Transition(outcome=Outcome(NodeStatus.WAITING, waits=(wait,))))
        return wait_id

    async def go_on(self) -> None:
        self.attempt += 1
        await self.claim()

    async def end_as_zombie(self, cost: Decimal) -> None:
        step = self._step(StepStatus.CONFIRMED, cost=cost)
        change = Transition(steps=[step], settle={0: cost})
        await self.tenant.mine.journal.commit(self.key, Fence(0, self.attempt - 1), change)

    async def _commit(self, change: Transition) -> None:
        await self.tenant.mine.journal.commit(self.key, Fence(0, self.attempt), change)

    def _step(self, status: StepStatus, **more: object) -> Step:
        return a_step(0, status, kind=StepKind.MODEL, **more)


async def a_call(tenant: Tenant, run: Run, amount: str, node: str = "report") -> Call:
    """A skill that is about to make a call."""
    call = Call(tenant, run, node, Decimal(amount))
    await call.claim()
    return call


async def begun_call(tenant: Tenant, run: Run, amount: str, node: str = "report") -> Call:
    call = await a_call(tenant, run, amount, node)
    await call.begin()
    return call


async def cap(tenant: Tenant, scope: Scope, subject: str, amount: str, period: Period) -> Budget:
    return await tenant.mine.write(
        lambda db: db.budgets.set(scope, subject, period, Decimal(amount))
    )


async def caps(tenant: Tenant) -> dict[tuple[str, str], Budget]:
    """All caps by subject and period."""
    found = await tenant.mine.read(lambda db: db.budgets.all())
    return {(budget.subject, budget.period): budget for budget in found}


def taken(budget: Budget) -> tuple[Decimal, ...]:
    """(reserved, settled, overrun)"""
    return budget.reserved, budget.settled, budget.overrun


async def taken_by_run(tenant: Tenant, run_id: str) -> tuple[Decimal, ...]:
    """(reserved, settled, overrun)"""
    c = streams.c
    query = select(c.reserved, c.settled, c.overrun).where(c.id == run_id)
    row = await tenant.store.database.read(lambda connection: connection.execute(query).one())
    return tuple(row)
