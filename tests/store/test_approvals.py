"""Questions to people, and what they decide."""

import asyncio

import pytest

from omniforge.errors import AlreadyDecided, ApprovalNotFound
from omniforge.journal.events import DecisionMade
from omniforge.journal.ports import Decision, Transition
from omniforge.journal.steps import Fence, NodeKey
from omniforge.store.approvals import Approval
from tests.store.making import Tenant, announcing, waiting
from tests.support.requirements import requirement


async def asked(tenant: Tenant) -> str:
    """A run that waits for a person; the id of its question."""
    run = await tenant.begun()
    key, journal = NodeKey(run.id, "report"), tenant.mine.journal
    await journal.claim(key, "report", Fence(0, 1), announcing("report"))
    await journal.commit(key, Fence(0, 1), Transition(outcome=waiting(f"{run.id}.1")))
    return f"{run.id}.1"


async def decide(tenant: Tenant, approval: str, decision: Decision, by: str = "us_anna") -> None:
    await tenant.mine.write(lambda db: db.approvals.decide(approval, decision, by, "I looked"))


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

    still_open = await tenant.mine.read(lambda db: db.approvals.page(9, None, is_open=True))
    every = await tenant.mine.read(lambda db: db.approvals.page(9, None, is_open=False))

    assert [each.id for each in still_open.items] == [second]
    assert [each.id for each in every.items] == [second, first]


async def test_a_question_is_asked_once_however_often_the_skill_parks(tenant: Tenant) -> None:
    question = await asked(tenant)
    key = NodeKey((await get(tenant, question)).execution_id, "report")
    await tenant.mine.journal.claim(key, "report", Fence(1, 1), announcing("report"))
    await tenant.mine.journal.commit(key, Fence(1, 1), Transition(outcome=waiting(question)))

    every = await tenant.mine.read(lambda db: db.approvals.page(9, None, is_open=False))

    assert [each.id for each in every.items] == [question]


async def test_a_strangers_question_and_a_missing_one_are_the_same_answer(tenant: Tenant) -> None:
    stranger, question = await Tenant.new(tenant.store), await asked(tenant)
    for wanted in (question, "of-missing.1"):
        with pytest.raises(ApprovalNotFound, match=f"There is no approval '{wanted}'"):
            await get(stranger, wanted)
        with pytest.raises(ApprovalNotFound):
            await decide(stranger, wanted, Decision.SKIP)

    assert (await get(tenant, question)).decision is None
