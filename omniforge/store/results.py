"""What the skills of a run came to, once nobody may work on them any more."""

from collections.abc import Mapping
from decimal import Decimal

from sqlalchemy import RowMapping, bindparam, select, update

from omniforge import clock
from omniforge.agents.runs import RunStatus, SkillResult, TokenUsage
from omniforge.journal.ports import NodeStatus
from omniforge.journal.steps import Origin, StepKind
from omniforge.store.records import error_of
from omniforge.store.repository import Repository
from omniforge.store.reservations import settle_lost
from omniforge.store.streams import advance, clear_shown
from omniforge.store.tables import nodes, steps

# Above any segment a workflow reaches: whoever still works on a node of a finished run is fenced out.
_CLOSED_SEGMENT = 2**30

_UNFINISHED_NODE = [status for status in NodeStatus if not status.is_final]

_SPENT = select(steps.c.node, steps.c.usage, steps.c.cost, steps.c.reserved).where(
    steps.c.tenant_id == bindparam("tenant"),
    steps.c.stream_id == bindparam("run"),
    steps.c.kind != StepKind.PREAMBLE,
    # What was played was paid for in the run that it comes from.
    steps.c.origin != Origin.RECORDED,
)


class SkillResults(Repository):
    def close(
        self, run_id: str, rows: Mapping[str, RowMapping], status: RunStatus
    ) -> list[SkillResult]:
        """What each skill came to; whoever still works on one of them can write no more.

        `rows` are the run's nodes, and `status` is how it ends.
        """
        if any(not NodeStatus(row["status"]).is_final for row in rows.values()):
            statement = update(nodes).where(
                nodes.c.stream_id == run_id, nodes.c.status.in_(_UNFINISHED_NODE)
            )
            closed = {"segment": _CLOSED_SEGMENT, "completed_at": clock.now()}
            self._connection.execute(statement.values(closed))
            clear_shown(self._connection, run_id)
        spent = self._spent(run_id)
        return [
            _skill_result(row, status, *spent.get(node, (TokenUsage(), Decimal(0))))
            for node, row in rows.items()
        ]

    def _spent(self, run_id: str) -> dict[str, tuple[TokenUsage, Decimal]]:
        """What each node used and cost. A call whose worker died counts at its worst case."""
        spent: dict[str, tuple[TokenUsage, Decimal]] = {}
        is_any_lost = False
        for row in self._connection.execute(_SPENT, {"run": run_id, "tenant": self._tenant_id}):
            usage, cost = spent.get(row.node, (TokenUsage(), Decimal(0)))
            used = usage + TokenUsage.model_validate(row.usage)
            spent[row.node] = (used, cost + row.cost + row.reserved)
            is_any_lost |= row.reserved > 0
        if is_any_lost:
            self._settle_lost(run_id)
        return spent

    def _settle_lost(self, run_id: str) -> None:
        """Put calls that nobody will take up again on record at what they may have cost."""
        assumed = {
            "cost": steps.c.cost + steps.c.reserved,
            "reserved": Decimal(0),
            "is_cost_assumed": True,
        }
        of_lost = steps.c.stream_id == run_id, steps.c.reserved > Decimal(0)
        self._connection.execute(update(steps).where(*of_lost).values(assumed))
        money = settle_lost(self._connection, self._tenant_id, run_id)
        advance(self._connection, run_id, self._tenant_id, [], money)


def _skill_result(
    row: RowMapping, run_status: RunStatus, usage: TokenUsage, cost: Decimal
) -> SkillResult:
    status = NodeStatus(row["status"])
    if not status.is_final:
        status = NodeStatus.CANCELLED if run_status is RunStatus.CANCELLED else NodeStatus.FAILED
    return SkillResult.model_validate(
        {
            "id": row["node"],
            "name": row["skill_name"],
            "status": status.value,
            "output": row["output"],
            "error": error_of(row["error"]),
            "usage": usage,
            "cost_usd": cost,
            "started_at": row["started_at"],
            "completed_at": row["completed_at"],
        }
    )
