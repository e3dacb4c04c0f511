"""Agents over HTTP."""

from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BaseModel, Field, model_validator

from omniforge.agents.config import (
    AgentConfig,
    AgentLimits,
    AgentStatus,
    McpServers,
    Permissions,
    SkillReference,
    SubAgents,
    TriggerType,
    UsageStats,
)
from omniforge.agents.strategies import StrategyName
from omniforge.client import models


def _without_nul(text: str) -> str:
    if "\0" in text:
        raise ValueError("a NUL character cannot be stored")
    return text


Text = Annotated[str, AfterValidator(_without_nul)]

Files = dict[str, str | dict[str, str]]
"""Relative path -> text, or `{"base64": "..."}` for anything else."""


class SkillBody(SkillReference, frozen=True):
    """A skill's place in the agent and, for a custom one, its folder.

    Without `files`, a custom skill is taken from the agent itself (when it is being changed) or from
    the workspace's folder, and a public one from the library.
    """

    files: Files | None = None

    def reference(self) -> SkillReference:
        return SkillReference.model_validate(self.model_dump(exclude={"files"}))


class NewAgent(BaseModel, extra="forbid"):
    """An agent to create. `status: active` makes it runnable at once.

    With a `strategy`, the platform wires the skills: `single` is one skill, `multi` a chain in which each
    sees what the one before it gave, `parallel` the graph they declare, and `auto` whichever fits.
    """

    name: Text = Field(min_length=1, max_length=255)
    description: Text = Field(default="", max_length=1024)
    skills: list[SkillBody] = Field(default=[], max_length=100)
    strategy: StrategyName | None = None
    trigger_type: Literal[TriggerType.ON_DEMAND] = TriggerType.ON_DEMAND
    limits: AgentLimits = AgentLimits()
    permissions: Permissions = ()
    sub_agents: SubAgents = ()
    mcp_servers: McpServers = ()
    integrations: list[str] = []
    status: Literal[AgentStatus.DRAFT, AgentStatus.ACTIVE] = AgentStatus.DRAFT


class AgentChange(BaseModel, extra="forbid"):
    """What to change. All but name and description makes a new version; runs keep theirs."""

    name: Text | None = Field(default=None, min_length=1, max_length=255)
    description: Text | None = Field(default=None, max_length=1024)
    skills: list[SkillBody] | None = Field(default=None, min_length=1, max_length=100)
    limits: AgentLimits | None = None
    permissions: Permissions | None = None
    sub_agents: SubAgents | None = None
    mcp_servers: McpServers | None = None

    @property
    def makes_version(self) -> bool:
        return bool(self.model_dump(exclude={"name", "description"}, exclude_none=True))

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if not self.model_fields_set:
            fields = ", ".join(AgentChange.model_fields)
            raise ValueError(f"nothing to change: give one of {fields}")
        return self


class AgentBody(models.Agent):
    """An agent as it stands now."""

    @classmethod
    def of(cls, agent: AgentConfig, usage: UsageStats | None) -> Self:
        stats = usage or UsageStats()
        known: dict[str, Any] = agent.model_dump(include=set(cls.model_fields))
        return cls.model_validate({**known, "last_run": stats.last_run, "usage_stats": stats})


class AgentCreated(AgentBody, models.CreatedAgent):
    """The new agent and, where it was asked for one, the strategy by which its skills are wired."""


class AgentList(BaseModel):
    agents: list[AgentBody]
    next_cursor: str | None
