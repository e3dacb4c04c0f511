"""Runs, their steps, events and files over HTTP."""

from collections.abc import Sequence
from typing import Any

from pydantic import BaseModel, Field

from api.schemas.agents import Files
from api.schemas.budgets import Spending
from omniforge.agents.modes import RunMode
from omniforge.agents.runs import OpenWait, Run, RunPriority
from omniforge.client import models
from omniforge.journal.steps import Step


class RunRequest(Spending, BaseModel, extra="forbid"):
    """What a run works on. `files` are laid into its workspace before the first skill."""

    input_data: dict[str, Any] = {}
    files: Files = {}
    priority: RunPriority = Field(
        default=RunPriority.NORMAL, description="Whose turn comes first while runs are queued."
    )


class RunAccepted(models.StartedRun):
    """A run that the platform has accepted and will not lose."""


class Execution(models.Run):
    """A run. `error` says what went wrong; `error_code` is stable, `error_skill` is where."""

    @classmethod
    def of(
        cls,
        run: Run,
        temporal_url: str,
        queue_position: int | None = None,
        waits: Sequence[OpenWait] = (),
    ) -> "Execution":
        error = run.error
        return cls.model_validate(
            {
                **run.model_dump(include=set(cls.model_fields)),
                "error": error.message if error else None,
                "error_code": error.code if error else None,
                "error_skill": error.skill if error else None,
                "fork": run.terms.fork if run.mode is RunMode.FORK else None,
                "temporal_url": temporal_url,
                "queue_position": queue_position,
                "wish": None if run.status.is_final else run.wish,
                "waits": [wait.model_dump() for wait in waits],
            }
        )


class ExecutionList(BaseModel):
    executions: list[Execution]
    next_cursor: str | None


class StepBody(models.Step):
    """One entry of the journal. `attempt` is the attempt that recorded it: rising numbers tell of a
    worker that was lost in between."""

    @classmethod
    def of(cls, node: str, step: Step) -> "StepBody":
        named = {name: getattr(step, name) for name in cls.model_fields if hasattr(step, name)}
        return cls.model_validate(
            {
                **named,
                "node": node,
                "step": step.number,
                "cost_usd": step.cost,
                **step.fence._asdict(),
            }
        )


class StepList(BaseModel):
    steps: list[StepBody]


class ArtifactList(BaseModel):
    artifacts: list[models.Artifact]
