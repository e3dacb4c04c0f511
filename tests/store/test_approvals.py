"""Questions to people, and what they decide."""

import asyncio
from typing import Any

import pytest

from omniforge.agents.config import AgentLimits, Patience
from omniforge.agents.runs import OpenWait
from omniforge.errors import AlreadyDecided, ApprovalNotFound
from omniforge.journal.events import DecisionMade
from omniforge.journal.ports import Decision, Transition, Verdict
from omniforge.journal.steps import Fence, NodeKey
from omniforge.store.approvals import Approval, Wanted
from tests.store.making import USER, Tenant, announcing, waiting
from tests.support.requirements import requirement


async def asked(tenant: Tenant, **more: Any) -> str:
    """A run that waits for a person; the id of its question."""
    run = await tenant.run(await tenant.agent(**more))
    await tenant.mine.write(lambda db: db.runs.begin(run))
    key, journal = NodeKey(run.id, "report"), tenant.mine.journal
    await journal.claim(key, "report", Fence(0, 1), announcing("report"))
    await journal.commit(key, Fence(0, 1), Transition(outcome=waiting(f"{run.id}.1")))
    return f"{run.id}.1"


async def decide(tenant: Tenant, approval: str, decision: Decision, by: str = "us_anna") -> None:
    verdict = Verdict(decision, by, "I looked")
    await tenant.mine.write(lambda db: db.approvals.decide(approval, verdict))


async def get(tenant: Tenant, approval: str) -> Approval:
    return await tenant.mine.read(lambda db: db.approvals.get(approval))


async def test_a_skill_that_waits_asks_its_question(tenant: Tenant) -> None:
    question = await asked(tenant)

    found = await get(tenant, question)

    assert (found.kind, found.question, found.node) == ("effect", "Did it happen?", "report")
    assert (found.decision, found.decided_by, found.decided_at) == (None, None, None)


@requirement("DUR-2")
async def test_a_decision_reaches_the_skills_next_segment_and_the_watchers(tenant: Tenant) -> None:
    question = await asked(tenant)
    run_id = (await get(tenant, question)).execution_id
    await decide(tenant, question, Decision.HAPPENED)

    key = NodeKey(run_id, "report")
    state = await tenant.mine.journal.claim(key, "report", Fence(1, 1), announcing("report"))
    events = await tenant.mine.read(lambda db: db.runs.events(run_id, 0, 99))

    assert [(item.wait_id, item.decision, item.note) for item in state.inbox] == [
        (question, Decision.HAPPENED, "I looked")
    ]
    made = DecisionMade(id=question, decision="happened", decided_by="us_anna")
    assert [event.body for event in events if event.body.type == "decision_made"] == [made]


async def test_the_same_decision_again_changes_nothing(tenant: Tenant) -> None:
    question = await asked(tenant)
    await decide(tenant, question, Decision.SKIP)
    first = await get(tenant, question)

    await decide(tenant, question, Decision.SKIP)

    assert await get(tenant, question) == first


async def test_a_second_decision_is_refused_with_the_first_ones_words(tenant: Tenant) -> None:
    question = await asked(tenant)
    await decide(tenant, question, Decision.SKIP)

    with pytest.raises(AlreadyDecided, match="skip by us_anna"):
        await decide(tenant, question, Decision.RESEND, "us_bob")


async def test_of_many_decisions_at_once_exactly_one_counts(tenant: Tenant) -> None:
    question = await asked(tenant)
    people = [f"us_{number}" for number in range(6)]
    wishes = [list(Decision)[number % 3] for number in range(6)]

    outcomes = await asyncio.gather(
        *(decide(tenant, question, wish, by) for wish, by in zip(wishes, people, strict=True)),
        return_exceptions=True,
    )

    found = await get(tenant, question)
    key = NodeKey(found.execution_id, "report")
    state = await tenant.mine.journal.claim(key, "report", Fence(1, 1), announcing("report"))
    assert [type(each) for each in outcomes if each is not None] == [AlreadyDecided] * 5
    assert [(item.decision, item.decided_by) for item in state.inbox] == [
        (found.decision, found.decided_by)
    ]


async def test_open_questions_are_listed_without_the_decided_ones(tenant: Tenant) -> None:
    first, second = await asked(tenant), await asked(tenant)
    await decide(tenant, first, Decision.SKIP)

    still_open = await tenant.mine.read(lambda db: db.approvals.page(9, None, Wanted()))
    every = await tenant.mine.read(lambda db: db.approvals.page(9, None, Wanted(is_open=False)))

    assert [each.id for each in still_open.items] == [second]
    assert [each.id for each in every.items] == [second, first]


async def test_a_question_is_asked_once_however_often_the_skill_parks(tenant: Tenant) -> None:
    question = await asked(tenant)
    key = NodeKey((await get(tenant, question)).execution_id, "report")
    await tenant.mine.journal.claim(key, "report", Fence(1, 1), announcing("report"))
    await tenant.mine.journal.commit(key, Fence(1, 1), Transition(outcome=waiting(question)))

    every = await tenant.mine.read(lambda db: db.approvals.page(9, None, Wanted(is_open=False)))

    assert [each.id for each in every.items] == [question]


async def test_a_strangers_question_and_a_missing_one_are_the_same_answer(tenant: Tenant) -> None:
    stranger, question = await Tenant.new(tenant.store), await asked(tenant)
    for wanted in (question, "of-missing.1"):
        with pytest.raises(ApprovalNotFound, match=f"There is no approval '{wanted}'"):
            await get(stranger, wanted)
        with pytest.raises(ApprovalNotFound):
            await decide(stranger, wanted, Decision.SKIP)

    assert (await get(tenant, question)).decision is None


# ---- nobody decides ----------------------------------------------------------------------------


async def overdue(tenant: Tenant, approval: str, what: Any) -> None:
    await tenant.mine.write(lambda db: db.approvals.overdue(approval, what))


async def told(tenant: Tenant, approval: str) -> list[str]:
    run_id = (await get(tenant, approval)).execution_id
    events = await tenant.mine.read(lambda db: db.runs.events(run_id, 0, 99))
    kinds = {"approval_reminded", "approval_escalated", "decision_made"}
    return [event.body.type for event in events if event.body.type in kinds]


@requirement("DUR-4")
async def test_what_is_overdue_is_told_once_however_often_it_is_due(tenant: Tenant) -> None:
    question, other = await asked(tenant), await asked(tenant)
    for what in ("remind", "remind", "escalate", "remind", "escalate"):
        await overdue(tenant, question, what)

    found = await get(tenant, question)
    late = await tenant.mine.read(lambda db: db.approvals.page(9, None, Wanted(is_overdue=True)))
    mine = await tenant.mine.read(lambda db: db.approvals.page(9, None, Wanted(escalated_to=USER)))

    assert await told(tenant, question) == ["approval_reminded", "approval_escalated"]
    assert (found.escalated_to, found.decision) == (USER, None)
    assert [one.id for one in late.items] == [one.id for one in mine.items] == [question]
    assert await told(tenant, other) == []


@requirement("DUR-4")
async def test_giving_up_is_a_decision_and_the_only_one(tenant: Tenant) -> None:
    question = await asked(tenant)
    await overdue(tenant, question, "give_up")
    await overdue(tenant, question, "give_up")
    await overdue(tenant, question, "remind")

    with pytest.raises(AlreadyDecided, match="no_answer by omniforge, 20"):
        await decide(tenant, question, Decision.SKIP)

    found = await get(tenant, question)
    assert (found.decision, found.decided_by) == (Decision.NO_ANSWER, "omniforge")
    assert found.note == "0.1 seconds"
    assert await told(tenant, question) == ["decision_made"]


async def test_what_somebody_has_decided_is_not_overdue(tenant: Tenant) -> None:
    question = await asked(tenant)
    await decide(tenant, question, Decision.SKIP)
    for what in ("remind", "escalate", "give_up"):
        await overdue(tenant, question, what)

    assert (await get(tenant, question)).decision is Decision.SKIP
    assert await told(tenant, question) == ["decision_made"]


async def test_the_agents_patience_says_when_something_is_due(tenant: Tenant) -> None:
    patience = Patience(remind_after_s=60, give_up_after_s=3_600, escalate_to="us_boss")
    question = await asked(tenant, limits=AgentLimits(patience=patience))

    await overdue(tenant, question, "escalate")
    found = await get(tenant, question)

    assert found.remind_at is not None
    assert found.gives_up_at is not None
    assert (found.gives_up_at - found.remind_at).total_seconds() == 3_540
    assert (found.escalate_at, found.escalated_to) == (None, "us_boss")


async def test_of_a_decision_and_giving_up_at_once_exactly_one_counts(tenant: Tenant) -> None:
    for _ in range(5):
        question = await asked(tenant)
        person, _ = await asyncio.gather(
            decide(tenant, question, Decision.SKIP),
            overdue(tenant, question, "give_up"),
            return_exceptions=True,
        )

        found = await get(tenant, question)
        expected = Decision.SKIP if person is None else Decision.NO_ANSWER
        assert person is None or isinstance(person, AlreadyDecided)
        assert found.decision is expected
        assert await told(tenant, question) == ["decision_made"]


# ---- what a run waits for ----------------------------------------------------------------------


async def test_open_waits_are_those_that_nobody_has_ended(tenant: Tenant) -> None:
    question = await asked(tenant)
    run_id = (await get(tenant, question)).execution_id

    async def waits() -> list[OpenWait]:
        found = await tenant.mine.read(lambda db: db.waits.of([run_id]))
        return list(found.get(run_id, ()))

    before = await waits()
    await tenant.mine.write(lambda db: db.control.wish(run_id, "pause", USER, ""))
    paused = await waits()
    await decide(tenant, question, Decision.SKIP)
    decided = await waits()

    assert [(one.kind, one.id, one.node) for one in before] == [("effect", question, "report")]
    assert [one.kind for one in paused] == ["effect", "pause"]
    assert [one.kind for one in decided] == ["pause"]
    assert before[0].since <= paused[1].since
