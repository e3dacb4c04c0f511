"""Some of each run of the mixed suite under one kill and one lock; `make chaos` does it to 500."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.chaos.cases import BARE, CASES, Case, Trial, follow, mixed, post
from tests.chaos.stage import LockedSqlite, Luck, Stage
from tests.chaos.suite import Suite
from tests.chaos.verdict import Fault, Verdict
from tests.support.requirements import requirement

PATIENCE = 60.0

KEYED = Case("keyed", (follow("keyed", post("a")),), ("a",))
HELD = (Trial("held-keyed", KEYED), Trial("held-bare", BARE))
"""Their posts arrive, and their worker is killed before it hears so."""


pytestmark = pytest.mark.long


@pytest.fixture(scope="module")
async def verdict(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Verdict]:
    home: Path = tmp_path_factory.mktemp("chaos")
    database = LockedSqlite(home / "omniforge.db")
    async with Stage.set(home, database, Luck(seed=1)) as stage:
        suite = Suite(stage, window=30, patience=PATIENCE, say=print)
        yield await suite.perform([*mixed(CASES, 18), *HELD], one_kill_and_one_lock)


async def one_kill_and_one_lock(stage: Stage) -> None:
    places = {f"{trial.id}.a" for trial in HELD}
    stage.world.held |= places
    await stage.world.until(lambda: places <= stage.world.commits.keys(), PATIENCE)
    stage.platform.kill("worker")
    await stage.database.strike(1.0)


@requirement("DUR-1", "NFR-2")
def test_runs_end_as_they_should_although_worker_database_tools_and_models_fail(
    verdict: Verdict,
) -> None:
    wrong = [each for each in verdict.wrong if each.trial.case is not BARE]

    assert len(verdict.seen) == 18 + len(HELD)
    assert not wrong, "\n".join(map(str, wrong))


def test_a_post_without_the_ledger_is_doubled_by_the_same_kill(verdict: Verdict) -> None:
    """So the suite can fail."""
    (bare,) = [each for each in verdict.seen if each.trial.case is BARE]

    assert bare.faults == {Fault.DOUBLED}
    assert not verdict.is_reached
