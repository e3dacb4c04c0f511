"""Agents and their versions, each tenant for itself."""

from datetime import timedelta

import pytest

from omniforge import clock
from omniforge.agents.config import AgentStatus, SharingLevel, SkillReference, UsageStats
from omniforge.agents.runs import RunStatus
from omniforge.errors import AgentNotFound
from tests.store.making import Tenant, a_version, an_agent
from tests.support.requirements import requirement


async def test_an_agent_comes_back_in_every_detail(tenant: Tenant) -> None:
    skill = SkillReference(name="read", order=2, config={"limit": 5}, timeout_s=9.5, model="m-1")
    agent = an_agent(
        tenant.id,
        (skill, SkillReference(name="send", depends_on=("read",))),
        cap="1.5",
        description="Grüße",
        schedule="0 9 * * 1",
        event_config={"source": "web"},
        integrations=("slack",),
        sharing_level=SharingLevel.TEAM,
        shared_with=("us_bob",),
    )
    await tenant.mine.write(lambda db: db.agents.add(agent, a_version(agent)))

    assert await tenant.mine.read(lambda db: db.agents.get(agent.id)) == agent


async def test_a_version_stays_as_it_was_when_the_agent_changes(tenant: Tenant) -> None:
    agent = an_agent(tenant.id, (SkillReference(name="read"),), cap="1")
    await tenant.mine.write(lambda db: db.agents.add(agent, a_version(agent)))
    changed = an_agent(tenant.id, (SkillReference(name="send"),), id=agent.id, version=2)
    await tenant.mine.write(lambda db: db.agents.add_version(a_version(changed)))
    await tenant.mine.write(lambda db: db.agents.replace(changed))

    first = await tenant.mine.read(lambda db: db.agents.version(agent.id, 1))
    second = await tenant.mine.read(lambda db: db.agents.version(agent.id, 2))

    assert first == a_version(agent)
    assert second == a_version(changed)


async def test_a_changed_agent_is_what_is_read_from_then_on(tenant: Tenant) -> None:
    agent_id = await tenant.agent()
    agent = await tenant.mine.read(lambda db: db.agents.get(agent_id))
    changed = agent.model_copy(update={"name": "monthly", "status": AgentStatus.PAUSED})
    await tenant.mine.write(lambda db: db.agents.replace(changed))

    found = await tenant.mine.read(lambda db: db.agents.get(agent_id))

    assert (found.name, found.status) == ("monthly", AgentStatus.PAUSED)
    assert found.updated_at > agent.updated_at


async def test_another_tenants_agent_and_a_missing_one_are_the_same_answer(tenant: Tenant) -> None:
    stranger, agent_id = await Tenant.new(tenant.store), await tenant.agent()

    answers = []
    for wanted in (agent_id, "ag_missing"):
        with pytest.raises(AgentNotFound) as refusal:
            await stranger.mine.read(lambda db, wanted=wanted: db.agents.get(wanted))
        with pytest.raises(AgentNotFound):
            await stranger.mine.read(lambda db, wanted=wanted: db.agents.name_and_version(wanted))
        answers.append(refusal.value.message.replace(wanted, "?"))

    assert answers[0] == answers[1]


async def test_a_stranger_changes_and_counts_nothing(tenant: Tenant) -> None:
    stranger, agent_id = await Tenant.new(tenant.store), await tenant.agent()
    await tenant.ended(agent_id)
    agent = await tenant.mine.read(lambda db: db.agents.get(agent_id))

    await stranger.mine.write(lambda db: db.agents.replace(agent.model_copy(update={"name": "x"})))

    assert await tenant.mine.read(lambda db: db.agents.get(agent_id)) == agent
    assert await stranger.mine.read(lambda db: db.agents.usage([agent_id])) == {}
    assert (await stranger.mine.read(lambda db: db.agents.page(9, None, None))).items == []


async def test_archived_agents_are_listed_only_when_they_are_asked_for(tenant: Tenant) -> None:
    active = await tenant.agent()
    archived = await tenant.agent(status=AgentStatus.ARCHIVED)

    listed = await tenant.mine.read(lambda db: db.agents.page(9, None, None))
    put_away = await tenant.mine.read(lambda db: db.agents.page(9, None, AgentStatus.ARCHIVED))

    assert [agent.id for agent in listed.items] == [active]
    assert [agent.id for agent in put_away.items] == [archived]


@requirement("STA-1")
async def test_usage_is_counted_from_the_runs_themselves(tenant: Tenant) -> None:
    agent_id, idle = await tenant.agent(), await tenant.agent()
    before = clock.now() - timedelta(seconds=1)
    await tenant.ended(agent_id, RunStatus.COMPLETED)
    await tenant.ended(agent_id, RunStatus.FAILED)
    await tenant.ended(agent_id, RunStatus.COMPLETED)
    pending = await tenant.run(agent_id)

    usage = await tenant.mine.read(lambda db: db.agents.usage([agent_id, idle]))

    assert list(usage) == [agent_id]
    assert (usage[agent_id].total_runs, usage[agent_id].successful_runs) == (4, 2)
    last = usage[agent_id].last_run
    assert last is not None
    assert before < last <= clock.now()
    assert pending.started_at is None


@requirement("STA-1")
async def test_an_agent_whose_only_run_has_not_begun_has_no_last_run(tenant: Tenant) -> None:
    agent_id = await tenant.agent()
    await tenant.run(agent_id)

    usage = await tenant.mine.read(lambda db: db.agents.usage([agent_id]))

    assert usage[agent_id] == UsageStats(total_runs=1)
