"""While no worker is there, a person soon hears that nobody answered, and a cancel holds all the same."""

import pytest

from activities.payloads import AgentRun
from api import launch, updates
from omniforge import clock
from omniforge.agents.runs import ErrorInfo, Run, RunStatus, RunTrigger
from omniforge.identity import new_id
from tests.control.driving import refused, told
from tests.support.platform import Platform, skill
from tests.support.requirements import requirement
from workflows.attributes import AGENT_RUN, run_attributes

SOON = 0.5


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(updates, "UPDATE_TIMEOUT", SOON)
    monkeypatch.setattr(launch, "START_TIMEOUT", SOON)


async def stranded(platform: Platform) -> str:
    """A run that has begun, and whose workflow waits for a worker that never comes."""
    run = Run(
        id=new_id("ex"),
        agent_id=await platform.agent(skill("one")),
        tenant_id=platform.tenant_id,
        status=RunStatus.PENDING,
        trigger_type=RunTrigger.ON_DEMAND,
        triggered_by="us_anna",
        created_at=clock.now(),
    )
    await platform.mine.write(lambda db: db.runs.begin(run))
    job = AgentRun(
        execution_id=run.id,
        tenant_id=run.tenant_id,
        agent_id=run.agent_id,
        triggered_by=run.triggered_by,
    )
    await platform.temporal.start_workflow(
        AGENT_RUN,
        job,
        id=platform.workflow_id(run.id),
        task_queue="nobody",
        search_attributes=run_attributes(run.tenant_id, run.agent_id),
    )
    return run.id


@requirement("DUR-3")
@pytest.mark.usefixtures("impatient")
async def test_without_a_worker_a_wish_is_answered_in_time(platform: Platform) -> None:
    execution = await stranded(platform)

    for what in ("pause", "resume", "interrupt"):
        assert await refused(platform, execution, what) == (503, "temporal_unavailable")
    assert await refused(platform, execution, "steer", message="x") == (503, "temporal_unavailable")
    run = await platform.execution(execution)
    await told(platform, execution, "cancel")

    assert (run["status"], run["wish"]) == ("running", None)
    await platform.temporal.get_workflow_handle(platform.workflow_id(execution)).terminate()


@requirement("DUR-3")
@pytest.mark.usefixtures("impatient")
async def test_a_run_is_not_taken_up_again_before_its_last_workflow_is_closed(
    platform: Platform,
) -> None:
    execution = await stranded(platform)
    error = ErrorInfo(code="x", message="It failed.")
    await platform.mine.write(lambda db: db.runs.finish(execution, RunStatus.FAILED, error))

    assert await refused(platform, execution, "retry") == (503, "temporal_unavailable")
    run = await platform.execution(execution)

    assert (run["status"], run["generation"]) == ("failed", 0)
    await platform.temporal.get_workflow_handle(platform.workflow_id(execution)).terminate()
