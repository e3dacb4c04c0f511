"""What the skills of a run came to, once nobody may work on them any more."""

from collections.abc import Mapping, Sequence
from decimal import Decimal

from sqlalchemy import RowMapping, bindparam, select, update

from omniforge import clock
from omniforge.agents.modes import RunMode
from omniforge.agents.runs import ErrorInfo, RunStatus, SkillResult, TokenUsage
from omniforge.journal.ports import NodeStatus
from omniforge.journal.steps import IN_DOUBT, Origin, Step, StepKind
from omniforge.store.records import error_of, step_of
from omniforge.store.repository import Repository
from omniforge.store.reservations import settle_lost
from omniforge.store.streams import advance, clear_shown
from omniforge.store.tables import nodes, steps

# Above any segment a workflow reaches: whoever still works on a node of a finished run is fenced out.
_CLOSED_SEGMENT = 2**30

# More would hide what is said of the first ones.
MAX_TOLD = 8

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
        self,
        run: RowMapping,
        rows: Mapping[str, RowMapping],
        status: RunStatus,
        error: ErrorInfo | None,
    ) -> tuple[list[SkillResult], ErrorInfo | None]:
        """What each skill came to; whoever still works on one of them can write no more.

        `rows` are the run's nodes, `status` is how it ends, and `error` why. Of a run that was stopped,
        that comes back with what was cut off.
        """
        run_id, cut_off = run["id"], dict[str, ErrorInfo]()
        if status is RunStatus.CANCELLED and error and run["mode"] != RunMode.REPLAY:
            cut_off = self._cut_off(rows, error)
            error = _with_accounts(error, cut_off)
        if any(not NodeStatus(row["status"]).is_final for row in rows.values()):
            statement = update(nodes).where(
                nodes.c.stream_id == run_id, nodes.c.status.in_(_UNFINISHED_NODE)
            )
            closed = {"segment": _CLOSED_SEGMENT, "completed_at": clock.now()}
            self._connection.execute(statement.values(closed))
            clear_shown(self._connection, run_id)
        spent = self._spent(run_id)
        results = [
            _skill_result(row, status, *spent.get(node, (TokenUsage(), Decimal(0))))
            for node, row in rows.items()
        ]
        told = [one.model_copy(update={"error": cut_off.get(one.id, one.error)}) for one in results]
        return told, error

    def _cut_off(self, rows: Mapping[str, RowMapping], error: ErrorInfo) -> dict[str, ErrorInfo]:
        """Of each skill that was at work when its run was stopped: what is done of it, and what is not."""
        return {
            node: ErrorInfo(code=error.code, message=_account(self._steps(row)), skill=node)
            for node, row in rows.items()
            if not NodeStatus(row["status"]).is_final and row["items"] is None
        }

    def _steps(self, row: RowMapping) -> list[Step]:
        query = (
            select(steps)
            .where(
                steps.c.tenant_id == self._tenant_id,
                steps.c.stream_id == row["stream_id"],
                steps.c.node == row["node"],
                steps.c.generation == row["generation"],
            )
            .order_by(steps.c.number)
        )
        return [step_of(step) for step in self._connection.execute(query).mappings()]

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


def _with_accounts(error: ErrorInfo, cut_off: Mapping[str, ErrorInfo]) -> ErrorInfo:
    """Why a run was stopped, with what that cut off."""
    accounts = [one.message for one in cut_off.values()]
    if len(accounts) > 1:
        accounts = [f"{node}: {one.message}" for node, one in cut_off.items()]
    if len(accounts) > MAX_TOLD:
        accounts[MAX_TOLD:] = [f"And {len(accounts) - MAX_TOLD} more skills."]
    return error.model_copy(update={"message": " ".join([error.message, *accounts])})


def _account(recorded: Sequence[Step]) -> str:
    done = [step for step in recorded if step.status.is_settled]
    doubtful = [step.name for step in recorded if step.status in IN_DOUBT]
    count = sum(step.kind is not StepKind.PREAMBLE for step in done)
    said = [f"{count} step is done." if count == 1 else f"{count} steps are done."]
    if calls := _unanswered(recorded):
        said.append(f"These calls were cut off, or not made any more: {', '.join(calls)}.")
    if doubtful:
        said.append(f"It is not known whether these calls took effect: {', '.join(doubtful)}.")
    return " ".join(said)


def _unanswered(recorded: Sequence[Step]) -> list[str]:
    """The calls of the last turn that have no record at all; nothing of theirs was written ahead."""
    turns = [step for step in recorded if step.kind is StepKind.MODEL and step.answer]
    if not turns:
        return []
    known = {step.number for step in recorded}
    calls = enumerate(turns[-1].answer.get("calls", ()), turns[-1].number + 1)
    return [call["name"] for number, call in calls if number not in known]


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
