"""Keys that are good for one agent: they reach it and what belongs to it, and nothing else."""

from collections.abc import Callable, Mapping

from fastapi import Request

from omniforge.errors import Forbidden
from omniforge.store.store import Repositories, TenantStore

_AGENT_OF: Mapping[str, Callable[[Repositories, str], str]] = {
    "agent_id": lambda _, agent_id: agent_id,
    "execution_id": lambda db, run_id: db.runs.get(run_id).agent_id,
    "approval_id": lambda db, one: db.runs.get(db.approvals.get(one).execution_id).agent_id,
    "schedule_id": lambda db, schedule_id: db.schedules.get(schedule_id).agent_id,
    "trigger_id": lambda db, trigger_id: db.triggers.get(trigger_id).agent_id,
    "delivery_id": lambda db, one: db.triggers.get(db.deliveries.get(one).trigger_id).agent_id,
}
"""What a path's parameter names -> the agent it belongs to."""

# Where `?agent_id=` leaves nothing but what belongs to that agent.
_LISTS = {"GET /api/v1/approvals", "GET /api/v1/schedules", "GET /api/v1/triggers"}

_OF_NO_AGENT = {"GET /api/v1/me"}


async def refuse_other_agents(
    agent_id: str, request: Request, route: str, mine: TenantStore
) -> None:
    """
    Raises:
        Forbidden: The request is not, or not only, about this agent.
        NotFound: The tenant has nothing of that id.
    """
    if route in _OF_NO_AGENT or (
        route in _LISTS and request.query_params.getlist("agent_id") == [agent_id]
    ):
        return
    named = {name: one for name, one in request.path_params.items() if name in _AGENT_OF}
    found = await mine.read(lambda db: {_AGENT_OF[name](db, one) for name, one in named.items()})
    if found != {agent_id}:
        raise Forbidden(
            f"This key is good for agent {agent_id!r} only; lists can be asked for with"
            f" ?agent_id={agent_id} where they have it.",
            agent_id=agent_id,
        )
