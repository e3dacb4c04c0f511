"""The harness itself: its verdicts, its plan, and a long run that is cut short."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path

import pytest

from omniforge.journal.ports import Decision
from omniforge.journal.steps import EffectClass
from tests.kill.cases import Call, Case, batches
from tests.kill.matrix import Matrix
from tests.kill.moments import Moment, moments_of
from tests.kill.verdict import Evidence, Fault, Owed, Tally, faults_of

CONFIRMED = {"status": "confirmed", "step": 2}


def evidence(kind: EffectClass = EffectClass.KEYED, questions: int = 0) -> Evidence:
    """A call that was interrupted, and went well all the same."""
    call = Call("here", kind, Moment.BEFORE_REPLY, kills=1)
    return Evidence(call, 1, True, (CONFIRMED,), 1, 1, Owed(), questions, False)


def test_what_went_well_has_no_fault() -> None:
    assert faults_of(evidence()) == set()
    assert faults_of(evidence(EffectClass.ASK, questions=1)) == set()


def test_each_way_of_going_wrong_is_seen() -> None:
    seen = evidence()

    assert faults_of(replace(seen, commits=0)) == {Fault.LOST}
    assert faults_of(replace(seen, has_run_completed=False)) == {Fault.LOST}
    assert faults_of(replace(seen, records=({"status": "sent"},))) == {Fault.LOST}
    assert faults_of(replace(seen, commits=2)) == {Fault.DOUBLED}
    assert faults_of(replace(seen, records=(CONFIRMED, CONFIRMED))) == {Fault.DOUBLED}
    assert faults_of(replace(seen, answers=2)) == {Fault.DOUBLED}
    assert faults_of(replace(seen, questions=1)) == {Fault.OVERASKED}
    assert faults_of(replace(seen, is_rewritten=True)) == {Fault.REWRITTEN}
    assert faults_of(evidence(EffectClass.ASK, questions=0)) == {Fault.UNPARKED}
    assert faults_of(evidence(EffectClass.ASK, questions=2)) == {Fault.OVERASKED}


def test_a_read_may_be_asked_for_again() -> None:
    assert faults_of(replace(evidence(EffectClass.READ), commits=3)) == set()


@pytest.mark.parametrize(
    ("decision", "at_the_end"), [(Decision.RESEND, 2), (Decision.HAPPENED, 1), (Decision.SKIP, 1)]
)
def test_what_people_decide_says_how_often_a_call_may_be_done(
    decision: Decision, at_the_end: int
) -> None:
    owed = Owed()
    owed.decided(decision, commits_now=1)

    assert (owed.commits, owed.was_exceeded) == (at_the_end, False)


def test_a_call_that_was_doubled_before_people_were_asked_stays_doubled() -> None:
    owed = Owed()
    owed.decided(Decision.SKIP, commits_now=2)
    seen = replace(evidence(EffectClass.ASK, questions=1), commits=2, owed=owed)

    assert faults_of(seen) == {Fault.DOUBLED}


def test_a_thousand_steps_meet_every_class_at_every_moment_in_every_step() -> None:
    planned = [case for batch in islice(batches(90), 11) for case in batch]
    rows = {
        (call.kind, call.moment, at)
        for case in planned
        if "-row" in case.id
        for at, call in enumerate(case.calls)
        if call.kills
    }

    places = [call.place for case in planned for call in case.calls]
    assert rows == {
        (kind, moment, at) for kind in EffectClass for moment in moments_of(kind) for at in range(3)
    }
    assert len(places) == len(set(places))


def silent(_: str) -> None:
    """Progress lines that nobody reads."""


class Cut(Exception):
    """The matrix is stopped from outside."""


class Batches:
    """Stands in for the platform: counts each call that is to be interrupted as interrupted."""

    def __init__(self, cut_at: int | None = None) -> None:
        self.cut_at, self.begun = cut_at, list[str]()

    async def perform(self, cases: Sequence[Case], api_dies_too: bool) -> Tally:
        self.begun.append(cases[0].id)
        if len(self.begun) == self.cut_at:
            raise Cut
        struck = [call for case in cases for call in case.calls if call.kills]
        return Tally((replace(evidence(), call=call, questions=0) for call in struck), kills=1)


async def test_a_matrix_that_was_cut_goes_on_with_the_batch_it_was_cut_in(tmp_path: Path) -> None:
    state = tmp_path / "state.json"
    whole, first, second = Batches(), Batches(cut_at=3), Batches()
    await Matrix(batches(40), "code", tmp_path / "other.json", silent).go_on(whole.perform, 200)

    with pytest.raises(Cut):
        await Matrix(batches(40), "code", state, silent).go_on(first.perform, 200)
    resumed = Matrix(batches(40), "code", state, silent)
    await resumed.go_on(second.perform, 200)

    assert first.begun[:2] + second.begun == whole.begun
    assert resumed.tally.kills == resumed.batches == len(whole.begun)
    assert resumed.tally.interrupted >= 200


async def test_what_other_code_did_counts_for_nothing(tmp_path: Path) -> None:
    state = tmp_path / "state.json"
    await Matrix(batches(40), "code", state, silent).go_on(Batches().perform, 40)

    assert Matrix(batches(40), "code", state, silent).batches > 0
    assert Matrix(batches(40), "other code", state, silent).batches == 0
