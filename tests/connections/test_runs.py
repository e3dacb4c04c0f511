"""Runs on the accounts of people: their tokens, their end, and how a run goes on after it."""

import asyncio

import pytest
from temporalio.client import WorkflowExecutionStatus

from api.connecting.tending import ConnectionTender
from api.connecting.workflows import ConnectionWorkflows
from omniforge.identity import Role
from tests.access.filling import Workspace
from tests.connections.connecting import CREATE, LIST, Town, once
from tests.connections.service import REPO
from tests.support.platform import skill
from tests.support.requirements import requirement
from workflows.attributes import connection_workflow_id

LINKS = "/api/v1/oauth/links"


@requirement("INT-1", "INT-3")
async def test_a_skill_acts_on_the_connected_account(at_home: Town) -> None:
    await at_home.connect()
    at_home.platform.model.decides(once(CREATE, LIST))

    run = await at_home.platform.run(skill("one"), integrations=["github"])

    assert run["status"] == "completed", run
    assert [issue["title"] for issue in at_home.service.issues] == ["Slow"]
    assert len(set(at_home.service.used)) == 1


@requirement("INT-1")
@pytest.mark.parametrize("count", [15, pytest.param(100, marks=pytest.mark.long)])
async def test_many_runs_that_need_a_fresh_token_cause_one_refresh(
    at_home: Town, count: int
) -> None:
    at_home.service.lives_s = 30
    await at_home.connect()
    at_home.service.lives_s = 3_600
    at_home.platform.model.decides(once(LIST))
    agent = await at_home.platform.agent(skill("one"), integrations=["github"])

    runs = await asyncio.gather(*(at_home.platform.start(agent) for _ in range(count)))
    ended = [await at_home.platform.ended(run) for run in runs]

    assert {run["status"] for run in ended} == {"completed"}
    assert at_home.service.seen["/token refresh_token"] == 1
    # A read may be made again when a busy worker was taken for dead.
    assert at_home.service.seen[f"GET /repos/{REPO}/issues"] >= count


@requirement("INT-1")
async def test_a_run_without_a_connection_waits_for_one_and_goes_on(at_home: Town) -> None:
    at_home.platform.model.decides(once(CREATE))
    agent = await at_home.platform.agent(skill("one"), integrations=["github"])
    execution = await at_home.platform.start(agent)

    waiting = await at_home.platform.until(execution, {"waiting"})
    await at_home.connect()
    run = await at_home.platform.ended(execution)

    assert waiting["waiting_for"] == "connection"
    assert "omniforge connections connect github" in waiting["waits"][0]["question"]
    assert run["status"] == "completed", run
    assert len(at_home.service.issues) == 1


@requirement("INT-1")
async def test_a_broken_connection_parks_its_runs_until_it_is_connected_again(
    at_home: Town,
) -> None:
    connection = await at_home.connect()
    at_home.service.revoke_all()
    at_home.platform.model.decides(once(CREATE))
    agent = await at_home.platform.agent(skill("one"), integrations=["github"])
    runs = [await at_home.platform.start(agent) for _ in range(3)]

    waiting = [await at_home.platform.until(run, {"waiting"}) for run in runs]
    (broken,) = await at_home.connections()
    await at_home.connect(connection_id=connection["id"])
    ended = [await at_home.platform.ended(run) for run in runs]

    assert {run["waiting_for"] for run in waiting} == {"connection"}
    reconnect = f"omniforge connections reconnect {connection['id']}"
    assert all(reconnect in run["waits"][0]["question"] for run in waiting)
    assert (broken["status"], "bad_refresh_token" in broken["problem"]) == ("broken", True)
    assert {run["status"] for run in ended} == {"completed"}
    assert len(at_home.service.issues) == 3


@requirement("INT-1")
async def test_a_token_that_is_refused_in_mid_run_is_refreshed_once(at_home: Town) -> None:
    await at_home.connect()
    at_home.service.refused |= set(at_home.service.access)
    at_home.platform.model.decides(once(LIST))

    run = await at_home.platform.run(skill("one"), integrations=["github"])

    assert run["status"] == "completed", run
    assert at_home.service.seen["/token refresh_token"] == 1


@requirement("INT-3")
async def test_who_has_two_accounts_says_which_one_an_agent_uses(at_home: Town) -> None:
    await at_home.connect("anna")
    second = await at_home.connect("shop")
    at_home.platform.model.decides(once(LIST))

    unclear = await at_home.platform.run(skill("one"), integrations=["github"])
    pinned = await at_home.platform.run(
        skill("one"), integrations=["github"], connections={"github": second["id"]}
    )

    assert unclear["status"] == "failed"
    assert "Several accounts of github" in unclear["error"]
    assert second["id"] in unclear["error"]
    assert pinned["status"] == "completed", pinned
    assert at_home.service.access[at_home.service.used[-1]].account == "shop"


@requirement("INT-3")
async def test_a_run_acts_as_the_owner_or_as_whoever_starts_it(at_home: Town) -> None:
    await at_home.connect("anna")
    workspace = await Workspace.of(at_home.platform)
    _, key = await workspace.member(Role.OPERATOR)
    link = await workspace.send("POST", LINKS, key, {"integration_id": "github"})
    await at_home.back(await at_home.through(link.json()["url"]), "bob")
    at_home.platform.model.decides(once(LIST))

    used = {}
    for who in ("owner", "starter"):
        agent = await at_home.platform.agent(skill("one"), integrations=["github"], acts_as=who)
        started = await workspace.send("POST", f"/api/v1/agents/{agent}/run", key, {})
        run = await at_home.platform.ended(started.json()["execution_id"])
        assert run["status"] == "completed", run
        used[who] = at_home.service.access[at_home.service.used[-1]].account

    assert used == {"owner": "anna", "starter": "bob"}


@requirement("INT-3")
async def test_nobody_else_tells_an_agent_what_to_do_on_its_owners_accounts(
    at_home: Town,
) -> None:
    agent = await at_home.platform.agent(skill("one"), integrations=["github"])
    workspace = await Workspace.of(at_home.platform)
    _, builder = await workspace.member(Role.BUILDER)
    path = f"/api/v1/agents/{agent}"

    taken = await workspace.send("PATCH", path, builder, {"skills": [skill("other")]})
    plain = await at_home.platform.agent(skill("one"))
    widened = await workspace.send(
        "PATCH", f"/api/v1/agents/{plain}", builder, {"integrations": ["github"]}
    )
    named = await workspace.send("PATCH", path, builder, {"name": "another name"})
    own = await workspace.send("PATCH", path, body={"skills": [skill("other")]})

    assert (taken.status_code, widened.status_code) == (403, 403)
    assert (named.status_code, own.status_code) == (200, 200)


@requirement("INT-3", "SEC-2")
async def test_whoever_leaves_the_workspace_takes_their_accounts_along(at_home: Town) -> None:
    workspace = await Workspace.of(at_home.platform)
    user_id, key = await workspace.member(Role.BUILDER)
    link = await workspace.send("POST", LINKS, key, {"integration_id": "github"})
    await at_home.back(await at_home.through(link.json()["url"]), "bob")
    connection = next(one for one in await at_home.connections() if one["user_id"] == user_id)
    pinned = {"integrations": ["github"], "connections": {"github": connection["id"]}}
    agents = [
        (
            await workspace.send(
                "POST",
                "/api/v1/agents",
                key,
                {"name": "a", "status": "active", "skills": [skill("one")], **more},
            )
        ).json()["id"]
        for more in ({"integrations": ["github"]}, pinned)
    ]
    at_home.platform.model.decides(once(LIST))
    removed = await workspace.send("DELETE", f"/api/v1/members/{user_id}")

    runs = [await at_home.platform.start(agent) for agent in agents]
    found = [await at_home.platform.until(run, {"waiting", "failed", "completed"}) for run in runs]

    assert removed.status_code < 300, removed.text
    assert [(run["status"], run["waiting_for"]) for run in found] == [
        ("waiting", "connection"),
        ("failed", None),
    ]
    assert at_home.service.seen[f"GET /repos/{REPO}/issues"] == 0


@requirement("INT-2")
async def test_a_dry_run_reads_for_real_and_sends_no_write(at_home: Town) -> None:
    await at_home.connect()
    at_home.platform.model.decides(once(LIST, CREATE))
    agent = await at_home.platform.agent(skill("one"), integrations=["github"])

    body = {"input_data": {}, "mode": "dry_run"}
    started = await at_home.api.post(f"/api/v1/agents/{agent}/test", json=body)
    run = await at_home.platform.ended(started.json()["execution_id"])
    held = await at_home.api.get(f"/api/v1/executions/{run['id']}/held")

    assert run["status"] == "completed", run
    assert at_home.service.seen[f"GET /repos/{REPO}/issues"] == 1
    assert at_home.service.seen[f"POST /repos/{REPO}/issues"] == 0
    assert "Slow" in held.text


@requirement("INT-1")
async def test_every_connection_that_ends_has_its_workflow_and_no_other_one_has(
    at_home: Town,
) -> None:
    connection = await at_home.connect()
    platform = at_home.platform
    handle = platform.temporal.get_workflow_handle(
        connection_workflow_id(platform.tenant_id, connection["id"])
    )
    await handle.terminate()
    workflows = ConnectionWorkflows(platform.temporal)
    tender = ConnectionTender(platform.store, platform.temporal, workflows)
    async with asyncio.timeout(20):
        while await tender.tend() == 0:
            await asyncio.sleep(0.1)

    assert (await handle.describe()).status is WorkflowExecutionStatus.RUNNING


async def test_the_workflow_of_a_connection_ends_with_it(at_home: Town) -> None:
    connection = await at_home.connect()
    platform = at_home.platform
    handle = platform.temporal.get_workflow_handle(
        connection_workflow_id(platform.tenant_id, connection["id"])
    )
    begun = await handle.describe()

    await at_home.disconnect_all()
    async with asyncio.timeout(20):
        await handle.result()

    assert begun.status is WorkflowExecutionStatus.RUNNING
