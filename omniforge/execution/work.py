"""The work order of one skill. Imports nothing heavy: activities, and so workflows, reach it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from omniforge.agents.permissions import PermissionRule
from omniforge.integrations.accounts import Accounts
from omniforge.journal.blobs import Manifest
from omniforge.journal.steps import Json, Step

if TYPE_CHECKING:
    from omniforge.skills.document import Skill


@dataclass(frozen=True, slots=True)
class Script:
    """What a rehearsal says in the place of tools.

    `answers` are by tool or `skill/tool`, one or a list of them; `earlier` are calls of another run,
    whose answers the same calls get.
    """

    answers: Mapping[str, Json] = field(default_factory=dict)
    earlier: Sequence[Step] = ()


@dataclass(frozen=True, slots=True)
class SkillWork:
    """What a skill is to do, for whom, and within which limits."""

    tenant_id: str
    task_id: str
    user_id: str
    input: Json
    files: Manifest
    timeout_s: float
    max_iterations: int
    model: str
    has_cap: bool
    fallback_models: tuple[str, ...] = ()
    permissions: tuple[PermissionRule, ...] = ()
    sub_agents: tuple[str, ...] = ()
    script: Script | None = None
    """Given in a rehearsal: no call with an effect reaches its tool."""
    mcp_servers: tuple[str, ...] = ()
    accounts: Accounts | None = None
    on_demand: "tuple[Skill, ...]" = ()
    """Further skills that it may load."""
