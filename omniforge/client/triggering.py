"""What a platform answers about schedules and event triggers."""

from typing import Any

from pydantic import AwareDatetime, BaseModel

from omniforge.agents.triggers.events import DeadReason, DeliveryStatus, ProviderName
from omniforge.agents.triggers.schedules import FireKind, FireOutcome, Overlap, SkipReason


class Preview(BaseModel, frozen=True):
    """A schedule in words, and the next times at which it is due."""

    words: str
    next_times: tuple[AwareDatetime, ...]


class Lateness(BaseModel, frozen=True):
    """How long after they were due the last fires came, in seconds."""

    fires: int
    p50_s: float
    p99_s: float
    max_s: float


class Schedule(BaseModel, frozen=True):
    """A schedule. `next_times` are the server's own; None while it does not answer.

    Without `in_sync`, Temporal has not taken the newest change over yet; the platform repeats it.
    """

    id: str
    agent_id: str
    name: str
    cron_expression: str
    timezone: str
    words: str
    next_times: tuple[AwareDatetime, ...] | None
    in_sync: bool
    enabled: bool
    note: str
    overlap: Overlap
    overlap_waiting: bool
    catchup_window_s: int
    jitter_s: int
    starts_at: AwareDatetime | None
    ends_at: AwareDatetime | None
    skip_at: AwareDatetime | None
    input_data: dict[str, Any]
    created_by: str
    created_at: AwareDatetime
    updated_at: AwareDatetime


class ScheduleDetail(Schedule, frozen=True):
    """A schedule with how late it was of late; None before its first fire."""

    lateness: Lateness | None


class Fire(BaseModel, frozen=True):
    """One time at which a schedule was due, and the run it led to or the reason why it led to none."""

    scheduled_at: AwareDatetime
    due_at: AwareDatetime | None
    fired_at: AwareDatetime
    lateness_s: float | None
    kind: FireKind
    outcome: FireOutcome
    reason: SkipReason | None
    execution_id: str | None
    blocked_by: str | None


class Backfill(BaseModel, frozen=True):
    """The times of a range, and the runs for those of them that had not fired; in a preview, none."""

    times: tuple[AwareDatetime, ...]
    execution_ids: tuple[str, ...]


class Trigger(BaseModel, frozen=True):
    """What outside events set off. Its sender posts to `url`."""

    id: str
    agent_id: str
    provider: ProviderName
    name: str
    url: str
    enabled: bool
    filter: str | None
    mapping: dict[str, str] | None
    max_per_minute: int
    debounce_s: float
    created_by: str
    created_at: AwareDatetime
    updated_at: AwareDatetime


class CreatedTrigger(Trigger, frozen=True):
    """A new trigger with its secret, which is shown this once; None where the provider makes it."""

    secret: str | None


class NewSecret(BaseModel, frozen=True):
    """The secret that counts from now on, shown this once, and until when the old one still does."""

    secret: str | None
    old_valid_until: AwareDatetime | None


class VerificationToken(BaseModel, frozen=True):
    verification_token: str


class Redelivered(BaseModel, frozen=True):
    redelivered: int


class Delivery(BaseModel, frozen=True):
    """One event as its sender delivered it, and what became of it."""

    id: str
    trigger_id: str
    delivery_id: str
    event_type: str
    status: DeliveryStatus
    reason: DeadReason | None
    message: str
    execution_id: str | None
    attempt: int
    occurred_at: AwareDatetime | None
    received_at: AwareDatetime


class WholeDelivery(Delivery, frozen=True):
    payload: Any  # JSON of the sender's making
