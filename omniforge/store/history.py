"""What runs came to, read from the runs and, while they are under way, from their steps."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from statistics import fmean
from typing import Any

from sqlalchemy import CTE, ColumnElement, RowMapping, Select, Subquery, func, select, union_all

from omniforge.agents.history import ExecutionHistory, ExecutionRecord, Spent, Totals
from omniforge.agents.modes import RunMode
from omniforge.agents.runs import FINAL_STATUSES, RunStatus, TokenUsage
from omniforge.journal.steps import Origin, StepKind
from omniforge.store.repository import Repository
from omniforge.store.sql import Page, page_of
from omniforge.store.tables import agent_executions, nodes, steps

_NOTHING = Spent()
_TOKENS = tuple(TokenUsage.model_fields)
_RUNS = agent_executions.c

# Without statistics SQLite takes an index that begins with the tenant or the status for a good one, and
# reads all runs of a tenant to find the one of an id. Worded like this, a comparison fits no index.
_tenant, _status = _RUNS.tenant_id.concat(""), _RUNS.status.concat("")
_IS_OVER = _status.in_(FINAL_STATUSES)
# A run carries documents of any size; these columns are all that a record needs of it.
_BRIEF = [
    *(_RUNS.id, _RUNS.agent_id, _RUNS.agent_version, _RUNS.mode, _RUNS.status, _RUNS.parent_id),
    *(_RUNS.created_at, _RUNS.started_at, _RUNS.completed_at, _RUNS.error_code),
]


@dataclass(frozen=True, slots=True)
class Which:
    """Runs of one agent or of all, accepted within days of UTC, inclusive. Those of one mode."""

    agent_id: str | None = None
    since: date | None = None
    until: date | None = None
    mode: RunMode = RunMode.LIVE
    only_ended: bool = False


class HistoryRepository(Repository):
    def page(self, which: Which, limit: int, cursor: str | None) -> Page[ExecutionRecord]:
        """Newest first, with the models that answered and what the runs they started have spent."""
        query = select(*_BRIEF).where(*self._conditions(which))
        page = page_of(self._connection, query, agent_executions, limit, cursor, _itself)
        ids = [row["id"] for row in page.items]
        own, lines, models = self._spent(ids), self._with_children(ids), self._models(ids)
        records = [
            _record_of(
                row,
                own.get(row["id"], _NOTHING),
                lines.get(row["id"], _NOTHING),
                models.get(row["id"], ()),
            )
            for row in page.items
        ]
        return Page(records, page.next_cursor)

    def totals(self, which: Which) -> Totals:
        """What all these runs have spent by now."""
        mine = self._conditions(which)
        count = select(func.count()).select_from(agent_executions).where(*mine)
        return Totals(
            runs=self._connection.execute(count).scalar_one(),
            spent=self._sum(self._calls(*mine)),
            with_children=self._sum(self._calls(*self._named(select(self._family(*mine).c.id)))),
        )

    def of(self, which: Which) -> ExecutionHistory:
        """The records of these runs, without models and children."""
        mine = self._conditions(which)
        query = select(*_BRIEF, _RUNS.cost, _RUNS.usage).where(*mine)
        under_way = self._spent_by_run(self._calls(*mine, ~_IS_OVER))
        return ExecutionHistory(
            _record_of(row, under_way.get(row["id"]) or _spent_of(row["cost"], row["usage"]))
            for row in self._connection.execute(query).mappings()
        )

    def items(self, run_ids: Sequence[str]) -> dict[str, float]:
        """How many items each `for_each` of these runs had, in the mean."""
        column = nodes.c["items"]
        query = select(nodes.c.node, column).where(
            nodes.c.tenant_id == self._tenant_id,
            nodes.c.stream_id.in_(run_ids),
            column.is_not(None),
        )
        counts: dict[str, list[int]] = {}
        for node, found in self._connection.execute(query):
            counts.setdefault(node, []).append(len(found))
        return {node: fmean(each) for node, each in counts.items()}

    # ---- inside ------------------------------------------------------------------------------

    def _conditions(self, which: Which) -> list[ColumnElement[bool]]:
        found = [_RUNS.mode == which.mode]
        if which.agent_id is None:
            found.append(_RUNS.tenant_id == self._tenant_id)
        else:
            found += [self._is_mine(), _RUNS.agent_id == which.agent_id]
        if which.since is not None:
            found.append(_RUNS.created_at >= _midnight(which.since))
        if which.until is not None:
            found.append(_RUNS.created_at < _midnight(which.until) + timedelta(days=1))
        if which.only_ended:
            found.append(_IS_OVER)
        return found

    def _is_mine(self) -> ColumnElement[bool]:
        """For runs that an id leads to."""
        return _tenant == self._tenant_id

    def _calls(self, *conditions: ColumnElement[bool]) -> Subquery:
        """Tokens and money by run: of an ended run as it says, of any other as its steps say so far."""
        ended = select(_RUNS.id, _RUNS.cost, *_tokens_in(_RUNS.usage)).where(*conditions, _IS_OVER)
        at_work = (
            select(_RUNS.id, steps.c.cost, *_tokens_in(steps.c.usage))
            .join(steps, steps.c.stream_id == _RUNS.id)
            .where(*conditions, ~_IS_OVER, *_PAID_FOR)
        )
        return union_all(ended, at_work).subquery("calls")

    def _family(self, *conditions: ColumnElement[bool]) -> CTE:
        """These runs and all that come from them, each once."""
        family = select(_RUNS.id).where(*conditions).cte("family", recursive=True)
        children = select(_RUNS.id).join(family, _RUNS.parent_id == family.c.id)
        return family.union(children.where(self._is_mine()))

    def _lines(self, ids: Sequence[str]) -> CTE:
        """(root, id): each of these runs with itself and all that come from it."""
        roots = select(_RUNS.id.label("root"), _RUNS.id).where(*self._named(ids))
        line = roots.cte("line", recursive=True)
        children = select(line.c.root, _RUNS.id).join(line, _RUNS.parent_id == line.c.id)
        return line.union_all(children.where(self._is_mine()))

    def _named(self, ids: Sequence[str] | Select[tuple[str]]) -> Sequence[ColumnElement[bool]]:
        return self._is_mine(), _RUNS.id.in_(ids)

    def _spent(self, ids: Sequence[str]) -> dict[str, Spent]:
        return self._spent_by_run(self._calls(*self._named(ids)))

    def _spent_by_run(self, calls: Subquery) -> dict[str, Spent]:
        query = _sums(calls).add_columns(calls.c.id).group_by(calls.c.id)
        return {row["id"]: _sum_of(row) for row in self._connection.execute(query).mappings()}

    def _with_children(self, ids: Sequence[str]) -> dict[str, Spent]:
        line = self._lines(ids)
        calls = self._calls(*self._named(select(line.c.id)))
        query = _sums(calls).add_columns(line.c.root).join(line, line.c.id == calls.c.id)
        rows = self._connection.execute(query.group_by(line.c.root)).mappings()
        return {row["root"]: _sum_of(row) for row in rows}

    def _models(self, ids: Sequence[str]) -> dict[str, tuple[str, ...]]:
        query = (
            select(steps.c.stream_id, steps.c.model)
            .distinct()
            .where(
                steps.c.tenant_id == self._tenant_id,
                steps.c.stream_id.in_(ids),
                steps.c.model.is_not(None),
            )
            .order_by(steps.c.stream_id, steps.c.model)
        )
        found: dict[str, tuple[str, ...]] = {}
        for row in self._connection.execute(query):
            found[row.stream_id] = (*found.get(row.stream_id, ()), row.model)
        return found

    def _sum(self, calls: Subquery) -> Spent:
        return _sum_of(self._connection.execute(_sums(calls)).mappings().one())


# What was played was paid for in the run that it comes from.
_PAID_FOR = (steps.c.kind != StepKind.PREAMBLE, steps.c.origin != Origin.RECORDED)


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)


def _tokens_in(usage: Any) -> list[ColumnElement[int]]:
    return [usage[name].as_integer().label(name) for name in _TOKENS]


def _sums(calls: Subquery) -> Select[Any]:
    names = ("cost", *_TOKENS)
    return select(*(func.sum(calls.c[name]).label(name) for name in names))


def _sum_of(row: RowMapping) -> Spent:
    counts = {name: int(row[name] or 0) for name in _TOKENS}
    return Spent(row["cost"] or Decimal(0), TokenUsage(**counts))


def _spent_of(cost: Decimal, usage: Mapping[str, int]) -> Spent:
    return Spent(cost, TokenUsage.model_construct(None, **usage))


def _itself(row: RowMapping) -> RowMapping:
    return row


def _record_of(
    row: RowMapping, spent: Spent, with_children: Spent = _NOTHING, models: tuple[str, ...] = ()
) -> ExecutionRecord:
    return ExecutionRecord(
        run_id=row["id"],
        agent_id=row["agent_id"],
        version=row["agent_version"],
        mode=RunMode(row["mode"]),
        status=RunStatus(row["status"]),
        parent_id=row["parent_id"],
        created_at=row["created_at"],
        started_at=row["started_at"],
        ended_at=row["completed_at"],
        error_code=row["error_code"],
        spent=spent,
        with_children=with_children,
        models=models,
    )
