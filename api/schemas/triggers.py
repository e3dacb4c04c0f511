"""Event triggers and their deliveries over HTTP."""

from datetime import datetime
from typing import Self

from pydantic import AwareDatetime, BaseModel, Field, SecretStr, model_validator

from api.schemas.agents import Text
from omniforge.agents.config import Expression
from omniforge.agents.triggers.events import (
    DeadReason,
    Delivery,
    InputMapping,
    ProviderName,
    Trigger,
    TriggerConfig,
)
from omniforge.client import triggering

DAY = 86_400


class Wishes(BaseModel, extra="forbid"):
    """Which events lead to runs. `filter` and `mapping` are CEL over `event`: `type`, `id`, `payload`, `at`.

    Without a mapping, a run's input is the whole event. A run begins once no delivery has come for
    `debounce_s`, and is given the last of them; what is beyond `max_per_minute` is kept, and not run.
    """

    name: Text = Field(default="", max_length=255)
    enabled: bool = True
    filter: Expression | None = None
    mapping: InputMapping | None = None
    max_per_minute: int = Field(default=120, ge=1, le=10_000)
    debounce_s: float = Field(default=0, ge=0, le=3_600)


class NewTrigger(Wishes):
    """A trigger to create. A `secret` is given where the service makes it; else one is made here."""

    agent_id: Text
    provider: ProviderName
    secret: SecretStr | None = None

    def config(self, tenant_id: str) -> TriggerConfig:
        known = self.model_dump(exclude={"secret"})
        return TriggerConfig.model_validate({**known, "tenant_id": tenant_id})


class TriggerChange(Wishes):
    """What to change of a trigger. What is left out stays; null takes a filter or a mapping away."""

    def of(self, trigger: Trigger) -> Trigger:
        changes = self.model_dump(exclude_unset=True)
        return Trigger.model_validate({**trigger.model_dump(), **changes})

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if not self.model_fields_set:
            raise ValueError(f"nothing to change: give one of {', '.join(Wishes.model_fields)}")
        return self


class RotateRequest(BaseModel, extra="forbid"):
    """For how many seconds the old secret is still taken, and the new one where the service made it."""

    overlap_s: int = Field(default=0, ge=0, le=30 * DAY)
    secret: SecretStr | None = None


class RedeliverRequest(BaseModel, extra="forbid"):
    """Which of the dead deliveries: all, or those for one reason, or those that came since then."""

    reason: DeadReason | None = None
    since: AwareDatetime | None = None


class TriggerBody(triggering.Trigger):
    """A trigger as it stands now. Its sender posts to `url`."""

    @classmethod
    def of(cls, trigger: Trigger, url: str) -> "TriggerBody":
        return cls.model_validate({**trigger.model_dump(), "url": url})


class TriggerCreated(triggering.CreatedTrigger):
    """The new trigger and its secret, which is shown this once."""

    @classmethod
    def with_secret(cls, trigger: Trigger, url: str, secret: str | None) -> "TriggerCreated":
        return cls.model_validate({**trigger.model_dump(), "url": url, "secret": secret})


class SecretRotated(triggering.NewSecret):
    """The secret that counts from now on, which is shown this once."""

    @classmethod
    def of(cls, secret: str | None, old_valid_until: datetime | None) -> "SecretRotated":
        return cls(secret=secret, old_valid_until=old_valid_until)


class DeliveryBody(triggering.Delivery):
    """One event as its sender delivered it, without what it says."""

    @classmethod
    def of(cls, delivery: Delivery) -> "DeliveryBody":
        return cls.model_validate(delivery.model_dump())


class WholeDeliveryBody(triggering.WholeDelivery):
    """One event as its sender delivered it."""

    @classmethod
    def of(cls, delivery: Delivery) -> "WholeDeliveryBody":
        return cls.model_validate(delivery.model_dump())


class TriggerList(BaseModel):
    triggers: list[TriggerBody]
    next_cursor: str | None


class DeliveryList(BaseModel):
    deliveries: list[DeliveryBody]
    next_cursor: str | None
