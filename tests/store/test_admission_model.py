"""The queue of a tenant against a model of it, whatever order things happen in, and many at once."""

import asyncio
from dataclasses import dataclass
from pathlib import Path
from random import Random

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

from omniforge.agents.runs import ErrorInfo, Run, RunPriority, RunStatus
from omniforge.store.store import Store, open_store
from tests.store.making import Tenant
from tests.store.queueing import begin, finish, set_cap, statuses, wait
from tests.support.requirements import requirement

GONE = ErrorInfo(code="gone", message="Nobody began it.")

places = st.integers(0, 50)
priorities = st.sampled_from(list(RunPriority))
ends = st.sampled_from([RunStatus.CANCELLED, RunStatus.FAILED])


@dataclass
class Entry:
    """A run as the model remembers it."""

    run: Run
    status: RunStatus = RunStatus.PENDING
    waiting_for: str | None = None
    has_begun: bool = False

    @property
    def holds_a_place(self) -> bool:
        is_at_work = self.status is RunStatus.RUNNING or self.waiting_for == "child"
        return is_at_work and self.run.parent_id is None

    @property
    def turn(self) -> tuple[object, ...]:
        return self.run.priority.rank, self.run.created_at, self.run.id


class Queue(RuleBasedStateMachine):
    """Runs of one tenant are accepted, begin, wait, go on and end, while its cap changes."""

    def __init__(self, url: str, folder: Path) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.store = open_store(url, folder)
        self.entries: list[Entry] = []
        self.cap = 0

    @initialize(cap=st.integers(1, 3))
    def make_tenant(self, cap: int) -> None:
        self.tenant = self.runner.run(Tenant.new(self.store))
        self.agent = self.runner.run(self.tenant.agent())
        self.change_cap(cap)

    @rule(priority=priorities)
    def accept(self, priority: RunPriority) -> None:
        run = self.runner.run(self.tenant.run(self.agent, priority=priority))
        self.entries.append(Entry(run))

    @rule(priority=priorities)
    def accept_and_begin(self, priority: RunPriority) -> None:
        self.accept(priority)
        self._begin(self.entries[-1])

    @precondition(lambda self: self._begun())
    @rule(place=places)
    def start_child(self, place: int) -> None:
        parent = self._one(self._begun(), place)
        run = self.runner.run(self.tenant.run(self.agent, parent_id=parent.run.id))
        self.entries.append(Entry(run))
        self._begin(self.entries[-1])

    @precondition(lambda self: self._unfinished())
    @rule(place=places)
    def begin_or_begin_again(self, place: int) -> None:
        self._begin(self._one(self._unfinished(), place))

    @precondition(lambda self: self._begun())
    @rule(place=places, waiting_for=st.sampled_from(["approval", "child", None]))
    def wait_or_go_on(self, place: int, waiting_for: str | None) -> None:
        entry = self._one(self._begun(), place)
        entry.status = RunStatus.WAITING if waiting_for else RunStatus.RUNNING
        entry.waiting_for = waiting_for
        self._expect(self.runner.run(wait(self.tenant, entry.run, waiting_for)))

    @precondition(lambda self: self._unfinished())
    @rule(place=places, status=ends)
    def end(self, place: int, status: RunStatus) -> None:
        self._end(self._one(self._unfinished(), place), status)

    @precondition(lambda self: self._unfinished())
    @rule(place=places)
    def withdraw(self, place: int) -> None:
        entry = self._one(self._unfinished(), place)
        work = self.tenant.mine.write(lambda db: db.runs.withdraw(entry.run.id, GONE))
        assert self.runner.run(work) == (entry.status is RunStatus.PENDING)
        if entry.status is RunStatus.PENDING:
            entry.status = RunStatus.FAILED

    @rule(cap=st.integers(0, 4))
    def change_cap(self, cap: int) -> None:
        self.cap = cap
        self._expect(self.runner.run(set_cap(self.tenant, cap)))

    # ---- what must hold ----------------------------------------------------------------------

    @invariant()
    def the_rows_are_as_the_model_has_them(self) -> None:
        found = self.runner.run(statuses(self.tenant, [each.run for each in self.entries]))
        assert found == [each.status for each in self.entries]

    @invariant()
    def nobody_waits_while_there_is_room(self) -> None:
        assert not self._waiting() or len(self._holders()) >= self.cap > 0

    @invariant()
    def positions_follow_the_order(self) -> None:
        ids = [each.run.id for each in self.entries]
        positions = self.runner.run(self.tenant.mine.read(lambda db: db.admission.positions(ids)))
        expected = enumerate((each.run.id for each in self._waiting()), 1)
        assert positions == {run_id: number for number, run_id in expected}

    def teardown(self) -> None:
        while running := [each for each in self._unfinished() if each not in self._waiting()]:
            self._end(running[0], RunStatus.CANCELLED)
        assert self._waiting() == []
        self.runner.run(self.store.close())
        self.runner.close()

    # ---- inside ------------------------------------------------------------------------------

    def _end(self, entry: Entry, status: RunStatus) -> None:
        entry.status, entry.waiting_for = status, None
        self._expect(self.runner.run(finish(self.tenant, entry.run, status)))

    def _begin(self, entry: Entry) -> None:
        waits_its_turn = self.cap and entry.run.parent_id is None
        if entry.status is RunStatus.PENDING:
            entry.status = RunStatus.QUEUED if waits_its_turn else RunStatus.RUNNING
        status, admitted = self.runner.run(begin(self.tenant, entry.run))
        self._expect(admitted)
        assert (status is RunStatus.QUEUED) == (entry.status is RunStatus.QUEUED)
        entry.has_begun = status is not RunStatus.QUEUED

    def _expect(self, admitted: list[str]) -> None:
        """The next in order have got every free place, and no others."""
        room = self.cap - len(self._holders()) if self.cap else len(self.entries)
        chosen = self._waiting()[: max(room, 0)]
        for each in chosen:
            each.status = RunStatus.RUNNING
        assert sorted(admitted) == sorted(each.run.id for each in chosen)
        assert not chosen or not self.cap or len(self._holders()) <= self.cap

    def _holders(self) -> list[Entry]:
        return [each for each in self.entries if each.holds_a_place]

    def _waiting(self) -> list[Entry]:
        queued = [each for each in self.entries if each.status is RunStatus.QUEUED]
        return sorted(queued, key=lambda each: each.turn)

    def _unfinished(self) -> list[Entry]:
        return [each for each in self.entries if not each.status.is_final]

    def _begun(self) -> list[Entry]:
        return [each for each in self._unfinished() if each.has_begun]

    @staticmethod
    def _one(entries: list[Entry], place: int) -> Entry:
        return entries[place % len(entries)]


@requirement("NFR-5")
def test_whatever_happens_no_place_is_given_twice_none_stays_free_and_nobody_is_passed_over(
    prepared_url: str, tmp_path: Path
) -> None:
    class PreparedQueue(Queue):
        def __init__(self) -> None:
            super().__init__(prepared_url, tmp_path)

    run_state_machine_as_test(
        PreparedQueue, settings=settings(deadline=None, max_examples=8, stateful_step_count=30)
    )


# ---- all at once -------------------------------------------------------------------------------


class Crowd:
    """Runs that all want to begin at once, on two machines, and hear of their places from each other."""

    def __init__(self, tenants: list[Tenant], runs: list[Run]) -> None:
        self.tenants, self.runs = tenants, runs
        self.told = {run.id: asyncio.Event() for run in runs}
        self.at_work = self.most_at_work = 0
        self.admitted: list[str] = []
        self._choose = Random(7)  # noqa: S311 - the same choices each time

    async def live(self, number: int) -> None:
        run, tenant = self.runs[number], self.tenants[number % 2]
        while True:
            status, admitted = await begin(tenant, run)
            self._tell(admitted)
            if status is not RunStatus.QUEUED:
                break
            await self.told[run.id].wait()
        self.at_work += 1
        self.most_at_work = max(self.most_at_work, self.at_work)
        await asyncio.sleep(self._choose.random() / 100)
        self.at_work -= 1
        self._tell(await finish(self.tenants[self._choose.randrange(2)], run))

    def _tell(self, admitted: list[str]) -> None:
        self.admitted += admitted
        for run_id in admitted:
            self.told[run_id].set()


@requirement("NFR-5")
async def test_many_that_begin_and_end_at_once_on_two_machines_keep_to_the_cap_and_lose_no_run(
    store: Store, prepared_url: str, tenant: Tenant, tmp_path: Path
) -> None:
    other = open_store(prepared_url, tmp_path / "other")
    await set_cap(tenant, 3)
    agent = await tenant.agent()
    runs = [await tenant.run(agent) for _ in range(60)]
    crowd = Crowd([tenant, Tenant(other, tenant.owner)], runs)

    async with asyncio.timeout(60):
        await asyncio.gather(*(crowd.live(number) for number in range(len(runs))))
    found = await statuses(tenant, runs)
    await other.close()

    assert crowd.most_at_work <= 3
    assert len(crowd.admitted) == len(set(crowd.admitted))
    assert set(found) == {RunStatus.COMPLETED}
