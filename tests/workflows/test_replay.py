"""Histories of real runs, replayed: the workflow's code decides the same way a second time.

It runs without a sandbox, so this is what would notice a clock, a random number or a set's order in it.
"""

from temporalio.client import WorkflowHistory
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.worker import Replayer, UnsandboxedWorkflowRunner

from omniforge.errors import ModelAuthFailed
from tests.support.platform import Platform, skill
from tests.support.requirements import requirement
from tests.support.scripted import answer, calling
from workflows.agent_run import AgentRunWorkflow


async def history_of(platform: Platform, execution: str) -> WorkflowHistory:
    handle = platform.temporal.get_workflow_handle(platform.workflow_id(execution))
    await handle.result()
    return await handle.fetch_history()


async def replayed(history: WorkflowHistory) -> Exception | None:
    replayer = Replayer(
        workflows=[AgentRunWorkflow],
        workflow_runner=UnsandboxedWorkflowRunner(),
        data_converter=pydantic_data_converter,
    )
    result = await replayer.replay_workflow(history, raise_on_replay_failure=False)
    return result.replay_failure


@requirement("DUR-6")
async def test_a_run_with_parallel_skills_replays(platform: Platform) -> None:
    names = [f"side-{n}" for n in range(6)]
    skills = [skill(name, order=1) for name in names]

    run = await platform.run(skill("first", order=0), *skills, skill("last", order=2))

    assert run["status"] == "completed"
    assert await replayed(await history_of(platform, run["id"])) is None


@requirement("DUR-6")
async def test_a_failed_run_replays(platform: Platform) -> None:
    platform.model.fails(ModelAuthFailed("no"))

    run = await platform.run(skill("one"))

    assert run["status"] == "failed"
    assert await replayed(await history_of(platform, run["id"])) is None


@requirement("DUR-6")
async def test_a_run_that_waited_for_a_person_replays(platform: Platform) -> None:
    platform.model.decides(
        lambda request: (
            calling(("post_ask", {"text": "x"})) if len(request.messages) == 1 else answer("{}")
        )
    )
    platform.service.lost_answers = 1
    execution = await platform.start(await platform.agent(skill("one")))
    await platform.until(execution, {"waiting"})
    approvals = (await platform.api.get("/api/v1/approvals")).json()["approvals"]
    (question,) = [one for one in approvals if one["execution_id"] == execution]

    await platform.api.post(f"/api/v1/approvals/{question['id']}", json={"decision": "skip"})

    assert await replayed(await history_of(platform, execution)) is None


async def test_another_way_of_working_does_not_replay(platform: Platform) -> None:
    """The check can fail: a history with a skill's activity renamed is not what the code would do."""
    run = await platform.run(skill("one"))
    history = await history_of(platform, run["id"])
    text = history.to_json().replace('"one#0"', '"two#0"')

    assert await replayed(WorkflowHistory.from_json(history.workflow_id, text)) is not None
