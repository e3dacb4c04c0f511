"""Agents over HTTP."""

from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BaseModel, Field, model_validator

from omniforge.agents.config import (
    ActsAs,
    AgentConfig,
    AgentLimits,
    AgentStatus,
    Integrations,
    McpServers,
    Permissions,
    PinnedConnections,
    SkillReference,
    SubAgents,
    TriggerType,
    UsageStats,
)
from omniforge.agents.strategies import StrategyName
from omniforge.agents.triggers.schedules import ScheduleConfig
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
    `schedule`, with its `timezone`, is short for the cron expression of the agent's first schedule.
    """

    name: Text = Field(min_length=1, max_length=255)
    description: Text = Field(default="", max_length=1024)
    skills: list[SkillBody] = Field(default=[], max_length=100)
    strategy: StrategyName | None = None
    trigger_type: TriggerType = TriggerType.ON_DEMAND
    schedule: Text | None = Field(default=None, min_length=1, max_length=100)
    timezone: Text | None = Field(default=None, min_length=1, max_length=64)
    limits: AgentLimits = AgentLimits()
    permissions: Permissions = ()
    sub_agents: SubAgents = ()
    mcp_servers: McpServers = ()
    integrations: Integrations = ()
    connections: PinnedConnections = {}
    acts_as: ActsAs = ActsAs.OWNER
    status: Literal[AgentStatus.DRAFT, AgentStatus.ACTIVE] = AgentStatus.DRAFT

    @property
    def times(self) -> dict[str, str]:
        return _times(self.schedule, self.timezone)

    @model_validator(mode="after")
    def _scheduled_has_a_schedule(self) -> Self:
        _refuse_zone_alone(self.schedule, self.timezone)
        if "trigger_type" not in self.model_fields_set and self.schedule is not None:
            self.trigger_type = TriggerType.SCHEDULED
        if (self.trigger_type is TriggerType.SCHEDULED) != (self.schedule is not None):
            raise ValueError("`schedule` and the trigger_type 'scheduled' go together")
        return self


class AgentChange(BaseModel, extra="forbid"):
    """What to change. Skills, limits, permissions and whom it may call make a new version; runs keep theirs.

    `schedule` is short for the cron expression of the agent's first schedule, which is made if need be.
    """

    name: Text | None = Field(default=None, min_length=1, max_length=255)
    description: Text | None = Field(default=None, max_length=1024)
    skills: list[SkillBody] | None = Field(default=None, min_length=1, max_length=100)
    limits: AgentLimits | None = None
    permissions: Permissions | None = None
    sub_agents: SubAgents | None = None
    mcp_servers: McpServers | None = None
    integrations: Integrations | None = None
    connections: PinnedConnections | None = None
    acts_as: ActsAs | None = None
    schedule: Text | None = Field(default=None, min_length=1, max_length=100)
    timezone: Text | None = Field(default=None, min_length=1, max_length=64)

    @property
    def makes_version(self) -> bool:
        return bool(self.model_dump(exclude=_BESIDE_VERSIONS, exclude_none=True))

    @property
    def times(self) -> dict[str, str]:
        return _times(self.schedule, self.timezone)

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if not self.model_fields_set:
            fields = ", ".join(AgentChange.model_fields)
            raise ValueError(f"nothing to change: give one of {fields}")
        _refuse_zone_alone(self.schedule, self.timezone)
        return self


_BESIDE_VERSIONS = {"name", "description", "schedule", "timezone"}


def _times(schedule: str | None, timezone: str | None) -> dict[str, str]:
    """What is given of an agent's first schedule, as schedules name it."""
    given = {"cron_expression": schedule, "timezone": timezone}
    return {name: value for name, value in given.items() if value is not None}


def _refuse_zone_alone(schedule: str | None, timezone: str | None) -> None:
    if timezone is not None and schedule is None:
        raise ValueError("`timezone` is that of `schedule`, which is missing")


class AgentBody(models.Agent):
    """An agent as it stands now."""

    @classmethod
    def of(cls, agent: AgentConfig, usage: UsageStats | None, first: ScheduleConfig | None) -> Self:
        stats = usage or UsageStats()
        known: dict[str, Any] = agent.model_dump(include=set(cls.model_fields))
        known["schedule"] = None if first is None else first.cron_expression
        return cls.model_validate({**known, "last_run": stats.last_run, "usage_stats": stats})


class AgentCreated(AgentBody, models.CreatedAgent):
    """The new agent and, where it was asked for one, the strategy by which its skills are wired."""


class AgentList(BaseModel):
    agents: list[AgentBody]
    next_cursor: str | None
