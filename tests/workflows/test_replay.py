"""Histories of real runs, replayed: the workflow's code decides the same way a second time.

The committed ones are of runs that earlier code began; a deploy must not break those. It runs without
a sandbox, so the live ones are what would notice a clock, a random number or a set's order in it.
"""

import pytest
from temporalio.client import WorkflowHistory

from tests.histories.recorded import FOLDER, load, path_of, replayed
from tests.histories.shapes import SHAPES
from tests.support.platform import Platform, skill
from tests.support.requirements import requirement


async def history_of(platform: Platform, execution: str) -> WorkflowHistory:
    return await platform.temporal.get_workflow_handle(
        platform.workflow_id(execution)
    ).fetch_history()


@requirement("DUR-6")
@pytest.mark.parametrize("name", SHAPES)
async def test_a_committed_history_replays(name: str) -> None:
    assert path_of(name).exists(), "record it with `python -m tests.histories`"

    assert await replayed(load(name)) is None


def test_every_committed_history_has_a_shape() -> None:
    assert {path.stem for path in FOLDER.glob("*.json")} == set(SHAPES)


@requirement("DUR-6")
@pytest.mark.parametrize("name", SHAPES)
async def test_a_run_of_today_replays(platform: Platform, name: str) -> None:
    execution = await SHAPES[name](platform)

    assert await replayed(await history_of(platform, execution)) is None


async def test_another_way_of_working_does_not_replay(platform: Platform) -> None:
    """The check can fail: a history with a skill's activity renamed is not what the code would do."""
    run = await platform.run(skill("one"))
    history = await history_of(platform, run["id"])
    text = history.to_json().replace('"one#0"', '"two#0"')

    assert await replayed(WorkflowHistory.from_json(history.workflow_id, text)) is not None
