"""The client against the platform."""

from pathlib import Path

import pytest

from omniforge.agents.config import AgentStatus
from omniforge.agents.runs import RunStatus
from omniforge.client import OmniForgeClient, Upload
from omniforge.errors import (
    AgentNotFound,
    ApprovalNotFound,
    ArtifactNotFound,
    ExecutionNotFound,
    Rejected,
    SkillInvalid,
    Unauthenticated,
)
from omniforge.journal.ports import Decision
from tests.support.platform import Platform, skill
from tests.support.requirements import requirement

EXAMPLE = Path(__file__).parents[2] / "examples" / "overdue-tasks"
BROKEN = {"broken/SKILL.md": b"---\nname: broken\n---\nNo description.\n"}


@requirement("SDK-2")
async def test_an_agent_is_created_run_watched_and_its_report_fetched(
    client: OmniForgeClient,
) -> None:
    agent = await client.agents.create(EXAMPLE, name="client-test", activate=True)
    table = (EXAMPLE / "tasks.csv").read_bytes()

    started = await client.agents.run(
        agent_id=agent.id,
        input_data={"file": "tasks.csv", "today": "2026-11-20"},
        files={"tasks.csv": table},
    )
    kinds = [event.body.type async for event in client.runs.watch(started.execution_id)]
    run = await client.runs.get(started.execution_id)

    assert (kinds[0], kinds[-1]) == ("run_started", "run_finished")
    assert run.status is RunStatus.COMPLETED
    assert run.result["overdue"] == 58
    assert [one.path for one in await client.runs.artifacts(run.id)] == [
        "overdue.csv",
        "report.md",
        "tasks.csv",
    ]
    assert await client.runs.artifact(run.id, "tasks.csv") == table
    assert {step.attempt for step in await client.runs.steps(run.id)} == {1}
    assert [one.id for one in await client.agents.get_executions(agent_id=agent.id)] == [run.id]


@requirement("SDK-2")
async def test_the_same_key_is_the_same_run(client: OmniForgeClient, platform: Platform) -> None:
    agent = await platform.agent(skill("quick"))

    first = await client.agents.run(agent, {"a": 1}, idempotency_key="once-only")
    again = await client.agents.run(agent, {"a": 1}, idempotency_key="once-only")

    assert first.execution_id == again.execution_id
    assert (await client.runs.wait(first.execution_id)).status.is_final


async def test_an_agent_is_switched_and_put_away(client: OmniForgeClient) -> None:
    agent = await client.agents.create(EXAMPLE / "skills" / "find-overdue-tasks")

    assert agent.status is AgentStatus.DRAFT
    assert (await client.agents.activate(agent.id)).status is AgentStatus.ACTIVE
    assert (await client.agents.pause(agent.id)).status is AgentStatus.PAUSED
    assert (await client.agents.archive(agent.id)).status is AgentStatus.ARCHIVED
    assert agent.id not in [one.id for one in await client.agents.list(limit=200)]
    assert agent.id in [one.id async for one in client.agents.every(AgentStatus.ARCHIVED)]


async def test_an_agent_is_found_by_a_name_that_no_other_has(client: OmniForgeClient) -> None:
    upload = Upload({"name": "x"}, files=_skill_files())
    alone = await client.agents.create(upload, name="alone / by name")
    for _ in range(2):
        await client.agents.create(upload, name="twins")

    assert (await client.agents.find("alone / by name")).id == alone.id
    assert (await client.agents.find(alone.id)).id == alone.id
    with pytest.raises(Rejected, match="2 agents are called 'twins'"):
        await client.agents.find("twins")
    with pytest.raises(AgentNotFound):
        await client.agents.find("nobody")


async def test_lists_come_page_by_page(client: OmniForgeClient) -> None:
    upload = Upload({"name": "x"}, files=_skill_files())
    made = [(await client.agents.create(upload, name=f"page-{n}")).id for n in range(3)]

    first = await client.agents.list(limit=2)
    second = await client.agents.list(limit=2, cursor=first.next_cursor)

    assert [one.id for one in first] == made[:0:-1]
    assert second[0].id == made[0]


def _skill_files() -> dict[str, bytes]:
    name = "find-overdue-tasks"
    return {f"{name}/SKILL.md": (EXAMPLE / "skills" / name / "SKILL.md").read_bytes()}


async def test_what_is_not_there_has_its_own_error(
    client: OmniForgeClient, platform: Platform
) -> None:
    run = await platform.run(skill("quick"))

    with pytest.raises(ExecutionNotFound):
        await client.runs.get("ex_none")
    with pytest.raises(ExecutionNotFound):
        await anext(client.runs.watch("ex_none"))
    with pytest.raises(ArtifactNotFound):
        await client.runs.artifact(run["id"], "no such/file?.txt")
    with pytest.raises(ApprovalNotFound):
        await client.approvals.decide("ap_none", Decision.SKIP)


@requirement("SDK-2")
async def test_a_broken_skill_is_refused_with_every_finding(client: OmniForgeClient) -> None:
    with pytest.raises(SkillInvalid) as failure:
        await client.agents.create(Upload({"name": "a"}, files=BROKEN))

    findings = failure.value.details["findings"]
    assert isinstance(findings, list)
    assert {"description-missing"} <= {one["rule"] for one in findings}


async def test_an_unknown_key_is_not_signed_in(platform: Platform) -> None:
    async with OmniForgeClient("of_sk_unknown", str(platform.api.base_url)) as stranger:
        with pytest.raises(Unauthenticated):
            await stranger.agents.list()


async def test_a_run_is_cancelled(client: OmniForgeClient, platform: Platform) -> None:
    platform.service.lost_answers = 1
    agent = await platform.agent(_asking())
    started = await client.agents.run(agent)
    async for event in client.runs.watch(started.execution_id):
        if event.body.type == "skill_waiting":
            await client.runs.cancel(started.execution_id)

    assert (await client.runs.get(started.execution_id)).status is RunStatus.CANCELLED


@requirement("SDK-2")
async def test_an_effect_in_doubt_is_decided(client: OmniForgeClient, platform: Platform) -> None:
    platform.service.lost_answers = 1
    started = await client.agents.run(await platform.agent(_asking()))
    async for event in client.runs.watch(started.execution_id):
        if event.body.type == "skill_waiting":
            waiting = [
                a for a in await client.approvals.list() if a.execution_id == started.execution_id
            ]
            await client.approvals.decide(waiting[0].id, Decision.HAPPENED, reason="seen it")

    decided = await client.approvals.list(open_only=False)
    assert (await client.runs.get(started.execution_id)).status is RunStatus.COMPLETED
    assert waiting[0].id in [one.id for one in decided if one.decision is Decision.HAPPENED]


def _asking() -> dict[str, object]:
    body = '1. Post: `post_ask {"text": "hello"}`\n2. Answer: `{"posted": true}`'
    return skill("poster", body, allowed="post_ask")
