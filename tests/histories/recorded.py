"""The committed histories, and whether the workflow's code of today decides as it did when they were made."""

from pathlib import Path

from temporalio.client import WorkflowHistory
from temporalio.worker import Replayer, UnsandboxedWorkflowRunner

from workflows.agent_run import AgentRunWorkflow
from workflows.wire import data_converter

FOLDER = Path(__file__).parent / "recorded"


def path_of(name: str) -> Path:
    return FOLDER / f"{name}.json"


def load(name: str) -> WorkflowHistory:
    return WorkflowHistory.from_json(f"run/recorded/{name}", path_of(name).read_text())


async def replayed(history: WorkflowHistory) -> Exception | None:
    """Why a history cannot be replayed with today's code; None when it can."""
    replayer = Replayer(
        workflows=[AgentRunWorkflow],
        workflow_runner=UnsandboxedWorkflowRunner(),
        data_converter=data_converter(),
    )
    result = await replayer.replay_workflow(history, raise_on_replay_failure=False)
    return result.replay_failure
