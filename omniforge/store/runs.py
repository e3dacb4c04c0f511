"""Runs: from accepted to final, and what each of their skills came to."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from sqlalchemy import ColumnElement, Connection, RowMapping, and_, bindparam, select, update

from omniforge import clock
from omniforge.agents.budgets import Payer
from omniforge.agents.modes import RunMode, Terms, on_terms
from omniforge.agents.plan import Plan, index_of, skill_of
from omniforge.agents.runs import (
    FINAL_STATUSES,
    ErrorInfo,
    Run,
    RunStatus,
    SkillResult,
    TokenUsage,
)
from omniforge.agents.versions import AgentVersion
from omniforge.errors import ExecutionNotFound, IdempotencyConflict
from omniforge.errors import RunFinished as RunHasEnded
from omniforge.journal.blobs import Manifest
from omniforge.journal.events import Event, EventBody, NewEvent, RunFinished, RunStarted
from omniforge.journal.steps import Json, Origin, Step
from omniforge.store.admission import EARLIER_RUN, TO_BE_TOLD, AdmissionRepository
from omniforge.store.agents import AgentRepository
from omniforge.store.briefs import Begun, NodeBrief
from omniforge.store.course import Course
from omniforge.store.overlap import OverlapRepository
from omniforge.store.records import run_of, step_of
from omniforge.store.repository import Repository
from omniforge.store.reservations import is_capped
from omniforge.store.results import SkillResults
from omniforge.store.sql import Page, insert_new, page_of
from omniforge.store.streams import advance, caps_over, events_after, open_stream
from omniforge.store.tables import agent_executions, nodes, steps, streams, tenants

# Built once: on the way of every run, putting a statement together costs more than running it.
_payers = agent_executions.c["tenant_id", "triggered_by", "agent_id"]
_RUN = (
    select(agent_executions, tenants.c.max_concurrent_runs, streams.c.wish, streams.c.cap)
    .add_columns(is_capped(*_payers).label("is_payer_capped"))
    .outerjoin(tenants, tenants.c.id == agent_executions.c.tenant_id)
    .outerjoin(streams, streams.c.id == agent_executions.c.id)
    .where(
        agent_executions.c.id == bindparam("run"),
        agent_executions.c.tenant_id == bindparam("tenant"),
    )
)
_CHANGE = update(agent_executions).where(
    agent_executions.c.id == bindparam("run"),
    agent_executions.c.tenant_id == bindparam("tenant"),
    agent_executions.c.status.not_in(FINAL_STATUSES),
)
_NOT_BEGUN = {RunStatus.PENDING, RunStatus.QUEUED}
_NODES = (
    select(nodes)
    .where(nodes.c.stream_id == bindparam("run"))
    .order_by(nodes.c.generation, nodes.c.started_at, nodes.c.node)
)
_NODES_BUT = _NODES.where(nodes.c.node.not_like(bindparam("left_out")))


@dataclass(frozen=True, slots=True)
class IdempotencyKey:
    """What a caller sent to make a repeat harmless, and the hash of what it asked for with it."""

    key: str
    body_hash: str


class RunRepository(Repository):
    def __init__(
        self, connection: Connection, tenant_id: str, admission: AdmissionRepository | None = None
    ) -> None:
        super().__init__(connection, tenant_id)
        self._admission = admission or AdmissionRepository(connection, tenant_id)
        self._overlap = OverlapRepository(connection, tenant_id, self._admission)

    def add(self, run: Run, files: Manifest, once: IdempotencyKey | None) -> tuple[Run, bool]:
        """Write a pending run; True when it is new.

        Under an idempotency key that was used before, the run of that time is the answer.

        Raises:
            IdempotencyConflict: The key was used with another body.
        """
        row = {
            **run.model_dump(mode="python", exclude={"error", "wish"}),
            "priority": run.priority.rank,
            "terms": run.terms.model_dump(mode="json"),
            "files": dict(files),
            "skill_results": [],
            "usage": {},
            "cost": run.cost_usd,
            "idempotency_key": once.key if once else None,
            "body_hash": once.body_hash if once else None,
        }
        row.pop("cost_usd")
        if insert_new(self._connection, agent_executions, row) or once is None:
            return run, True
        mine = agent_executions.c.idempotency_key == once.key
        earlier = self._connection.execute(self._query(mine)).mappings().one()
        if earlier["body_hash"] != once.body_hash:
            raise IdempotencyConflict(once.key)
        return run_of(earlier), False

    def get(self, run_id: str) -> Run:
        """
        Raises:
            ExecutionNotFound: Missing, or another tenant's.
        """
        return run_of(self._row(run_id))

    def is_known(self, run_id: str) -> bool:
        return self._find(run_id) is not None

    def page(
        self, limit: int, cursor: str | None, agent_id: str | None, status: RunStatus | None
    ) -> Page[Run]:
        query = self._query().add_columns(streams.c.wish)
        query = query.outerjoin(streams, streams.c.id == agent_executions.c.id)
        if agent_id is not None:
            query = query.where(agent_executions.c.agent_id == agent_id)
        if status is not None:
            query = query.where(agent_executions.c.status == status)
        return page_of(self._connection, query, agent_executions, limit, cursor, run_of)

    def begin(self, run: Run) -> Begun:
        """Make sure the run's row and stream exist, and mark it running as soon as it is its turn.

        Until then it is queued, and this is to be repeated when it has been told to look again. Other
        repetitions change nothing.
        """
        row = self._find(run.id)
        if row is None:
            self.add(self._under_its_parent(run), {}, None)
            row = self._row(run.id)
        agents = AgentRepository(self._connection, self._tenant_id)
        name, newest = agents.name_and_version(row["agent_id"])
        version = _on_terms(agents.version(row["agent_id"], row["agent_version"] or newest), row)
        if row["waiting_for"] == EARLIER_RUN:
            return Begun(RunStatus.QUEUED, name, version)
        is_new = row["started_at"] is None or RunStatus(row["status"]) in _NOT_BEGUN
        if is_new and self._admission.is_capped(row):
            self._admission.enter(row, version)
            row = self._row(run.id)
            if RunStatus(row["status"]) is RunStatus.QUEUED:
                return Begun(RunStatus.QUEUED, name, version)
        if row["started_at"] is None and not RunStatus(row["status"]).is_final:
            self._start(row, name, version)
            return Begun(RunStatus.RUNNING, name, version, self._recorded_end(row))
        return self._begun_before(row, name, version)

    def mark_waiting(self, run_id: str, waiting_for: str | None) -> None:
        """Show what a run waits for, or that it goes on (None). A final run stays as it is.

        Who waits for people or money gives its place to the next, and goes on without a new one.
        """
        is_leaving = waiting_for not in {None, "child"}
        schedule_id = self._overlap.lock_of(run_id) if is_leaving else None
        is_leaving = is_leaving and self._admission.lock_if_capped()
        status = RunStatus.WAITING if waiting_for else RunStatus.RUNNING
        self._set(run_id, status=status, waiting_for=waiting_for)
        self._overlap.make_room(schedule_id, is_leaving)

    def brief(self, run_id: str, node: str) -> NodeBrief:
        """What a skill starts from: the run's input or what was handed on, and the files so far.

        Raises:
            RunFinished: The run has ended; nothing of it may be begun any more.
        """
        row = self._row(run_id)
        if (status := RunStatus(row["status"])).is_final:
            raise RunHasEnded(run_id, status)
        version, plan = self._plan(row)
        is_first = not plan.depends_on[skill_of(node)] and index_of(node) is None
        course = Course(row, version, plan, {} if is_first else self._rows_before(run_id, node))
        run = run_of(row)
        is_replay = run.mode is RunMode.REPLAY
        return NodeBrief(
            version=version,
            skill=version.pinned(skill_of(node)),
            input=course.input_of(node),
            workspace=row["files"] if is_first and not run.source_id else course.files_of(node),
            user_id=row["triggered_by"],
            has_cap=not is_replay and self._is_under_any_cap(row),
            run=run,
            plan=plan,
            accounts=AgentRepository(self._connection, self._tenant_id).accounts(run, version),
        )

    def course(self, run_id: str) -> Course:
        """Where a run that has begun stands in its plan."""
        row = self._row(run_id)
        return Course(row, *self._plan(row), self._node_rows(run_id))

    def finish(
        self, run_id: str, status: RunStatus, error: ErrorInfo | None, generation: int | None = None
    ) -> Run:
        """Give a run its final status, once; after that it stays as it is until it is taken up again.

        Result, usage and cost are put together from what its skills recorded.
        """
        row = self._row(run_id)
        schedule_id = self._overlap.lock_of(run_id) if row["trigger_id"] else None
        if is_capped := self._admission.is_capped(row):
            self._admission.lock()
        if is_capped or schedule_id is not None:
            row = self._row(run_id)
        if RunStatus(row["status"]).is_final or generation not in {None, row["generation"]}:
            return run_of(row)
        at = clock.now()
        results, error = SkillResults(self._connection, self._tenant_id).close(
            row, self._node_rows(run_id), status, error
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
        told = RunFinished(status=status, result=result, error=error, cost_usd=cost)
        self._tell(run_id, told, row["generation"])
        self._overlap.make_room(schedule_id, is_capped)
        return run_of({**row, **ended})

    def steps(self, run_id: str) -> list[tuple[str, Step]]:
        """The journal of a run: (node, step), in the order of nodes and numbers.

        What a later generation only played is there once, as it was done.
        """
        self._row(run_id)
        is_played = and_(steps.c.generation > 0, steps.c.origin == Origin.RECORDED)
        query = (
            select(steps)
            .where(steps.c.stream_id == run_id, ~is_played)
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
        return self.course(run_id).files.now()

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

    def _start(self, row: RowMapping, name: str, version: AgentVersion) -> None:
        at, number = clock.now(), version.version
        begun = {"status": RunStatus.RUNNING, "waiting_for": None}
        self._set(row["id"], **begun, started_at=at, agent_version=number)
        payer, cap = self._payer(row), version.limits.budget_usd
        terms = Terms.model_validate(row["terms"]).budget
        open_stream(self._connection, row["id"], payer, cap, at, row["parent_id"], terms)
        started = RunStarted(
            agent_id=version.agent_id,
            agent_name=name,
            agent_version=number,
            skills=tuple(skill.reference.id for skill in version.steps),
            mode=RunMode(row["mode"]),
        )
        self._tell(row["id"], started)

    def _begun_before(self, row: RowMapping, name: str, version: AgentVersion) -> Begun:
        """A run that is taken up where an earlier execution of its workflow left it."""
        status = RunStatus(row["status"])
        if status.is_final:
            return Begun(status, name, version)
        if status in _NOT_BEGUN or row["waiting_for"] == TO_BE_TOLD:
            self._set(row["id"], status=(status := RunStatus.RUNNING), waiting_for=None)
        course = self.course(row["id"])
        return Begun(
            status,
            name,
            version,
            self._recorded_end(row),
            course.ends,
            course.items,
            row["wish"],
        )

    def _recorded_end(self, row: RowMapping) -> Run | None:
        if RunMode(row["mode"]) is not RunMode.REPLAY:
            return None
        source = self.get(row["source_id"])
        return None if source.status is RunStatus.COMPLETED else source

    def _under_its_parent(self, run: Run) -> Run:
        """What a test starts is a test, too; and as urgent."""
        if run.parent_id is None:
            return run
        parent = self.get(run.parent_id)
        mode = run.mode if parent.mode is RunMode.LIVE else RunMode.INTEGRATION
        return run.model_copy(update={"mode": mode, "priority": parent.priority})

    def _set(self, run_id: str, **values: Any) -> None:
        place = {"run": run_id, "tenant": self._tenant_id}
        self._connection.execute(_CHANGE, place | values)

    def _tell(self, run_id: str, body: EventBody, generation: int = 0) -> None:
        key = f"{body.type}/{generation}"
        event = NewEvent(dedupe_key=key, at=clock.now(), body=body)
        advance(self._connection, run_id, self._tenant_id, [event])

    def _rows_before(self, run_id: str, node: str) -> dict[str, RowMapping]:
        """What a node starts from: none of its siblings, of which there may be a thousand."""
        place = {"run": run_id, "left_out": f"{skill_of(node)}[%"}
        rows = self._connection.execute(_NODES_BUT, place).mappings()
        return {row["node"]: row for row in rows}

    def _node_rows(self, run_id: str) -> dict[str, RowMapping]:
        """The newest generation of each node that has begun, in the order they began."""
        rows = self._connection.execute(_NODES, {"run": run_id}).mappings()
        return {row["node"]: row for row in rows}

    def _is_under_any_cap(self, row: RowMapping) -> bool:
        if row["cap"] is not None or row["is_payer_capped"]:
            return True
        above = row["parent_id"]
        return above is not None and bool(caps_over(self._connection, above))

    def _payer(self, row: RowMapping) -> Payer:
        return Payer(self._tenant_id, row["triggered_by"], row["agent_id"])

    def _result(self, row: RowMapping, results: list[SkillResult]) -> Json:
        plan = self._plan(row)[1]
        outputs = {one.id: one.output for one in results if one.status == "completed"}
        if len(plan.last) == 1:
            return plan.output_of(plan.last[0], outputs)
        given = {name: plan.output_of(name, outputs) for name in plan.last}
        return {name: output for name, output in given.items() if output is not None}


def _on_terms(version: AgentVersion, row: RowMapping) -> AgentVersion:
    mode = RunMode(row["mode"])
    if mode is RunMode.LIVE:
        return version
    return on_terms(version, mode, Terms.model_validate(row["terms"]))
