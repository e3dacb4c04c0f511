"""Tests, replays and forks over HTTP."""

from typing import Any, Literal

from pydantic import BaseModel, Field

from api.schemas.agents import Files, Text
from omniforge.agents.modes import RunMode
from omniforge.client import models
from omniforge.journal.steps import Step


class TestRequest(BaseModel, extra="forbid"):
    """A test of an agent, drafts included.

    In a dry run nothing leaves: calls with an effect are held back. `answers` are what tools answer
    instead of being called, by `tool` or `skill/tool`; a list is one answer a call. `answers_of` is an
    earlier run: the same calls get the answers they got there.
    """

    input_data: dict[str, Any] = {}
    files: Files = {}
    mode: Literal[RunMode.DRY_RUN, RunMode.INTEGRATION] = RunMode.DRY_RUN
    answers: dict[str, Any] = {}
    answers_of: str | None = None


class SkillText(BaseModel, extra="forbid"):
    """A skill's whole folder, in place of the one that the agent's version has."""

    files: Files


class ForkRequest(BaseModel, extra="forbid"):
    """Where an earlier run is gone on from, and what is to be another than it was.

    The steps of `node` below `step` are played, and so is every skill that does not depend on it.
    `input_data` stands in for what is handed on to that skill, `model` for its model; `files` are laid
    over those that it finds. `skills` are new texts, for it or for skills that depend on it.
    """

    node: str
    step: int = Field(ge=0)
    input_data: dict[str, Any] | None = None
    model: Text | None = Field(default=None, min_length=1, max_length=128)
    files: Files = {}
    skills: dict[str, SkillText] = {}


class HeldBody(models.HeldCall):
    """A call that was held back."""

    @classmethod
    def of(cls, node: str, step: Step) -> "HeldBody":
        return cls.model_validate(
            {
                "node": node,
                "step": step.number,
                "tool": step.name,
                "effect_class": step.effect_class,
                "arguments": step.arguments,
                "answer": step.answer,
                "origin": step.origin,
            }
        )


class HeldList(BaseModel):
    held: list[HeldBody]


class ComparisonBody(models.Comparison):
    """What came of comparing a run with the one it comes from."""
