"""An agent as the database holds it. Nothing of this is ever written into a SKILL.md."""

from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Any, Literal, Self

from pydantic import AwareDatetime, BaseModel, Field, StringConstraints, model_validator

from omniforge.agents.permissions import MAX_RULES, PermissionRule

Permissions = Annotated[tuple[PermissionRule, ...], Field(max_length=MAX_RULES)]
"""The first rule that fits a call decides; a call that none speaks of is allowed."""

SubAgents = Annotated[tuple[str, ...], Field(max_length=20)]
"""Ids of the agents that this one's skills may run."""

SkillName = Annotated[
    str, StringConstraints(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$", min_length=1, max_length=64)
]

# A tool is called `mcp__<server>__<tool>`: without `__` in it, a server's name can be told from the tool's,
# and at this length it leaves a tool 25 of the 64 characters that providers take.
McpServerName = Annotated[
    str, StringConstraints(pattern=r"^[A-Za-z0-9-]+(_[A-Za-z0-9-]+)*$", min_length=1, max_length=32)
]
McpServers = Annotated[tuple[McpServerName, ...], Field(max_length=20)]
"""Names of the MCP servers whose tools an agent's skills may call."""


ModelName = Annotated[str, StringConstraints(pattern=r"^\S+$", max_length=200)]
"""A provider's name for a model. `anthropic/`, `openai/` or `offline/` before it says whose it is."""


Integrations = Annotated[tuple[str, ...], Field(max_length=20)]
"""Names of the services on whose accounts an agent's skills act."""

PinnedConnections = Annotated[dict[str, str], Field(max_length=20)]
"""By integration, the id of the connection to use where a person has several."""


class ActsAs(StrEnum):
    """Whose accounts a run uses that somebody starts; those that time or an event starts use the owner's."""

    OWNER = "owner"
    STARTER = "starter"


class TriggerType(StrEnum):
    ON_DEMAND = "on_demand"
    SCHEDULED = "scheduled"
    EVENT_DRIVEN = "event_driven"


class AgentStatus(StrEnum):
    DRAFT = "draft"
    ACTIVE = "active"
    PAUSED = "paused"
    ARCHIVED = "archived"


class SharingLevel(StrEnum):
    PRIVATE = "private"
    TEAM = "team"
    B2B2C = "b2b2c"


# A condition is read by people in a list of skills, and its cost grows with its length.
Expression = Annotated[str, StringConstraints(min_length=1, max_length=500, strip_whitespace=True)]
"""CEL over `input` and the `output`, `status` and `error` of `steps`; of an item also `item`, `index`."""

OnFailure = Annotated[str, StringConstraints(pattern=r"^(stop|continue|fallback:[a-z0-9-]{1,64})$")]


class SkillReference(BaseModel, frozen=True, extra="forbid"):
    """One skill's place in an agent.

    `order` is sugar: without `depends_on` a skill waits for all skills of the next lower order, and
    equal orders run side by side. `config` is laid under the skill's input: what the input has wins.

    `when` decides whether it runs, `input` what it is given in place of what is handed on, and `for_each`
    is a list (at most 1,000) for each item of which it runs once. When it fails, `on_failure` stops the
    run, goes on without it, or has another skill take its place.

    With `on_demand` it is no step of the plan: every step is told of it by name and description, and
    may load its text. Of the other fields, only name, id and source mean anything then.
    """

    name: SkillName
    order: int = Field(default=1, ge=0, le=1_000)
    source: Literal["custom", "public"] = "custom"
    config: dict[str, Any] = {}  # free-form by the spec: handed to the skill as arguments
    id: SkillName = ""
    depends_on: tuple[str, ...] | None = None
    when: Expression | None = None
    input: Expression | None = None
    for_each: Expression | None = None
    on_failure: OnFailure = "stop"
    timeout_s: float | None = Field(default=None, gt=0, le=86_400)
    model: ModelName | None = None
    fallback_models: tuple[ModelName, ...] = Field(default=(), max_length=5)
    on_demand: bool = False

    @property
    def fallback(self) -> str | None:
        """The id of the skill that takes this one's place when it fails."""
        kind, _, name = self.on_failure.partition(":")
        return name if kind == "fallback" else None

    @model_validator(mode="before")
    @classmethod
    def _id_defaults_to_name(cls, data: Any) -> Any:
        if isinstance(data, dict) and not data.get("id"):
            return {**data, "id": data.get("name", "")}
        return data


Seconds = Annotated[float, Field(gt=0, le=31_536_000)]


class Patience(BaseModel, frozen=True, extra="forbid"):
    """How long a run waits for people, in seconds from its question; None: for as long as it takes.

    A reminder comes once, so does the word that nobody answers. A run that gives up a question is
    told that there was no answer, which is not a no.
    """

    remind_after_s: Seconds | None = None
    escalate_after_s: Seconds | None = None
    escalate_to: str = Field(default="", max_length=64)
    """A user's id; empty: the owner of the agent."""
    give_up_after_s: Seconds | None = None


class AgentLimits(BaseModel, frozen=True, extra="forbid"):
    """What one run may use. `budget_usd` is a cap that no model call can pass; None means no cap.

    `max_parallel` skills, or items of a `for_each`, are at work at once; those that wait do not count.
    """

    budget_usd: Decimal | None = Field(default=None, gt=0, le=100_000, max_digits=15)
    skill_timeout_s: float = Field(default=600, gt=0, le=86_400)
    max_iterations: int = Field(default=40, ge=1, le=500)
    max_parallel: int = Field(default=10, ge=1, le=100)
    patience: Patience = Patience()


class UsageStats(BaseModel, frozen=True):
    """Counted from the runs themselves each time they are read, so they cannot drift."""

    total_runs: int = 0
    successful_runs: int = 0
    last_run: AwareDatetime | None = None


class AgentConfig(BaseModel):
    """The row of `agent_configs`. `version` is the newest agent version; runs pin the one they start with."""

    id: str = Field(min_length=1, max_length=64)
    tenant_id: str
    name: str = Field(min_length=1, max_length=255)
    description: str = Field(default="", max_length=1024)
    status: AgentStatus = AgentStatus.DRAFT
    trigger_type: TriggerType = TriggerType.ON_DEMAND
    schedule: str | None = None
    event_config: dict[str, Any] | None = None
    skills: tuple[SkillReference, ...]
    integrations: Integrations = ()
    connections: PinnedConnections = {}
    acts_as: ActsAs = ActsAs.OWNER
    limits: AgentLimits = AgentLimits()
    permissions: Permissions = ()
    sub_agents: SubAgents = ()
    mcp_servers: McpServers = ()
    created_by: str
    created_at: AwareDatetime
    updated_at: AwareDatetime
    version: int = 1
    sharing_level: SharingLevel = SharingLevel.PRIVATE
    shared_with: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _has_skills(self) -> Self:
        if not self.skills:
            raise ValueError("an agent needs at least one skill")
        return self
