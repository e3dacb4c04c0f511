"""The work order of one skill. Imports nothing heavy: activities, and so workflows, reach it."""

from dataclasses import dataclass

from omniforge.agents.permissions import PermissionRule
from omniforge.journal.blobs import Manifest
from omniforge.journal.steps import Json


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
    permissions: tuple[PermissionRule, ...] = ()
