"""What every journal store keeps to: in memory, on SQLite and on PostgreSQL."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest

from omniforge import clock
from omniforge.agents.runs import ErrorInfo, TokenUsage
from omniforge.errors import BudgetExceeded, Fenced
from omniforge.journal.ports import Decision, NodeStatus, Outcome, Transition
from omniforge.journal.steps import EffectClass, Fence, NodeKey, StepKind, StepStatus
from tests.journal.making import dollars
from tests.store.desks import Desk, a_desk, claim
from tests.store.making import a_step, an_event, later, waiting
from tests.support.requirements import requirement

FIRST, SECOND = Fence(0, 1), Fence(0, 2)


@pytest.fixture
async def desk(journal_url: str | None, tmp_path: Path) -> AsyncIterator[Desk]:
    """A run with a cap of ten dollars."""
    async with a_desk(journal_url, tmp_path, cap="10") as opened:
        yield opened


def key_of(desk: Desk, node: str = "report") -> NodeKey:
    return NodeKey(desk.run_id, node)


async def commit(desk: Desk, change: Transition, fence: Fence = FIRST) -> None:
    await desk.store.commit(key_of(desk), fence, change)


# ---- the fence ---------------------------------------------------------------------------------


async def test_the_first_claim_finds_nothing_and_the_next_one_what_was_committed(
    desk: Desk,
) -> None:
    first = await claim(desk, 1)
    step = a_step()
    await commit(desk, Transition(steps=[step], active=1.5, workspace={"a.csv": "d1"}))
    second = await claim(desk, 2)

    assert (first.is_new, list(first.steps)) == (True, [])
    assert (second.is_new, list(second.steps)) == (False, [step])
    assert (second.active, second.workspace) == (1.5, {"a.csv": "d1"})


@requirement("DUR-1")
async def test_a_zombie_cannot_write_after_its_successor_claimed(desk: Desk) -> None:
    await claim(desk, 1)
    await claim(desk, 2)
    change = Transition(
        steps=[a_step()], events=[an_event("late")], reserve={1: Decimal(1)}, settle={2: Decimal(1)}
    )

    with pytest.raises(Fenced):
        await commit(desk, change, FIRST)

    assert list((await claim(desk, 3)).steps) == []
    assert await desk.money() == dollars(0, 0)
    assert "late" not in str(await desk.events())


async def test_the_same_fence_cannot_be_claimed_twice(desk: Desk) -> None:
    await claim(desk, 1)

    with pytest.raises(Fenced):
        await claim(desk, 1)


async def test_a_lower_attempt_of_a_later_segment_is_the_later_one(desk: Desk) -> None:
    await claim(desk, attempt=9, segment=0)
    await claim(desk, attempt=1, segment=1)

    with pytest.raises(Fenced):
        await claim(desk, attempt=10, segment=0)


async def test_of_many_claims_of_one_fence_exactly_one_succeeds(desk: Desk) -> None:
    outcomes = await asyncio.gather(*(claim(desk, 1) for _ in range(8)), return_exceptions=True)

    assert sum(isinstance(outcome, Fenced) for outcome in outcomes) == 7
    assert len(await desk.events()) == 1


async def test_nodes_are_fenced_each_on_its_own(desk: Desk) -> None:
    await claim(desk, 1, "left")
    await claim(desk, 5, "right")

    await desk.store.commit(key_of(desk, "left"), FIRST, Transition(steps=[a_step()]))

    assert list((await claim(desk, 6, "right")).steps) == []


async def test_a_node_that_ended_says_so_and_announces_nothing(desk: Desk) -> None:
    error = ErrorInfo(code="max_iterations", message="Too many turns.")
    outcome = Outcome(NodeStatus.FAILED, {"partial": "half"}, error)
    await claim(desk, 1)
    await commit(desk, Transition(outcome=outcome))
    told = len(await desk.events())

    assert (await claim(desk, 2)).outcome == outcome
    assert len(await desk.events()) == told


async def test_a_node_that_waits_goes_on(desk: Desk) -> None:
    await claim(desk, 1)
    await commit(desk, Transition(outcome=waiting(f"{desk.run_id}.1")))

    assert (await claim(desk, 1, segment=1)).outcome is None


# ---- steps -------------------------------------------------------------------------------------


async def test_a_step_comes_back_in_every_detail(desk: Desk) -> None:
    step = a_step(
        kind=StepKind.MODEL,
        status=StepStatus.UNKNOWN,
        arguments={"text": "Grüße", "rows": [1, 2.5, None, True]},
        answer={"z": 1, "a": {"b": []}},
        error=ErrorInfo(code="outcome_unknown", message="The line was cut."),
        effect_class=EffectClass.KEYED,
        effect_id="of-1",
        sent_at=clock.now(),
        send_by=later(30),
        sends=2,
        usage=TokenUsage(input_tokens=5, model_calls=1),
        cost=Decimal("0.000000001"),
        reserved=Decimal("0.25"),
        is_cost_assumed=True,
        model="m-1",
        workspace={"a.csv": "d1"},
        fence=FIRST,
        ended_at=clock.now(),
    )
    await claim(desk, 1)
    await commit(desk, Transition(steps=[step]))

    assert list((await claim(desk, 2)).steps) == [step]


@pytest.mark.parametrize(
    "answer",
    [
        {"b": 1, "a": 2},
        [4e16, 1e22, 1.0, -0.0, 1e-7, 12345678901234567890],
        "a NUL \0 and half a pair \ud800",
        {"": None},
        "",
        0,
        False,
    ],
    ids=repr,
)
async def test_an_answer_comes_back_letter_by_letter(desk: Desk, answer: object) -> None:
    await claim(desk, 1)
    await commit(desk, Transition(steps=[a_step(answer=answer, arguments={"given": answer})]))

    (step,) = (await claim(desk, 2)).steps

    assert repr(step.answer) == repr(answer)
    assert repr(step.arguments["given"]) == repr(answer)


async def test_a_step_written_again_takes_the_place_of_what_it_was(desk: Desk) -> None:
    await claim(desk, 1)
    sent = a_step(status=StepStatus.SENT, effect_class=EffectClass.ASK, sends=1)
    await commit(desk, Transition(steps=[sent]))
    await commit(desk, Transition(steps=[replace(sent, status=StepStatus.CONFIRMED, answer="ok")]))

    (step,) = (await claim(desk, 2)).steps

    assert (step.status, step.answer, step.sends) == (StepStatus.CONFIRMED, "ok", 1)


async def test_several_steps_are_written_at_once(desk: Desk) -> None:
    await claim(desk, 1)
    await commit(desk, Transition(steps=[a_step(1), a_step(0), a_step(2)]))

    assert sorted(step.number for step in (await claim(desk, 2)).steps) == [0, 1, 2]


async def test_the_workspace_is_what_the_last_transition_that_had_one_said(desk: Desk) -> None:
    await claim(desk, 1)
    await commit(desk, Transition(workspace={"a.csv": "d1"}))
    await commit(desk, Transition(workspace={}))
    await commit(desk, Transition(steps=[a_step()]))

    assert (await claim(desk, 2)).workspace == {}


# ---- money -------------------------------------------------------------------------------------


@requirement("BUD-2")
async def test_money_moves_with_its_transition(desk: Desk) -> None:
    await claim(desk, 1)
    await commit(desk, Transition(reserve={0: Decimal(4)}))
    assert await desk.money() == dollars(4, 0)

    await commit(desk, Transition(settle={0: Decimal("1.000000001")}))
    assert await desk.money() == dollars(0, "1.000000001")


@requirement("BUD-2")
async def test_what_does_not_fit_under_the_cap_writes_nothing_at_all(desk: Desk) -> None:
    await claim(desk, 1)
    await commit(desk, Transition(reserve={0: Decimal(8)}))
    told = len(await desk.events())
    change = Transition(
        steps=[a_step()],
        events=[an_event("too much")],
        reserve={1: Decimal("2.000000001")},
        workspace={"a.csv": "d1"},
        active=5.0,
        outcome=Outcome(NodeStatus.COMPLETED),
    )

    with pytest.raises(BudgetExceeded, match="left"):
        await commit(desk, change)

    found = await claim(desk, 2)
    assert (list(found.steps), found.workspace, found.active, found.outcome) == ([], None, 0, None)
    assert await desk.money() == dollars(8, 0)
    assert len(await desk.events()) == told + 1  # the second claim's own


async def test_what_fits_exactly_is_taken(desk: Desk) -> None:
    await claim(desk, 1)
    await commit(desk, Transition(reserve={0: Decimal(10)}))
    await commit(desk, Transition(settle={0: Decimal(3)}, reserve={1: Decimal(7)}))

    assert await desk.money() == dollars(7, 3)


async def test_of_many_reservations_only_as_many_succeed_as_there_is_money(desk: Desk) -> None:
    names = [f"n{number}" for number in range(12)]
    for name in names:
        await claim(desk, 1, name)
    change = [Transition(reserve={0: Decimal(3)}) for _ in names]

    outcomes = await asyncio.gather(
        *(
            desk.store.commit(key_of(desk, name), FIRST, one)
            for name, one in zip(names, change, strict=True)
        ),
        return_exceptions=True,
    )

    assert sum(isinstance(outcome, BudgetExceeded) for outcome in outcomes) == 9
    assert await desk.money() == dollars(9, 0)


# ---- events ------------------------------------------------------------------------------------


async def test_events_are_numbered_without_gaps_when_fifty_commits_come_at_once(
    desk: Desk,
) -> None:
    names = [f"n{number}" for number in range(10)]
    for name in names:
        await claim(desk, 1, name)

    async def write(number: int) -> None:
        change = Transition(events=[an_event(f"{number}a"), an_event(f"{number}b")])
        await desk.store.commit(key_of(desk, names[number % 10]), FIRST, change)

    await asyncio.gather(*(write(number) for number in range(50)))

    events = await desk.events()
    first = events[0].seq
    assert [event.seq for event in events] == list(range(first, first + 110))
    together = [str(event.body)[:-2] for event in events[10:]]
    assert together[0::2] == together[1::2]  # the two of one commit stand side by side


async def test_who_reads_while_others_write_misses_nothing(desk: Desk) -> None:
    names = [f"n{number}" for number in range(5)]
    for name in names:
        await claim(desk, 1, name)
    seen: list[int] = []

    async def tail() -> None:
        while len(seen) < 55:
            new = [event.seq for event in await desk.events() if event.seq > max(seen, default=0)]
            seen.extend(new)
            await asyncio.sleep(0)

    writes = (
        desk.store.commit(
            key_of(desk, names[number % 5]), FIRST, Transition(events=[an_event(f"e{number}")])
        )
        for number in range(50)
    )
    async with asyncio.timeout(20):
        await asyncio.gather(tail(), *writes)

    assert seen == list(range(seen[0], seen[0] + 55))


# ---- decisions ---------------------------------------------------------------------------------


async def test_a_decision_is_found_by_the_next_claim_until_it_is_consumed(desk: Desk) -> None:
    await claim(desk, 1)
    await desk.decide(key_of(desk), f"{desk.run_id}.1")

    (item,) = (await claim(desk, 2)).inbox
    assert (item.wait_id, item.decision, item.decided_by, item.note) == (
        f"{desk.run_id}.1",
        Decision.HAPPENED,
        "us_anna",
        "I looked",
    )
    await commit(desk, Transition(steps=[a_step()], consumed=[item.id]), SECOND)

    assert list((await claim(desk, 3)).inbox) == []


async def test_a_decision_reaches_its_own_node_only(desk: Desk) -> None:
    await claim(desk, 1)
    await claim(desk, 1, "other")
    await desk.decide(key_of(desk), f"{desk.run_id}.1")

    assert list((await claim(desk, 2, "other")).inbox) == []


async def test_a_refused_transition_consumes_no_decision(desk: Desk) -> None:
    await claim(desk, 1)
    await desk.decide(key_of(desk), f"{desk.run_id}.1")
    with pytest.raises(BudgetExceeded):
        await commit(desk, Transition(reserve={0: Decimal(11)}, consumed=[f"{desk.run_id}.1"]))

    assert len((await claim(desk, 2)).inbox) == 1
