"""What a run is for, and how it differs from a plain one."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Any

from pydantic import BaseModel, Field

from omniforge.agents.budgets import BudgetTerms
from omniforge.agents.versions import AgentVersion, PinnedSkill

# Playing a record takes milliseconds a step, so this is for records of any length.
REPLAY_SECONDS = 3_600.0


class RunMode(StrEnum):
    """live: the agent at work; only these count as its runs. dry_run: no effect leaves.

    integration: everything is done, as a test. replay: an earlier run is played, nothing is done.
    fork: an earlier run is played up to a step and goes on from there.
    """

    LIVE = "live"
    DRY_RUN = "dry_run"
    INTEGRATION = "integration"
    REPLAY = "replay"
    FORK = "fork"


class ForkPoint(BaseModel, frozen=True):
    """The first step that is not played.

    `is_fresh`: what the skill starts from is made anew. `files` are laid over those that the steps
    before left.
    """

    node: str
    step: int = Field(ge=0)
    is_fresh: bool = False
    files: dict[str, str] = {}


class NodeChange(BaseModel, frozen=True):
    """What is another than in the agent's version, by content hash. None leaves it as it is there.

    `input` stands in for what is handed on to the skill; `files` are laid over those that it finds.
    """

    model: str | None = None
    content_hash: str | None = None
    input: dict[str, Any] | None = None  # JSON of the caller's making
    files: dict[str, str] = {}

    def then(self, later: "NodeChange") -> "NodeChange":
        """Both changes, one after the other."""
        said = later.model_dump(exclude_none=True) | {"files": {**self.files, **later.files}}
        return self.model_copy(update=said)


class Terms(BaseModel, frozen=True):
    """On which terms a run is made. Those of an earlier run hold for its replays and forks, too."""

    is_rehearsal: bool = False
    """Calls with an effect are held back and answered by nobody."""
    answers: dict[str, Any] = {}  # JSON of the caller's making
    """By tool, or by `skill/tool`: what a rehearsal answers calls with, in place of the tool."""
    answers_of: str | None = None
    """The run whose recorded answers a rehearsal gives to the same calls."""
    changes: dict[str, NodeChange] = {}
    fork: ForkPoint | None = None
    budget: BudgetTerms = BudgetTerms()

    def forked(self, node: str, step: int, changes: Mapping[str, NodeChange]) -> "Terms":
        """These terms for a run that goes on by itself from a step of a node, with these changes."""
        mine = changes.get(node)
        point = ForkPoint(
            node=node,
            step=step,
            is_fresh=step == 0 or mine is not None,
            files=mine.files if mine else {},
        )
        both = {name: self.changes.get(name, NodeChange()).then(changes[name]) for name in changes}
        # What may be spent unasked was said of that run, and by its caller.
        update = {"fork": point, "changes": {**self.changes, **both}, "budget": BudgetTerms()}
        return self.model_copy(update=update)


def on_terms(version: AgentVersion, mode: RunMode, terms: Terms) -> AgentVersion:
    """A version as a run in this mode follows it."""
    skills = tuple(
        _changed(skill, terms.changes.get(skill.reference.id)) for skill in version.skills
    )
    if mode is not RunMode.REPLAY:
        return version.model_copy(update={"skills": skills})
    # A replay spends nothing, and how long its original took tells nothing of it.
    limits = {"budget_usd": None, "skill_timeout_s": REPLAY_SECONDS}
    return version.model_copy(
        update={
            "skills": tuple(_changed(skill, None, timeout_s=None) for skill in skills),
            "limits": version.limits.model_copy(update=limits),
        }
    )


def _changed(skill: PinnedSkill, change: NodeChange | None, **reference: None) -> PinnedSkill:
    wanted: dict[str, Any] = {**reference}
    if change is not None and change.model is not None:
        wanted["model"] = change.model
    pinned = change.content_hash if change is not None else None
    return PinnedSkill(
        reference=skill.reference.model_copy(update=wanted),
        content_hash=pinned or skill.content_hash,
    )
