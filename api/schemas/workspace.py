"""What a workspace may use at once, over HTTP."""

from dataclasses import asdict

from pydantic import BaseModel, Field

from omniforge.client import models
from omniforge.store.admission import Limits


class LimitsRequest(BaseModel, extra="forbid"):
    """How many runs may be under way at once (null: as many as the platform says; 0: any number).

    The weight is the workspace's share of the workers while there is more to do than they can.
    """

    max_concurrent_runs: int | None = Field(ge=0, le=1_000_000)
    # What Temporal takes for a weight.
    fairness_weight: float = Field(ge=0.001, le=1000)


class LimitsBody(models.WorkspaceLimits):
    """What a workspace may use at once, and what it uses."""

    @classmethod
    def of(cls, limits: Limits) -> "LimitsBody":
        return cls(**asdict(limits))
