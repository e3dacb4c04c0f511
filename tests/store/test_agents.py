"""Agents and their versions, each tenant for itself."""

import asyncio
from datetime import timedelta

import pytest

from omniforge import clock
from omniforge.agents.config import (
    AgentConfig,
    AgentStatus,
    SharingLevel,
    SkillReference,
    UsageStats,
)
from omniforge.agents.runs import RunStatus
from omniforge.agents.versions import AgentVersion
from omniforge.errors import AgentChanged, AgentNotFound
from tests.store.making import Tenant, a_version, an_agent
from tests.support.requirements import requirement


async def get(tenant: Tenant, agent_id: str) -> AgentConfig:
    return await tenant.mine.read(lambda db: db.agents.get(agent_id))


async def name_of(tenant: Tenant, agent_id: str) -> str:
    return (await tenant.mine.read(lambda db: db.agents.name_and_version(agent_id)))[0]


async def change(tenant: Tenant, agent: AgentConfig, version: AgentVersion | None) -> None:
    await tenant.mine.write(lambda db: db.agents.change(agent, 1, version))


async def switch(tenant: Tenant, agent_id: str, status: AgentStatus) -> None:
    await tenant.mine.write(lambda db: db.agents.set_status(agent_id, status))


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

    assert await get(tenant, agent.id) == agent


async def test_a_version_stays_as_it_was_when_the_agent_changes(tenant: Tenant) -> None:
    agent = an_agent(tenant.id, (SkillReference(name="read"),), cap="1")
    await tenant.mine.write(lambda db: db.agents.add(agent, a_version(agent)))
    changed = an_agent(tenant.id, (SkillReference(name="send"),), id=agent.id, version=2)
    await change(tenant, changed, a_version(changed))

    first = await tenant.mine.read(lambda db: db.agents.version(agent.id, 1))
    second = await tenant.mine.read(lambda db: db.agents.version(agent.id, 2))

    assert first == a_version(agent)
    assert second == a_version(changed)
    assert (await get(tenant, agent.id)).skills == changed.skills


async def test_a_change_without_a_new_version_keeps_the_old_one(tenant: Tenant) -> None:
    agent = await get(tenant, await tenant.agent())
    renamed = agent.model_copy(update={"name": "monthly", "updated_at": clock.now()})
    await change(tenant, renamed, None)

    assert await get(tenant, agent.id) == renamed


async def test_of_two_changes_of_one_version_the_later_is_refused(tenant: Tenant) -> None:
    agent = await get(tenant, await tenant.agent())
    changes = [agent.model_copy(update={"name": name, "version": 2}) for name in ("one", "two")]

    outcomes = await asyncio.gather(
        *(change(tenant, each, a_version(each)) for each in changes), return_exceptions=True
    )

    assert sorted(type(each).__name__ for each in outcomes) == ["AgentChanged", "NoneType"]


async def test_a_status_can_be_switched_until_the_agent_is_archived(tenant: Tenant) -> None:
    agent_id = await tenant.agent()
    for status in (AgentStatus.PAUSED, AgentStatus.ACTIVE, AgentStatus.ARCHIVED):
        await switch(tenant, agent_id, status)
        assert (await get(tenant, agent_id)).status is status

    with pytest.raises(AgentChanged):
        await switch(tenant, agent_id, AgentStatus.ACTIVE)


async def test_another_tenants_agent_and_a_missing_one_are_the_same_answer(tenant: Tenant) -> None:
    stranger, agent_id = await Tenant.new(tenant.store), await tenant.agent()

    answers = []
    for wanted in (agent_id, "ag_missing"):
        with pytest.raises(AgentNotFound) as refusal:
            await get(stranger, wanted)
        with pytest.raises(AgentNotFound):
            await name_of(stranger, wanted)
        answers.append(refusal.value.message.replace(wanted, "?"))

    assert answers[0] == answers[1]


async def test_a_stranger_changes_and_counts_nothing(tenant: Tenant) -> None:
    stranger, agent_id = await Tenant.new(tenant.store), await tenant.agent()
    await tenant.ended(agent_id)
    agent = await get(tenant, agent_id)

    with pytest.raises(AgentChanged):
        await change(stranger, agent.model_copy(update={"name": "x"}), None)
    with pytest.raises(AgentChanged):
        await switch(stranger, agent_id, AgentStatus.ARCHIVED)

    assert await get(tenant, agent_id) == agent
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
