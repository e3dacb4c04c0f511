"""Caps against a model of them that adds up every call anew, whatever order things happen in."""

import asyncio
import shutil
import tempfile
from contextlib import nullcontext, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import count
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from omniforge import clock
from omniforge.agents.budgets import (
    Budget,
    BudgetMode,
    BudgetTerms,
    Closed,
    Period,
    Scope,
    Shortfall,
)
from omniforge.agents.modes import Terms
from omniforge.agents.runs import Run, RunStatus
from omniforge.errors import (
    BudgetExceeded,
    BudgetHeld,
    BudgetNotFound,
    BudgetNotRaised,
    Fenced,
)
from omniforge.store.budgets import Cost, CostBy
from omniforge.store.store import open_store
from tests.store.making import Tenant
from tests.store.spending import Call, a_call, cap, caps, taken, taken_by_run
from tests.support.requirements import requirement

cents = st.integers(1, 40).map(lambda number: Decimal(number) / 100)
places = st.integers(0, 5)
periods = st.sampled_from(list(Period))
scopes = st.sampled_from([Scope.TENANT, Scope.USER, Scope.AGENT])


@dataclass
class Entry:
    """One reservation as the model remembers it."""

    run: Run
    closed: Closed
    is_open: bool = True

    def counts_for(self, budget: Budget, tenant_id: str) -> bool:
        payers = {
            Scope.TENANT: tenant_id,
            Scope.USER: self.run.triggered_by,
            Scope.AGENT: self.run.agent_id,
            Scope.RUN: self.run.id,
        }
        return (
            payers[budget.scope] == budget.subject
            and budget.period.start(self.closed.day) == budget.starts
        )


async def begin(tenant: Tenant, agent_id: str, user_id: str, limit: Decimal | None = None) -> Run:
    terms = BudgetTerms(mode=BudgetMode.WARN, auto_proceed_limit_usd=limit)
    run = await tenant.run(agent_id, triggered_by=user_id, terms=Terms(budget=terms))
    await tenant.mine.write(lambda db: db.runs.begin(run))
    return run


async def raise_cap(tenant: Tenant, run: Run, amount: Decimal, request_id: str) -> None:
    await tenant.mine.write(lambda db: db.control.raise_cap(run.id, amount, "us_anna", request_id))


async def costs_of(tenant: Tenant, by: CostBy) -> list[Cost]:
    return await tenant.mine.read(lambda db: db.budgets.costs(by))


async def finish(tenant: Tenant, run: Run) -> None:
    await tenant.mine.write(lambda db: db.runs.finish(run.id, RunStatus.FAILED, None))


class Purses(RuleBasedStateMachine):
    """Runs of two agents and two people. Calls begin and end, or wait for money; workers die, runs end,
    caps change, rise by request and by themselves."""

    def __init__(self, prepared: Path) -> None:
        super().__init__()
        self._folder = Path(tempfile.mkdtemp())
        self._patch = pytest.MonkeyPatch()
        self._patch.setattr(clock, "now", self._tick)
        self.now = datetime(2026, 11, 29, 12, tzinfo=UTC)
        self.runner = asyncio.Runner()
        file = shutil.copy(prepared, self._folder / "test.db")
        self.store = open_store(f"sqlite:///{file}", self._folder / "storage")
        self.names = count()
        self.runs: list[Run] = []
        self.calls: list[tuple[Call, Entry]] = []
        self.entries: list[Entry] = []
        self.run_caps: dict[str, Decimal | None] = {}
        self.limits: dict[str, Decimal] = {}
        self.parked: list[tuple[Call, str]] = []
        self.lowered: set[tuple[str, str]] = set()
        self.runner.run(self._set_up())

    async def _set_up(self) -> None:
        self.tenant = await Tenant.new(self.store)
        self.people = [self.tenant.owner.user_id, "us_bob"]
        self.agents = [await self.tenant.agent(), await self.tenant.agent(cap="0.5")]

    # ---- what happens ------------------------------------------------------------------------

    @initialize()
    def two_runs(self) -> None:
        self.begin_run(0, 0)
        self.begin_run(1, 1)

    @rule(agent=places, person=places, limit=cents.map(lambda one: 5 * one) | st.none())
    def begin_run(self, agent: int, person: int, limit: Decimal | None = None) -> None:
        agent_id, user = self.agents[agent % 2], self.people[person % 2]
        run = self.runner.run(begin(self.tenant, agent_id, user, limit))
        self.runs.append(run)
        self.run_caps[run.id] = Decimal("0.5") if agent % 2 else None
        self.limits[run.id] = limit or Decimal(0)

    @precondition(lambda self: self.runs)
    @rule(place=places, amount=cents.map(lambda one: 5 * one))
    def raise_run(self, place: int, amount: Decimal) -> None:
        run = self.runs[place % len(self.runs)]
        current = self.run_caps[run.id]
        is_raise = current is not None and amount > current
        request = f"br_{next(self.names)}"
        for _ in range(2):
            with nullcontext() if is_raise else pytest.raises(BudgetNotRaised):
                self.runner.run(raise_cap(self.tenant, run, amount, request))
        if is_raise:
            self.run_caps[run.id] = amount

    @precondition(lambda self: self.parked)
    @rule(place=places)
    def go_on(self, place: int) -> None:
        call, _ = self.parked.pop(place % len(self.parked))
        self.runner.run(call.go_on())
        self._try(call)

    @precondition(lambda self: self.runs)
    @rule(place=places, amount=cents)
    def begin_call(self, place: int, amount: Decimal) -> None:
        run = self.runs[place % len(self.runs)]
        call = self.runner.run(a_call(self.tenant, run, str(amount), f"n{next(self.names)}"))
        self._try(call)

    @precondition(lambda self: self.calls)
    @rule(place=places, percent=st.integers(0, 100) | st.just(150))
    def end_call(self, place: int, percent: int) -> None:
        call, entry = self.calls.pop(place % len(self.calls))
        cost = call.amount * percent / 100
        self.runner.run(call.end(cost))
        self._close(entry, cost)

    @precondition(lambda self: self.calls)
    @rule(place=places, tries_again=st.booleans())
    def lose_worker(self, place: int, tries_again: bool) -> None:
        call, entry = self.calls.pop(place % len(self.calls))
        self.runner.run(call.lose_worker())
        self._close(entry, call.amount)
        with pytest.raises(Fenced):
            self.runner.run(call.end_as_zombie(Decimal(1)))
        if tries_again:
            self._try(call)

    @precondition(lambda self: self.runs)
    @rule(place=places)
    def finish_run(self, place: int) -> None:
        self._finish(self.runs.pop(place % len(self.runs)))

    @rule(scope=scopes, place=places, period=periods, amount=cents.map(lambda one: 5 * one))
    def set_cap(self, scope: Scope, place: int, period: Period, amount: Decimal) -> None:
        subject = self._subject(scope, place)
        budget = self.runner.run(cap(self.tenant, scope, subject, str(amount), period))
        key = (subject, period)
        self.lowered.discard(key)
        if not budget.fits(Decimal(0)):
            self.lowered.add(key)

    @rule(scope=scopes, place=places, period=periods)
    def clear_cap(self, scope: Scope, place: int, period: Period) -> None:
        subject = self._subject(scope, place)
        with suppress(BudgetNotFound):
            self.runner.run(self.tenant.mine.write(lambda db: db.budgets.clear(subject, period)))

    @rule(days=st.integers(1, 2))
    def sleep(self, days: int) -> None:
        self.now += timedelta(days=days)

    # ---- what must hold ----------------------------------------------------------------------

    @invariant()
    def every_cap_counts_what_its_calls_add_up_to(self) -> None:
        for key, budget in self.runner.run(caps(self.tenant)).items():
            assert budget.settled + budget.reserved <= budget.cap or key in self.lowered
            assert taken(budget) == taken(self._added_up(budget))

    @invariant()
    def every_run_counts_what_its_calls_add_up_to(self) -> None:
        for run in self.runs:
            found = self.runner.run(taken_by_run(self.tenant, run.id))
            run_cap = self.run_caps[run.id]
            assert found == taken(self._added_up(self._own(run)))
            assert run_cap is None or found[0] + found[1] <= run_cap

    @invariant()
    def who_waits_for_money_is_found_as_soon_as_there_is_room(self) -> None:
        found = self.runner.run(self.tenant.mine.read(lambda db: db.budgets.in_funds()))
        waits = {wait_id for call, wait_id in self.parked if self._has_room(call)}
        assert {wait_id for mine in found.values() for wait_id in mine} == waits

    def teardown(self) -> None:
        for run in self.runs:
            self._finish(run)
        self.every_cap_counts_what_its_calls_add_up_to()
        found = self.runner.run(caps(self.tenant)).values()
        assert all(budget.reserved == 0 for budget in found)
        total = sum((entry.closed.cost for entry in self.entries), Decimal(0))
        costs = self.runner.run(costs_of(self.tenant, CostBy.TENANT))
        assert sum((each.cost for each in costs), Decimal(0)) == total
        self.runner.run(self.store.close())
        self.runner.close()
        self._patch.undo()
        shutil.rmtree(self._folder)

    # ---- inside ------------------------------------------------------------------------------

    def _tick(self) -> datetime:
        self.now += timedelta(microseconds=1)
        return self.now

    def _subject(self, scope: Scope, place: int) -> str:
        subjects = {
            Scope.TENANT: self.tenant.id,
            Scope.USER: self.people[0],
            Scope.AGENT: self.agents[place % 2],
        }
        return subjects[scope]

    def _try(self, call: Call) -> None:
        entry = Entry(call.run, Closed(self.now.date(), call.amount, call.amount))
        expected = self._refusal(entry)
        if expected is not None:
            with pytest.raises(BudgetExceeded) as refused:
                self.runner.run(call.begin())
            assert type(refused.value) is expected
            if expected is BudgetExceeded:
                short = Shortfall.model_validate(refused.value.details)
                self.parked.append((call, self.runner.run(call.park(short))))
            return
        self.runner.run(call.begin())
        self.entries.append(entry)
        self.calls.append((call, entry))

    def _refusal(self, entry: Entry) -> type[BudgetExceeded] | None:
        amount = entry.closed.amount
        over = [one for one in self._over(entry) if not one.fits(amount)]
        if kinds := {type(one.refusal(amount)) for one in over}:
            return BudgetExceeded if BudgetExceeded in kinds else BudgetHeld
        own = self._added_up(self._own(entry.run))
        if self.run_caps[entry.run.id] is None or own.fits(amount):
            return None
        higher = replace(own, cap=max(own.cap, self.limits[entry.run.id]))
        if own.may_fit(amount) or not higher.fits(amount):
            return type(higher.refusal(amount))
        self.run_caps[entry.run.id] = higher.cap
        return None

    def _has_room(self, call: Call) -> bool:
        """Whether a call would be made, at the latest when those under way have ended."""
        entry = Entry(call.run, Closed(self.now.date(), call.amount, call.amount))
        own = self._added_up(self._own(call.run))
        higher = replace(own, cap=max(own.cap, self.limits[call.run.id]))
        levels = self._over(entry) + ([higher] if self.run_caps[call.run.id] is not None else [])
        return all(level.may_fit(call.amount) for level in levels)

    def _over(self, entry: Entry) -> list[Budget]:
        """The caps over a call but its run's own."""
        return [
            self._added_up(budget)
            for budget in self.runner.run(caps(self.tenant)).values()
            if entry.counts_for(budget, self.tenant.id)
        ]

    def _own(self, run: Run) -> Budget:
        run_cap = self.run_caps[run.id]
        return Budget(Scope.RUN, run.id, Period.EVER, Decimal(0) if run_cap is None else run_cap)

    def _added_up(self, budget: Budget) -> Budget:
        ours = [each for each in self.entries if each.counts_for(budget, self.tenant.id)]
        closed = [each.closed for each in ours if not each.is_open]
        still_open = [each.closed.amount for each in ours if each.is_open]
        return replace(
            budget,
            reserved=sum(still_open, Decimal(0)),
            settled=sum((min(each.cost, each.amount) for each in closed), Decimal(0)),
            overrun=sum((max(each.cost - each.amount, Decimal(0)) for each in closed), Decimal(0)),
        )

    def _close(self, entry: Entry, cost: Decimal) -> None:
        entry.closed, entry.is_open = replace(entry.closed, cost=cost), False

    def _finish(self, run: Run) -> None:
        for call, entry in [each for each in self.calls if each[0].run is run]:
            self.calls.remove((call, entry))
            self._close(entry, entry.closed.amount)
        self.parked = [each for each in self.parked if each[0].run is not run]
        self.runner.run(finish(self.tenant, run))
        steps = self.runner.run(self.tenant.mine.read(lambda db: db.runs.steps(run.id)))
        reserved, settled, overrun = self.runner.run(taken_by_run(self.tenant, run.id))
        assert reserved == 0
        assert sum((step.cost for _, step in steps), Decimal(0)) == settled + overrun


@requirement("BUD-2", "BUD-3")
def test_whatever_happens_in_whatever_order_no_cap_is_passed_and_nothing_leaks(
    prepared_sqlite: Path,
) -> None:
    class PreparedPurses(Purses):
        def __init__(self) -> None:
            super().__init__(prepared_sqlite)

    run_state_machine_as_test(
        PreparedPurses,
        settings=settings(deadline=None, max_examples=25, stateful_step_count=20),
    )
