"""A trigger that outside events set off, and what became of each delivery."""

from enum import StrEnum
from typing import Annotated, Any, Literal

from pydantic import AwareDatetime, BaseModel, Field

from omniforge.agents.config import Expression

ProviderName = Literal["notion", "slack", "github", "linear", "custom"]
InputName = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$", max_length=64)]
InputMapping = Annotated[dict[InputName, Expression], Field(max_length=50)]
"""Names of a run's input, and the CEL over `event` that gives each its value."""


class TriggerConfig(BaseModel, frozen=True, extra="forbid"):
    """What a person wishes. Without a mapping, a run's input is the whole event under `event`."""

    agent_id: str
    tenant_id: str
    provider: ProviderName
    name: str = Field(default="", max_length=255)
    enabled: bool = True
    filter: Expression | None = None
    """CEL over `event`: only deliveries for which it is true lead to a run."""
    mapping: InputMapping | None = None
    max_per_minute: int = Field(default=120, ge=1, le=10_000)
    """Deliveries beyond that are kept as dead letters, for a person to deliver again."""
    debounce_s: float = Field(default=0, ge=0, le=3_600)
    """A run begins once no delivery has come for so long; it is given the last of them."""


class Trigger(TriggerConfig, frozen=True):
    """A row of `triggers`. Its secrets are in another column, encrypted, and shown once."""

    id: str
    created_by: str
    created_at: AwareDatetime
    updated_at: AwareDatetime


class DeliveryStatus(StrEnum):
    ACCEPTED = "accepted"
    """On record; its run is about to begin."""
    RUN = "run"
    FILTERED = "filtered"
    MERGED = "merged"
    """A later delivery took its place before its run began."""
    DEAD = "dead"
    """It led to no run and should have: see `reason`. It may be delivered again."""


class DeadReason(StrEnum):
    FILTER_FAILED = "filter_failed"
    MAPPING_FAILED = "mapping_failed"
    RATE_CAPPED = "rate_capped"
    TRIGGER_PAUSED = "trigger_paused"
    TRIGGER_REMOVED = "trigger_removed"
    AGENT_NOT_ACTIVE = "agent_not_active"


class Delivery(BaseModel, frozen=True):
    """One event as its sender delivered it; `delivery_id` is the sender's, unique in its trigger.

    `execution_id` is minted when it is accepted, so a repeat of whatever failed leads to the same run;
    that one is there where the status is run or merged.
    `attempt` counts how often people had it delivered again.
    """

    id: str
    trigger_id: str
    delivery_id: str
    event_type: str
    payload: Any = None  # JSON of the sender's making
    occurred_at: AwareDatetime | None = None
    received_at: AwareDatetime
    status: DeliveryStatus
    reason: DeadReason | None = None
    message: str = ""
    execution_id: str | None = None
    attempt: int = 0
