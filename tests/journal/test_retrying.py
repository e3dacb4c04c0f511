"""What a node plays when it is taken up again, by what it had come to."""

from dataclasses import replace

import pytest

from omniforge.agents.runs import ErrorInfo
from omniforge.journal.ports import NodeStatus, Outcome
from omniforge.journal.recording import NOTHING_RECORDED, Recording
from omniforge.journal.steps import EffectClass, Origin, Step, StepKind, StepStatus
from tests.support.requirements import requirement

DONE, FAILED = StepStatus.CONFIRMED, StepStatus.FAILED


def step(number: int, kind: StepKind, status: StepStatus = DONE, **more: object) -> Step:
    return replace(Step(number, kind, kind.value, "", status), **more)  # type: ignore[arg-type]


def turn(number: int, *calls: str) -> Step:
    return step(number, StepKind.MODEL, answer={"calls": list(calls)})


def call(number: int, status: StepStatus = DONE, effect: EffectClass | None = None) -> Step:
    return step(number, StepKind.TOOL, status, effect_class=effect)


def failed_of(code: str) -> Outcome:
    return Outcome(NodeStatus.FAILED, None, ErrorInfo(code=code, message="It failed."))


PREAMBLE = step(0, StepKind.PREAMBLE)
RECORDED = [PREAMBLE, turn(1, "a"), call(2)]


def numbers(recording: Recording) -> list[int]:
    return sorted(recording.steps)


@requirement("DUR-3")
@pytest.mark.parametrize("outcome", [None, failed_of("max_iterations"), failed_of("no_progress")])
def test_of_what_was_only_stopped_nothing_is_done_again(outcome: Outcome | None) -> None:
    assert numbers(NOTHING_RECORDED.then(RECORDED, outcome)) == [0, 1, 2]


@requirement("DUR-3")
@pytest.mark.parametrize(
    "last", [turn(3), step(3, StepKind.MODEL, FAILED), step(3, StepKind.MODEL, answer={"text": ""})]
)
def test_an_answer_that_a_node_failed_of_is_asked_for_again(last: Step) -> None:
    recorded = [*RECORDED, last]

    assert numbers(NOTHING_RECORDED.then(recorded, failed_of("output_invalid"))) == [0, 1, 2]


@requirement("DUR-3")
@pytest.mark.parametrize("code", ["gave_up", "repetition"])
def test_a_turn_that_a_node_failed_of_is_asked_for_again(code: str) -> None:
    recorded = [*RECORDED, turn(3, "a", "b"), call(4), call(5, FAILED)]

    assert numbers(NOTHING_RECORDED.then(recorded, failed_of(code))) == [0, 1, 2]


@requirement("DUR-2", "DUR-3")
@pytest.mark.parametrize("status", [DONE, StepStatus.SENT, StepStatus.UNKNOWN])
def test_a_turn_that_reached_the_world_is_kept_and_only_its_failed_calls_are_made_again(
    status: StepStatus,
) -> None:
    recorded = [*RECORDED, turn(3, "a", "b"), call(4, status, EffectClass.ASK), call(5, FAILED)]

    assert numbers(NOTHING_RECORDED.then(recorded, failed_of("gave_up"))) == [0, 1, 2, 3, 4]


@requirement("DUR-3")
def test_what_was_only_begun_is_done_again() -> None:
    planned = step(3, StepKind.MODEL, StepStatus.PLANNED)

    assert numbers(NOTHING_RECORDED.then([*RECORDED, planned], None)) == [0, 1, 2]


@requirement("DUR-3")
def test_a_node_that_was_stopped_while_it_played_still_has_all_it_had_before() -> None:
    first = NOTHING_RECORDED.then(RECORDED, None)
    copies = [replace(one, origin=Origin.RECORDED, generation=1) for one in RECORDED[:2]]

    second = first.then(copies, None)

    assert numbers(second) == [0, 1, 2]
    assert {one.generation for one in second.steps.values()} == {0}
    assert second.told == 3
    assert second.spent_turns == 1


@requirement("DUR-2", "DUR-3")
def test_what_was_found_out_about_an_effect_in_a_later_generation_counts() -> None:
    doubtful = call(2, StepStatus.UNKNOWN, EffectClass.ASK)
    first = NOTHING_RECORDED.then([PREAMBLE, turn(1, "a"), doubtful], None)
    settled = replace(doubtful, status=DONE, generation=1)

    second = first.then([settled], failed_of("model_refused"))

    assert second.steps[2] == settled
