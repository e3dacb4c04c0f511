"""The suite's verdicts: each way of going wrong is seen."""

from dataclasses import replace

from tests.chaos.cases import CASES, COMPLETED, Case, Trial, mixed
from tests.chaos.verdict import Fault, Seen, Verdict

CASE = Case("case", (), ("a", "b"))
WELL = Seen(Trial("0-case", CASE), "ex_1", COMPLETED, {"a": 1, "b": 1, "c-read": 3}, 1.0)


def test_what_went_well_has_no_fault() -> None:
    assert WELL.faults == set()
    assert Verdict([WELL]).is_reached


def test_each_way_of_going_wrong_is_seen() -> None:
    assert replace(WELL, end=None).faults == {Fault.LOST}
    assert replace(WELL, end=("failed", "crashed")).faults == {Fault.WRONG_END}
    assert replace(WELL, commits={"a": 2, "b": 1}).faults == {Fault.DOUBLED}
    assert replace(WELL, commits={"a": 1, "b": 1, "never-due": 1}).faults == {Fault.DOUBLED}
    assert replace(WELL, commits={"a": 1}).faults == {Fault.MISSING}


def test_one_lost_or_doubled_run_is_too_many_and_one_wrong_end_in_a_hundred_too() -> None:
    def is_reached(*wrong: Seen) -> bool:
        return Verdict([WELL] * (500 - len(wrong)) + list(wrong)).is_reached

    assert is_reached(*[replace(WELL, end=("failed", "crashed"))] * 4)
    assert not is_reached(*[replace(WELL, end=("failed", "crashed"))] * 5)
    assert not is_reached(replace(WELL, end=None))
    assert not is_reached(replace(WELL, commits={"a": 2, "b": 1}))
    assert not Verdict([WELL], twice=["of-1"]).is_reached


def test_the_cases_come_in_turn_and_each_run_has_a_name_of_its_own() -> None:
    trials = list(mixed(CASES, 2 * len(CASES)))

    assert [trial.case for trial in trials] == [*CASES, *CASES]
    assert len({trial.id for trial in trials}) == len(trials)
