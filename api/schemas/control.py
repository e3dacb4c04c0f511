"""What people ask of a run under way, over HTTP."""

from decimal import Decimal
from typing import Annotated, Literal

from pydantic import BaseModel, Field

from api.schemas.agents import Text
from omniforge.agents.runs import Run
from omniforge.client import models


class ControlBody(BaseModel, extra="forbid"):
    """Why, for those who follow the run."""

    reason: Text = Field(default="", max_length=2_000)


class SteerBody(BaseModel, extra="forbid"):
    """A message to the skills that are at work, or to the one that `node` names.

    Sent again with the same `message_id`, it is taken in once.
    """

    message: Text = Field(min_length=1, max_length=8_000)
    message_id: str | None = Field(default=None, min_length=1, max_length=128)
    node: str | None = Field(default=None, min_length=1, max_length=255)


class RetryBody(BaseModel, extra="forbid"):
    """How a run is taken up again.

    `in_doubt` says of effects of which nobody knows whether they happened, that they did, or that they
    are to be sent again. `budget_usd` is what the run may spend in all from now on.
    """

    in_doubt: Literal["happened", "resend"] | None = None
    budget_usd: Annotated[Decimal, Field(gt=0, max_digits=15, decimal_places=6)] | None = None


class Controlled(models.ControlledRun):
    @classmethod
    def of(cls, run: Run) -> "Controlled":
        wish = None if run.status.is_final else run.wish
        return cls.model_validate(
            {
                "execution_id": run.id,
                "status": run.status,
                "waiting_for": run.waiting_for,
                "wish": wish,
                "generation": run.generation,
            }
        )
