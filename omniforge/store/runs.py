"""Runs: from accepted to final, and what each of their skills came to."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import ColumnElement, Connection, RowMapping, bindparam, func, select, update

from omniforge import clock
from omniforge.agents.budgets import Payer
from omniforge.agents.modes import RunMode, Terms, on_terms
from omniforge.agents.plan import Plan, hand_on, with_config
from omniforge.agents.runs import (
    FINAL_STATUSES,
    ErrorInfo,
    Run,
    RunStatus,
    SkillResult,
    TokenUsage,
)
from omniforge.agents.versions import AgentVersion, PinnedSkill
from omniforge.errors import ExecutionNotFound, IdempotencyConflict
from omniforge.errors import RunFinished as RunHasEnded
from omniforge.execution.work import Script
from omniforge.journal.blobs import Manifest
from omniforge.journal.events import Event, EventBody, NewEvent, RunFinished, RunStarted
from omniforge.journal.steps import Json, Step
from omniforge.store.agents import AgentRepository
from omniforge.store.records import step_of
from omniforge.store.repository import Repository
from omniforge.store.reservations import is_capped
from omniforge.store.results import SkillResults
from omniforge.store.run_files import RunFiles
from omniforge.store.sql import Page, insert_into, page_of
from omniforge.store.streams import advance, events_after, is_under_cap, open_stream
from omniforge.store.tables import agent_executions, nodes, steps

# Built once: on the way of every run, putting a statement together costs more than running it.
_RUN = select(agent_executions).where(
    agent_executions.c.id == bindparam("run"), agent_executions.c.tenant_id == bindparam("tenant")
)
_NODES = (
    select(nodes)
    .where(nodes.c.stream_id == bindparam("run"))
    .order_by(nodes.c.generation, nodes.c.started_at, nodes.c.node)
)


@dataclass(frozen=True, slots=True)
class IdempotencyKey:
    """What a caller sent to make a repeat harmless, and the hash of what it asked for with it."""

    key: str
    body_hash: str


@dataclass(frozen=True, slots=True)
class Begun:
    """What a workflow needs to know of the run it carries. In a final status nothing is left to do."""

    status: RunStatus
    agent_name: str
    version: AgentVersion
    recorded_end: Run | None = None
    """The run that this one replays, when that did not complete."""


@dataclass(frozen=True, slots=True)
class NodeBrief:
    """All that one skill of a run works from."""

    version: AgentVersion
    skill: PinnedSkill
    input: Json
    workspace: Manifest
    user_id: str
    has_cap: bool
    """Whether its model calls must be of known prices, because a cap is over them."""
    run: Run
    plan: Plan
    script: Script | None = None
    """What is said in the place of tools; None when this is no rehearsal."""


class RunRepository(Repository):
    def add(self, run: Run, files: Manifest, once: IdempotencyKey | None) -> tuple[Run, bool]:
        """Write a pending run; True when it is new.

        Under an idempotency key that was used before, the run of that time is the answer.

        Raises:
            IdempotencyConflict: The key was used with another body.
        """
        row = {
            **run.model_dump(mode="python", exclude={"error"}),
            "files": dict(files),
            "skill_results": [],
            "usage": {},
            "cost": run.cost_usd,
            "idempotency_key": once.key if once else None,
            "body_hash": once.body_hash if once else None,
        }
        row.pop("cost_usd")
        statement = insert_into(self._connection, agent_executions).on_conflict_do_nothing()
        if self._connection.execute(statement, [row]).rowcount == 1 or once is None:
            return run, True
        mine = agent_executions.c.idempotency_key == once.key
        earlier = self._connection.execute(self._query(mine)).mappings().one()
        if earlier["body_hash"] != once.body_hash:
            raise IdempotencyConflict(once.key)
        return _run_of(earlier), False

    def get(self, run_id: str) -> Run:
        """
        Raises:
            ExecutionNotFound: Missing, or another tenant's.
        """
        return _run_of(self._row(run_id))

    def page(
        self, limit: int, cursor: str | None, agent_id: str | None, status: RunStatus | None
    ) -> Page[Run]:
        query = self._query()
        if agent_id is not None:
            query = query.where(agent_executions.c.agent_id == agent_id)
        if status is not None:
            query = query.where(agent_executions.c.status == status)
        return page_of(self._connection, query, agent_executions, limit, cursor, _run_of)

    def begin(self, run: Run) -> Begun:
        """Make sure the run's row and stream exist and mark it running. Repeating it changes nothing."""
        row = self._find(run.id)
        if row is None:
            self.add(run.model_copy(update={"mode": self._mode_under(run)}), {}, None)
            row = self._row(run.id)
        agents = AgentRepository(self._connection, self._tenant_id)
        name, newest = agents.name_and_version(row["agent_id"])
        version = _on_terms(agents.version(row["agent_id"], row["agent_version"] or newest), row)
        if RunStatus(row["status"]) is RunStatus.PENDING:
            at = clock.now()
            self._set(
                run.id, status=RunStatus.RUNNING, started_at=at, agent_version=version.version
            )
            payer = self._payer(row)
            cap = version.limits.budget_usd
            open_stream(self._connection, run.id, payer, cap, at, row["parent_id"])
            started = RunStarted(
                agent_id=version.agent_id,
                agent_name=name,
                agent_version=version.version,
                skills=tuple(skill.reference.id for skill in version.steps),
                mode=RunMode(row["mode"]),
            )
            self._tell(run.id, started)
        return Begun(RunStatus(row["status"]), name, version, self._recorded_end(row))

    def mark_waiting(self, run_id: str, waiting_for: str | None) -> None:
        """Show what a run waits for, or that it goes on (None). A final run stays as it is."""
        status = RunStatus.WAITING if waiting_for else RunStatus.RUNNING
        self._set(run_id, status=status, waiting_for=waiting_for)

    def brief(self, run_id: str, node: str) -> NodeBrief:
        """What a skill starts from: the run's input or what was handed on, and the files so far.

        Raises:
            RunFinished: The run has ended; nothing of it may be begun any more.
        """
        row = self._row(run_id)
        if (status := RunStatus(row["status"])).is_final:
            raise RunHasEnded(run_id, status)
        version, plan = self._plan(row)
        pinned, before = version.pinned(node), plan.depends_on[node]
        run = _run_of(row)
        rows = self._node_rows(run_id) if before else {}
        outputs = {name: rows[name]["output"] for name in before}
        handed_on = hand_on(plan, node, outputs, row["input_data"])
        if (change := run.terms.changes.get(node)) is not None and change.input is not None:
            handed_on = change.input
        is_replay = run.mode is RunMode.REPLAY
        return NodeBrief(
            version=version,
            skill=pinned,
            input=with_config(pinned.reference, handed_on),
            workspace=_files(row, plan, rows).found_by(node)
            if before or run.source_id
            else row["files"],
            user_id=row["triggered_by"],
            has_cap=not is_replay and self._is_under_any_cap(row),
            run=run,
            plan=plan,
        )

    def finish(self, run_id: str, status: RunStatus, error: ErrorInfo | None) -> Run:
        """Give a run its final status, once; after that it stays as it is.

        Result, usage and cost are put together from what its skills recorded.
        """
        row = self._row(run_id)
        if RunStatus(row["status"]).is_final:
            return _run_of(row)
        at = clock.now()
        results = SkillResults(self._connection, self._tenant_id).close(
            run_id, self._node_rows(run_id), status
        )
        result = self._result(row, results) if status is RunStatus.COMPLETED else None
        cost = sum((one.cost_usd for one in results), Decimal(0))
        ended = {
            "status": status,
            "waiting_for": None,
            "completed_at": at,
            "result": result,
            "error": error.message if error else None,
            "error_code": error.code if error else None,
            "error_skill": error.skill if error else None,
            "skill_results": [one.model_dump(mode="json") for one in results],
            "usage": sum((one.usage for one in results), TokenUsage()).model_dump(),
            "cost": cost,
        }
        self._set(run_id, **ended)
        if row["started_at"] is None:
            open_stream(self._connection, run_id, self._payer(row), None, at)
        self._tell(run_id, RunFinished(status=status, result=result, error=error, cost_usd=cost))
        return _run_of({**row, **ended})

    def steps(self, run_id: str) -> list[tuple[str, Step]]:
        """The journal of a run: (node, step), in the order of nodes and numbers."""
        self._row(run_id)
        query = (
            select(steps)
            .where(steps.c.stream_id == run_id)
            .order_by(steps.c.started_at, steps.c.node, steps.c.number)
        )
        return [(row["node"], step_of(row)) for row in self._connection.execute(query).mappings()]

    def events(self, run_id: str, after: int, limit: int) -> list[Event]:
        """The next events of a run that is this tenant's."""
        self._row(run_id)
        return events_after(self._connection, run_id, after, limit)

    def files(self, run_id: str) -> Manifest:
        """The files of a run as its skills left them; before the first, those it was given."""
        row = self._row(run_id)
        if row["agent_version"] is None:
            return dict(row["files"])
        return _files(row, self._plan(row)[1], self._node_rows(run_id)).now()

    def withdraw(self, run_id: str, error: ErrorInfo) -> bool:
        """Take back a run that nobody began; False when its workflow got to it first.

        Its idempotency key is free again, so that the caller's next try is a new run.
        """
        statement = update(agent_executions).where(
            agent_executions.c.id == run_id,
            agent_executions.c.tenant_id == self._tenant_id,
            agent_executions.c.status == RunStatus.PENDING,
        )
        ended = {
            "status": RunStatus.FAILED,
            "error": error.message,
            "error_code": error.code,
            "completed_at": clock.now(),
            "idempotency_key": None,
        }
        return self._connection.execute(statement.values(ended)).rowcount == 1

    def count_steps(self, run_id: str, node: str) -> int:
        """How many steps a node has on record."""
        of_node = steps.c.stream_id == run_id, steps.c.node == node
        return self._connection.execute(select(func.count()).where(*of_node)).scalar_one()

    # ---- inside ------------------------------------------------------------------------------

    def _query(self, *conditions: ColumnElement[bool]) -> Any:
        mine = agent_executions.c.tenant_id == self._tenant_id
        return select(agent_executions).where(mine, *conditions)

    def _find(self, run_id: str) -> RowMapping | None:
        place = {"run": run_id, "tenant": self._tenant_id}
        return self._connection.execute(_RUN, place).mappings().first()

    def _row(self, run_id: str) -> RowMapping:
        row = self._find(run_id)
        if row is None:
            raise ExecutionNotFound(run_id)
        return row

    def _plan(self, row: RowMapping) -> tuple[AgentVersion, Plan]:
        """What a run that has begun follows."""
        agents = AgentRepository(self._connection, self._tenant_id)
        version = _on_terms(agents.version(row["agent_id"], row["agent_version"]), row)
        return version, Plan.of([skill.reference for skill in version.skills])

    def _recorded_end(self, row: RowMapping) -> Run | None:
        if RunMode(row["mode"]) is not RunMode.REPLAY:
            return None
        source = self.get(row["source_id"])
        return None if source.status is RunStatus.COMPLETED else source

    def _mode_under(self, run: Run) -> RunMode:
        """What a test starts is a test, too."""
        if run.parent_id is None or self.get(run.parent_id).mode is RunMode.LIVE:
            return run.mode
        return RunMode.INTEGRATION

    def _set(self, run_id: str, **values: Any) -> None:
        statement = update(agent_executions).where(
            agent_executions.c.id == run_id,
            agent_executions.c.tenant_id == self._tenant_id,
            agent_executions.c.status.not_in(FINAL_STATUSES),
        )
        self._connection.execute(statement.values(values))

    def _tell(self, run_id: str, body: EventBody) -> None:
        event = NewEvent(dedupe_key=body.type, at=clock.now(), body=body)
        advance(self._connection, run_id, self._tenant_id, [event])

    def _node_rows(self, run_id: str) -> dict[str, RowMapping]:
        """The newest generation of each node that has begun, in the order they began."""
        rows = self._connection.execute(_NODES, {"run": run_id}).mappings()
        return {row["node"]: row for row in rows}

    def _is_under_any_cap(self, row: RowMapping) -> bool:
        payer = self._payer(row)
        return is_under_cap(self._connection, row["id"]) or is_capped(self._connection, payer)

    def _payer(self, row: RowMapping) -> Payer:
        return Payer(self._tenant_id, row["triggered_by"], row["agent_id"])

    def _result(self, row: RowMapping, results: list[SkillResult]) -> Json:
        last = self._plan(row)[1].last
        outputs = {one.id: one.output for one in results if one.id in last}
        return outputs.get(last[0]) if len(last) == 1 else outputs


def _files(row: RowMapping, plan: Plan, rows: Mapping[str, RowMapping]) -> RunFiles:
    changes: Mapping[str, Any] = row["terms"].get("changes", {})
    laid = {node: change["files"] for node, change in changes.items() if change.get("files")}
    left = {node: each["workspace"] for node, each in rows.items()}
    return RunFiles(plan, row["files"], left, laid)


def _on_terms(version: AgentVersion, row: RowMapping) -> AgentVersion:
    mode = RunMode(row["mode"])
    if mode is RunMode.LIVE:
        return version
    return on_terms(version, mode, Terms.model_validate(row["terms"]))


def probe(connection: Connection) -> None:
    """Reads at most one id; fails where the table is missing."""
    connection.execute(select(agent_executions.c.id).limit(1)).first()


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
    return [_run_of(row) for row in connection.execute(query).mappings()]


def _run_of(row: RowMapping | dict[str, Any]) -> Run:
    error = (
        ErrorInfo(code=row["error_code"], message=row["error"], skill=row["error_skill"])
        if row["error_code"]
        else None
    )
    return Run.model_validate({**row, "error": error, "cost_usd": row["cost"]})
