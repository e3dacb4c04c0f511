"""Runs, their steps, events and files over HTTP."""

from typing import Any

from pydantic import BaseModel, Field

from api.schemas.agents import Files, Text
from omniforge.agents.modes import RunMode
from omniforge.agents.runs import Run
from omniforge.client import models
from omniforge.journal.ports import Decision
from omniforge.journal.steps import Step
from omniforge.store.approvals import Approval


class RunRequest(BaseModel, extra="forbid"):
    """What a run works on. `files` are laid into its workspace before the first skill."""

    input_data: dict[str, Any] = {}
    files: Files = {}


class RunAccepted(models.StartedRun):
    """A run that the platform has accepted and will not lose."""


class Execution(models.Run):
    """A run. `error` says what went wrong; `error_code` is stable, `error_skill` is where."""

    @classmethod
    def of(cls, run: Run, temporal_url: str) -> "Execution":
        error = run.error
        return cls.model_validate(
            {
                **run.model_dump(include=set(cls.model_fields)),
                "error": error.message if error else None,
                "error_code": error.code if error else None,
                "error_skill": error.skill if error else None,
                "fork": run.terms.fork if run.mode is RunMode.FORK else None,
                "temporal_url": temporal_url,
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


class ApprovalList(BaseModel):
    approvals: list[Approval]
    next_cursor: str | None


class DecisionBody(BaseModel, extra="forbid"):
    """A decision. Of an effect in doubt: `happened`, `resend` or `skip`; of a call that needs leave:
    `approve` or `reject`; to a question: `answer`, with the answer as `reason`."""

    decision: Decision
    reason: Text = Field(default="", max_length=20_000)


class AnswerBody(BaseModel, extra="forbid"):
    """The answer to a question that a run asks. `id` says which, where it asks more than one."""

    answer: Text = Field(min_length=1, max_length=20_000)
    id: str | None = None
