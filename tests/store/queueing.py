"""Moves of runs under a cap, each with those that it gave a place."""

from omniforge.agents.runs import Run, RunStatus
from omniforge.store.store import Repositories
from tests.store.making import Tenant


async def begin(tenant: Tenant, run: Run) -> tuple[RunStatus, list[str]]:
    """Whether it has begun, and who has got a place."""

    def work(db: Repositories) -> tuple[RunStatus, list[str]]:
        return db.runs.begin(run).status, db.admission.admitted

    return await tenant.mine.write(work)


async def finish(tenant: Tenant, run: Run, status: RunStatus = RunStatus.COMPLETED) -> list[str]:
    """Who has got its place."""

    def work(db: Repositories) -> list[str]:
        db.runs.finish(run.id, status, None)
        return db.admission.admitted

    return await tenant.mine.write(work)


async def wait(tenant: Tenant, run: Run, waiting_for: str | None) -> list[str]:
    """Who has got its place."""

    def work(db: Repositories) -> list[str]:
        db.runs.mark_waiting(run.id, waiting_for)
        return db.admission.admitted

    return await tenant.mine.write(work)


async def set_cap(tenant: Tenant, cap: int) -> list[str]:
    """Who has got a place by it."""

    def work(db: Repositories) -> list[str]:
        db.admission.set_limits(cap, 1.0)
        return db.admission.admitted

    return await tenant.mine.write(work)


async def statuses(tenant: Tenant, runs: list[Run]) -> list[RunStatus]:
    return await tenant.mine.read(lambda db: [db.runs.get(run.id).status for run in runs])
