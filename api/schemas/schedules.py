"""Schedules over HTTP."""

from datetime import UTC, datetime
from typing import Annotated, Any, Self

from pydantic import AwareDatetime, BaseModel, Field, model_validator

from api.schemas.agents import Text
from omniforge.agents.triggers.schedules import (
    HOUR,
    Fire,
    Overlap,
    ScheduleConfig,
)
from omniforge.client import triggering

# Far from the ends of what clocks and columns can hold, where a change of zone would leave it.
Moment = Annotated[
    AwareDatetime, Field(ge=datetime(2000, 1, 1, tzinfo=UTC), lt=datetime(2200, 1, 1, tzinfo=UTC))
]


class Times(BaseModel, extra="forbid"):
    """When something is due. The expression has five fields, or is a word such as `@daily`.

    `jitter_s` puts each time off by a part of so many seconds, the same part each time.
    """

    cron_expression: Text = Field(min_length=1, max_length=100)
    timezone: Text = Field(default="UTC", min_length=1, max_length=64)
    jitter_s: int = Field(default=0, ge=0, le=24 * HOUR)
    starts_at: Moment | None = None
    ends_at: Moment | None = None


class PreviewRequest(Times):
    """A schedule that is not there yet."""

    def config(self, tenant_id: str) -> ScheduleConfig:
        nobodys = {"tenant_id": tenant_id, "agent_id": ""}
        return ScheduleConfig.model_validate({**self.model_dump(), **nobodys})


class Wishes(Times):
    """When an agent is to run, and how.

    `overlap` says what becomes of a time while an earlier run goes on, and `overlap_waiting` whether one
    that only waits for people counts as ended then. A time that the platform was down for runs up to
    `catchup_window_s` late.
    """

    name: Text = Field(default="", max_length=255)
    overlap: Overlap = Overlap.SKIP
    overlap_waiting: bool = False
    catchup_window_s: int = Field(default=HOUR, ge=10, le=30 * 24 * HOUR)
    input_data: dict[str, Any] = {}


class NewSchedule(Wishes):
    """A schedule to create."""

    agent_id: Text
    enabled: bool = True

    def config(self, tenant_id: str) -> ScheduleConfig:
        return ScheduleConfig.model_validate({**self.model_dump(), "tenant_id": tenant_id})


class ScheduleChange(Wishes):
    """What to change of a schedule. What is left out stays; null takes a start or an end away."""

    cron_expression: Text = Field(default="", min_length=1, max_length=100)

    @property
    def changes(self) -> dict[str, Any]:
        return self.model_dump(exclude_unset=True)

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if not self.model_fields_set:
            raise ValueError(f"nothing to change: give one of {', '.join(Wishes.model_fields)}")
        return self


class PauseRequest(BaseModel, extra="forbid"):
    """Why it is paused, for whoever wonders later."""

    note: Text = Field(default="", max_length=500)


class RunNowRequest(BaseModel, extra="forbid"):
    """Whether it may begin beside a run of the schedule that has not ended."""

    overlap: bool = False


class BackfillRequest(BaseModel, extra="forbid"):
    """A range of time; with `preview` nothing starts, and the answer says what would."""

    start: Moment
    end: Moment
    preview: bool = False


class ScheduleBody(triggering.Schedule):
    """A schedule as it stands now. `next_times` are the server's own, at most five."""


class ScheduleDetailBody(triggering.ScheduleDetail):
    """A schedule with how late its last fires came."""


class PreviewBody(triggering.Preview):
    """A schedule in words, and the next times at which it would be due."""


class BackfillBody(triggering.Backfill):
    """The times of a range, and the runs for those of them that had not fired; in a preview, none."""


class FireBody(triggering.Fire):
    """One time at which a schedule was due, and what became of it."""

    @classmethod
    def of(cls, fire: Fire) -> "FireBody":
        return cls.model_validate({**fire.model_dump(), "lateness_s": fire.lateness_s})


class ScheduleList(BaseModel):
    schedules: list[ScheduleBody]
    next_cursor: str | None


class FireList(BaseModel):
    fires: list[FireBody]
    next_cursor: str | None
