"""Immutable snapshots: what a run pins so that no edit can touch it."""

from pydantic import AwareDatetime, BaseModel

from omniforge.agents.config import ActsAs, AgentLimits, SkillReference
from omniforge.agents.permissions import PermissionRule


class PinnedSkill(BaseModel, frozen=True):
    """A skill's place in the agent and the hash of every byte of its folder."""

    reference: SkillReference
    content_hash: str


class AgentVersion(BaseModel, frozen=True):
    agent_id: str
    tenant_id: str
    version: int
    skills: tuple[PinnedSkill, ...]
    limits: AgentLimits
    permissions: tuple[PermissionRule, ...] = ()
    sub_agents: tuple[str, ...] = ()
    mcp_servers: tuple[str, ...] = ()
    integrations: tuple[str, ...] = ()
    connections: dict[str, str] = {}
    acts_as: ActsAs = ActsAs.OWNER
    created_by: str
    created_at: AwareDatetime

    @property
    def steps(self) -> tuple[PinnedSkill, ...]:
        return tuple(skill for skill in self.skills if not skill.reference.on_demand)

    @property
    def on_demand(self) -> tuple[PinnedSkill, ...]:
        """The skills that every step may load."""
        return tuple(skill for skill in self.skills if skill.reference.on_demand)

    def pinned(self, node: str) -> PinnedSkill:
        """The skill of a plan's node. The plan was made from this version, so it is there."""
        return next(skill for skill in self.skills if skill.reference.id == node)
