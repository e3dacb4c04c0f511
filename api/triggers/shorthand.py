"""The `schedule` of an agent: short for the first of its schedules."""

from collections.abc import Mapping

from api.triggers.wishes import changed, planned
from omniforge.agents.triggers.schedules import ScheduleConfig
from omniforge.identity import Principal
from omniforge.store.store import Repositories


def put_first(db: Repositories, agent_id: str, wish: Mapping[str, str], caller: Principal) -> None:
    """Have the first schedule of an agent be at these times, or make it; `follow` tells Temporal.

    Raises:
        CronInvalid, TimeZoneUnknown: It cannot be.
    """
    first = db.schedules.first([agent_id]).get(agent_id)
    if first is not None:
        db.schedules.change(changed(db.schedules.locked(first.id), wish))
        return
    whose = {"agent_id": agent_id, "tenant_id": caller.tenant_id}
    db.schedules.add(planned(ScheduleConfig.model_validate({**wish, **whose}), caller))
