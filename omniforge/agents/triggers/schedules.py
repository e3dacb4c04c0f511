"""A schedule: what a person wishes, and what became of each of its fires."""

from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, Any, Literal

from pydantic import AwareDatetime, BaseModel, Field, StringConstraints

ScheduleNote = Annotated[str, StringConstraints(max_length=500, strip_whitespace=True)]

HOUR = 3_600


class Overlap(StrEnum):
    """What becomes of a fire while an earlier run of its schedule has not ended."""

    SKIP = "skip"
    BUFFER_ONE = "buffer_one"
    """One run waits for the earlier one to end; further fires are skipped."""
    ALLOW = "allow"


class ScheduleConfig(BaseModel, frozen=True, extra="forbid"):
    """What a person wishes. `cron_expression` has five fields or is a word such as `@daily`.

    `catchup_window_s` is how late a fire may come that the platform was down for; one that would come
    later is missed. `jitter_s` puts each fire off by a part of that time, the same part each time.
    """

    agent_id: str
    tenant_id: str
    cron_expression: str = Field(max_length=100)
    timezone: str = Field(default="UTC", max_length=64)
    enabled: bool = True
    name: str = Field(default="", max_length=255)
    overlap: Overlap = Overlap.SKIP
    overlap_waiting: bool = False
    """Whether a run that only waits for people counts as ended where fires would overlap with it."""
    catchup_window_s: int = Field(default=HOUR, ge=10, le=30 * 24 * HOUR)
    jitter_s: int = Field(default=0, ge=0, le=24 * HOUR)
    starts_at: AwareDatetime | None = None
    ends_at: AwareDatetime | None = None
    input_data: dict[str, Any] = {}  # of the author's making, for the runs


class Schedule(ScheduleConfig, frozen=True):
    """A row of `schedules`: the wish, which a Temporal Schedule follows.

    `revision` rises with each change of the wish, or of whether the agent may run; `projected` is the
    one that Temporal has taken over.
    """

    id: str
    note: ScheduleNote = ""
    """Why it is paused, in the words of who paused it."""
    skip_at: AwareDatetime | None = None
    """The one fire to come that is to be skipped."""
    revision: int = 1
    projected: int = 0
    created_by: str
    created_at: AwareDatetime
    updated_at: AwareDatetime


def occurrence_id(schedule_id: str, at: datetime) -> str:
    """The id of the run that a schedule starts at a time: what Temporal makes of the schedule's own."""
    return f"{schedule_id}-{at.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"


def occurrence_of(execution_id: str) -> datetime:
    """The time in the id of a run that a schedule has started."""
    return datetime.fromisoformat(execution_id[-len("2027-01-31T00:00:00Z") :])


FireKind = Literal["schedule", "backfill", "now"]


class FireOutcome(StrEnum):
    RUN = "run"
    SKIPPED = "skipped"


class SkipReason(StrEnum):
    """Why a fire led to no run."""

    OVERLAP = "overlap"
    BUFFER_FULL = "buffer_full"
    ON_REQUEST = "on_request"
    SCHEDULE_PAUSED = "schedule_paused"
    SCHEDULE_REMOVED = "schedule_removed"
    AGENT_NOT_ACTIVE = "agent_not_active"


class Fire(BaseModel, frozen=True):
    """One time at which a schedule was due. `execution_id` is the run that it led to, if it did.

    `scheduled_at` is the time that the cron expression names, `due_at` that time with its jitter, null
    where the server has not said it yet. The difference from `due_at` to `fired_at` is how late it was.
    """

    schedule_id: str
    scheduled_at: AwareDatetime
    due_at: AwareDatetime | None
    fired_at: AwareDatetime
    kind: FireKind = "schedule"
    outcome: FireOutcome
    reason: SkipReason | None = None
    execution_id: str | None = None
    blocked_by: str | None = None
    """The run that had not ended."""

    @property
    def lateness_s(self) -> float | None:
        return None if self.due_at is None else (self.fired_at - self.due_at).total_seconds()
