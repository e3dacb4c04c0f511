"""What the reconciler looks at: runs of all tenants that have not ended."""

from datetime import datetime

from sqlalchemy import Connection, select

from omniforge.agents.runs import FINAL_STATUSES, Run
from omniforge.store.records import run_of
from omniforge.store.tables import agent_executions


def unfinished(connection: Connection, before: datetime, after: str, limit: int) -> list[Run]:
    """Runs of all tenants, accepted before a moment and without a final status, by id after `after`."""
    query = (
        select(agent_executions)
        .where(
            agent_executions.c.status.not_in(FINAL_STATUSES),
            agent_executions.c.created_at < before,
            agent_executions.c.id > after,
        )
        .order_by(agent_executions.c.id)
        .limit(limit)
    )
    return [run_of(row) for row in connection.execute(query).mappings()]
