"""What the caller's workspace may use at once."""

from fastapi import APIRouter

from api.dependencies import Audited, Mine
from api.errors import responses
from api.launch import Launching
from api.schemas.workspace import LimitsBody, LimitsRequest
from omniforge.errors import Unauthenticated
from omniforge.store.admission import Limits
from omniforge.store.audit import Act
from omniforge.store.store import Repositories

router = APIRouter(
    prefix="/api/v1/workspace", tags=["workspace"], responses=responses(Unauthenticated)
)


@router.get("/limits")
async def get_limits(mine: Mine) -> LimitsBody:
    """How many runs may be under way at once, how many are, and how many are queued."""
    return LimitsBody.of(await mine.read(lambda db: db.admission.limits()))


@router.put("/limits")
async def set_limits(body: LimitsRequest, audited: Audited, launch: Launching) -> LimitsBody:
    """Set how many runs may be under way at once. Queued runs that a higher number has room for begin.

    A lower one ends nothing: no run begins until fewer are under way. A weight holds from the next run on.
    """

    def change(db: Repositories) -> tuple[Limits, list[str]]:
        limits = db.admission.set_limits(body.max_concurrent_runs, body.fairness_weight)
        return limits, db.admission.admitted

    tenant_id = audited.caller.tenant_id
    limits, admitted = await audited.write(
        Act.LIMITS_SET, tenant_id, change, **body.model_dump(mode="json")
    )
    await launch.admit(tenant_id, admitted)
    return LimitsBody.of(limits)
