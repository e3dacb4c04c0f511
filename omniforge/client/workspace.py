"""`client.workspace`."""

from omniforge.client.models import WorkspaceLimits
from omniforge.client.transport import Transport

_LIMITS = "/api/v1/workspace/limits"


class Workspace:
    """The workspace that the key belongs to."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    async def limits(self) -> WorkspaceLimits:
        """How many runs may be under way at once, how many are, and how many are queued."""
        return await self._transport.get(_LIMITS, WorkspaceLimits)

    async def set_limits(
        self, *, max_concurrent_runs: int | None, fairness_weight: float
    ) -> WorkspaceLimits:
        """Set how many runs may be under way at once; None: as many as the platform says, 0: any number.

        The weight is the workspace's share of the workers while there is more to do than they can.
        """
        body = {"max_concurrent_runs": max_concurrent_runs, "fairness_weight": fairness_weight}
        return await self._transport.put(_LIMITS, WorkspaceLimits, json=body)
