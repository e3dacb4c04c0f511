"""What a run's workflow and its skills are given to begin with."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from omniforge.agents.plan import NodeEnd, Plan
from omniforge.agents.runs import ErrorInfo, Run, RunStatus
from omniforge.agents.versions import AgentVersion, PinnedSkill
from omniforge.execution.work import Script
from omniforge.integrations.accounts import Accounts
from omniforge.journal.blobs import Manifest
from omniforge.journal.steps import Json


@dataclass(frozen=True, slots=True)
class Entry:
    """What a fire or a delivery leads to: a run, or none and why, or neither for `later_s` seconds."""

    run: Run | None = None
    refusal: ErrorInfo | None = None
    later_s: float = 0


@dataclass(frozen=True, slots=True)
class Begun:
    """What a workflow needs to know of the run it carries. In a final status nothing is left to do."""

    status: RunStatus
    agent_name: str
    version: AgentVersion
    recorded_end: Run | None = None
    """The run that this one replays, when that did not complete."""
    ends: Mapping[str, NodeEnd] = field(default_factory=dict)
    items: Mapping[str, int] = field(default_factory=dict)
    """Of a run that is taken up again: the nodes that have ended, and what each `for_each` found."""
    wish: str | None = None


@dataclass(frozen=True, slots=True)
class NodeBrief:
    """All that one skill of a run works from."""

    version: AgentVersion
    skill: PinnedSkill
    input: Json
    workspace: Manifest
    user_id: str
    has_cap: bool
    """Whether its model calls must be of known prices, because a cap is over them."""
    run: Run
    plan: Plan
    accounts: Accounts | None = None
    """Where its agent names integrations."""
    script: Script | None = None
    """What is said in the place of tools; None when this is no rehearsal."""
