"""Runs that outgrow one history of Temporal's."""

from pathlib import Path

from tests.support.platform import running_platform, skill, temporal_server
from tests.support.requirements import requirement


@requirement("DUR-6")
async def test_a_long_run_goes_on_in_a_new_history(tmp_path: Path) -> None:
    """The server suggests a new history after 60 events here, and after 4,096 of them elsewhere."""
    few = "limit.historyCount.suggestContinueAsNew=60"
    async with temporal_server(few) as temporal, running_platform(tmp_path, temporal) as platform:
        run = await platform.run(
            skill("each", for_each="input.rows"),
            skill("last", order=2, input="{'count': size(steps.each.output)}"),
            input_data={"rows": list(range(40))},
            limits={"max_parallel": 4},
        )
        handle = platform.temporal.get_workflow_handle(platform.workflow_id(run["id"]))
        described = await handle.describe()

    assert run["status"] == "completed", run["error"]
    assert [one["status"] for one in run["skill_results"]] == ["completed"] * 42
    assert described.raw_description.workflow_execution_info.first_run_id != described.run_id
