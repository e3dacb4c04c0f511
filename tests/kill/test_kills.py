"""A worker killed with SIGKILL in every class of call, at every moment: nothing lost, nothing twice.

One platform and one kill for all of it; `make kill-matrix` does the same to a thousand steps.
"""

from collections.abc import AsyncIterator

import pytest

from omniforge.journal.steps import EffectClass
from tests.kill.cases import each_cell_once
from tests.kill.moments import ASKED, Moment, is_in_doubt, moments_of
from tests.kill.stage import Stage
from tests.kill.trial import Trial
from tests.kill.verdict import Evidence, Fault, Tally
from tests.support.requirements import requirement

# From the first call that is held to the kill: the start of some 50 runs, with room on a busy machine.
CALL_TIMEOUT = 9.0

CELLS = {(kind, moment) for kind in EffectClass for moment in moments_of(kind)}
DONE_BUT_NOT_RECORDED = {Moment.LATE_COMMIT, Moment.BEFORE_REPLY, Moment.BEFORE_RECORD}


pytestmark = pytest.mark.long


@pytest.fixture(scope="module")
async def evidence(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[list[Evidence]]:
    """What one kill did to calls of all classes at all moments, with the ledger and without."""
    async with Stage.set(tmp_path_factory.mktemp("kill"), CALL_TIMEOUT) as stage:
        cases = [*each_cell_once(), *each_cell_once(has_ledger=False)]
        yield await Trial(stage, cases).perform()


@pytest.fixture(scope="module")
def tally(evidence: list[Evidence]) -> Tally:
    """With the ledger: the product as it is."""
    return Tally(seen for seen in evidence if seen.call.has_ledger)


@requirement("DUR-1", "DUR-2")
def test_no_kill_at_any_moment_loses_or_doubles_a_call_of_any_class(tally: Tally) -> None:
    interrupted = {key for key, cell in tally.cells.items() if cell.interrupted}

    assert interrupted == CELLS, f"not held at its moment\n{tally.table()}"
    assert tally.faults.total() == 0, f"\n{tally.table()}"


@requirement("DUR-2")
def test_a_person_is_asked_once_of_every_unsafe_call_in_doubt_and_of_no_other(tally: Tally) -> None:
    for (kind, moment), cell in tally.cells.items():
        must_ask = kind is EffectClass.ASK and (is_in_doubt(moment) or moment in ASKED)
        assert cell.parked == (cell.interrupted if must_ask else 0), (kind, moment)


@requirement("DUR-4")
def test_a_decision_counts_although_the_worker_is_killed_around_it(tally: Tally) -> None:
    """Before the run knows of its question, before the decision is written, and right after."""
    for moment in ASKED:
        cell = tally.cells[EffectClass.ASK, moment]
        assert (cell.interrupted, cell.parked, cell.faults.total()) == (1, 1, 0), moment


def test_without_the_ledger_the_same_kill_doubles_what_was_done_and_not_recorded(
    evidence: list[Evidence],
) -> None:
    """So the harness can fail: it sees what happens to a product that only records its answers."""
    tally = Tally(seen for seen in evidence if not seen.call.has_ledger)

    for kind in set(EffectClass) - {EffectClass.READ}:
        for moment in DONE_BUT_NOT_RECORDED:
            assert tally.cells[kind, moment].faults[Fault.DOUBLED] > 0, (kind, moment)
