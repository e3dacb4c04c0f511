"""Starting runs: accepted means durable, and a repeat is harmless."""

import asyncio

import httpx2
import pytest
from temporalio.testing import WorkflowEnvironment

from api.launch import Launch
from api.reconciler import Reconciler
from omniforge import clock
from omniforge.agents.runs import Run, RunStatus, RunTrigger
from omniforge.errors import TemporalUnavailable
from omniforge.identity import Principal, Role, new_id
from tests.support.platform import Platform, skill
from tests.support.requirements import requirement
from tests.support.scripted import answer, later
from workflows.wire import connect


async def test_a_run_is_accepted_at_once_and_found_in_temporal(platform: Platform) -> None:
    agent = await platform.agent(skill("one"))

    accepted = await platform.api.post(f"/api/v1/agents/{agent}/run", json={"input_data": {}})
    execution = accepted.json()["execution_id"]

    assert accepted.status_code == 202
    handle = platform.temporal.get_workflow_handle(platform.workflow_id(execution))
    assert (await handle.describe()).id == platform.workflow_id(execution)
    assert (await platform.ended(execution))["status"] == "completed"


async def test_the_same_idempotency_key_is_the_same_run(platform: Platform) -> None:
    agent = await platform.agent(skill("one"))
    path, headers = f"/api/v1/agents/{agent}/run", {"Idempotency-Key": new_id("k")}

    answers = await asyncio.gather(
        *(
            platform.api.post(path, json={"input_data": {"a": 1}}, headers=headers)
            for _ in range(10)
        )
    )
    other = await platform.api.post(path, json={"input_data": {"a": 2}}, headers=headers)
    listed = (await platform.api.get(f"/api/v1/agents/{agent}/executions")).json()["executions"]

    assert {one.status_code for one in answers} == {202}
    assert len({one.json()["execution_id"] for one in answers}) == 1
    assert len(listed) == 1
    assert (other.status_code, other.json()["code"]) == (409, "idempotency_key_reused")


async def test_files_of_a_run_are_there_and_can_be_fetched(platform: Platform) -> None:
    agent = await platform.agent(
        skill(
            "copy",
            '1. Read: `read_file {"path": "in.txt"}`\n'
            '2. Write: `write_file {"path": "out/b.txt", "content": "${steps.1.content}!"}`',
        )
    )

    execution = await platform.start(agent, files={"in.txt": "hello"})
    await platform.ended(execution)
    path = f"/api/v1/executions/{execution}/artifacts"
    listed = (await platform.api.get(path)).json()["artifacts"]
    content = await platform.api.get(f"{path}/out/b.txt")
    missing = await platform.api.get(f"{path}/etc/passwd")
    unsafe = await platform.api.post(f"/api/v1/agents/{agent}/run", json={"files": {"../x": "y"}})

    assert [one["path"] for one in listed] == ["in.txt", "out/b.txt"]
    assert content.text == "hello!"
    assert content.headers["content-disposition"] == "attachment"
    assert (missing.status_code, missing.json()["code"]) == (404, "artifact_not_found")
    assert unsafe.status_code == 400


@requirement("DUR-1")
async def test_a_run_left_between_row_and_workflow_is_started_by_the_reconciler(
    platform: Platform,
) -> None:
    """What a crash of the API between its two writes leaves behind."""
    agent = await platform.agent(skill("one"))
    run = Run(
        id=new_id("ex"),
        agent_id=agent,
        tenant_id=platform.tenant_id,
        agent_version=1,
        status=RunStatus.PENDING,
        trigger_type=RunTrigger.ON_DEMAND,
        triggered_by="test",
        created_at=clock.now(),
    )
    await platform.mine.write(lambda db: db.runs.add(run, {}, None))
    reconciler = Reconciler(
        platform.store, platform.temporal, Launch(platform.store, platform.temporal)
    )

    healed = await reconciler.reconcile(grace=clock.now() - clock.now())

    assert healed >= 1
    assert (await platform.ended(run.id))["status"] == "completed"


@requirement("DUR-1")
async def test_a_run_whose_workflow_was_terminated_gets_a_final_status_and_event(
    platform: Platform,
) -> None:
    platform.model.decides(lambda request: later(60, answer("never")))
    execution = await platform.start(await platform.agent(skill("one")))
    await platform.until(execution, {"running"})
    await platform.temporal.get_workflow_handle(platform.workflow_id(execution)).terminate()
    reconciler = Reconciler(
        platform.store, platform.temporal, Launch(platform.store, platform.temporal)
    )

    await reconciler.reconcile(grace=clock.now() - clock.now())
    run = await platform.execution(execution)
    events = await platform.events(execution)

    assert (run["status"], run["error_code"]) == ("cancelled", "workflow_gone")
    assert events[-1]["body"]["type"] == "run_finished"


async def test_without_temporal_a_run_is_refused_withdrawn_and_its_key_is_free(
    platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    agent_id = await platform.agent(skill("one"))
    agent = await platform.mine.read(lambda db: db.agents.get(agent_id))
    monkeypatch.setenv("TEMPORAL_ADDRESS", "127.0.0.1:1")
    monkeypatch.setattr("api.launch.START_TIMEOUT", 0.5)
    launch = Launch(platform.store, await connect(lazy=True))
    caller = Principal(platform.tenant_id, "test", Role.OWNER)
    from api.launch import Order

    key = new_id("k")
    with pytest.raises(TemporalUnavailable, match="not started"):
        await launch.start(agent, Order({}, {}, key), caller)
    refused = (await platform.api.get(f"/api/v1/agents/{agent_id}/executions")).json()["executions"]
    accepted = await platform.api.post(
        f"/api/v1/agents/{agent_id}/run", json={}, headers={"Idempotency-Key": key}
    )

    assert [(one["status"], one["error_code"]) for one in refused] == [
        ("failed", "temporal_unavailable")
    ]
    assert accepted.status_code == 202
    assert (await platform.ended(accepted.json()["execution_id"]))["status"] == "completed"


async def test_health_and_readiness(platform: Platform, temporal: WorkflowEnvironment) -> None:
    alive = await platform.api.get("/healthz")
    ready = await platform.api.get("/readyz")

    assert alive.json() == {"status": "ok"}
    assert (ready.status_code, ready.json()) == (200, {"database": "ok", "temporal": "ok"})


async def test_openapi_lists_every_route_and_its_errors(platform: Platform) -> None:
    async with httpx2.AsyncClient(base_url=platform.api.base_url) as nobody:
        document = (await nobody.get("/openapi.json")).json()

    run = document["paths"]["/api/v1/agents/{agent_id}/run"]["post"]
    assert "`agent_not_active`" in run["responses"]["409"]["description"]
    assert set(run["responses"]) >= {"202", "401", "404", "409", "503"}


async def test_an_unknown_route_and_method_are_problems_too(platform: Platform) -> None:
    nowhere = await platform.api.get("/api/v1/nothing")
    wrong = await platform.api.delete("/api/v1/agents")

    assert nowhere.json()["code"] == "no_such_route"
    assert (wrong.status_code, wrong.json()["code"]) == (405, "method_not_allowed")
