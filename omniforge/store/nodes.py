"""What the workflow has to know of a node before it runs it, and what it says of one that ran elsewhere."""

from typing import Any

from sqlalchemy import RowMapping, func, select, update

from omniforge import clock
from omniforge.agents.plan import item_node
from omniforge.agents.runs import ErrorInfo, Fate
from omniforge.errors import Ended
from omniforge.execution.plans.conditions import holds, items
from omniforge.journal.entries import new_event
from omniforge.journal.events import (
    EventBody,
    ItemsFound,
    SkillCompleted,
    SkillFailed,
    SkillSkipped,
)
from omniforge.journal.ports import NodeStatus
from omniforge.journal.steps import Json, NodeKey
from omniforge.store.course import Course
from omniforge.store.records import document_of, error_of
from omniforge.store.repository import Repository
from omniforge.store.sql import insert_into
from omniforge.store.streams import advance
from omniforge.store.tables import nodes, steps

RUN = Fate(kind="run")


class NodeRepository(Repository):
    """Nodes that no executor has claimed. All of it may be repeated: the record of the first time counts."""

    def count_steps(self, key: NodeKey) -> int:
        """How many steps a node has on record."""
        of_node = (
            steps.c.tenant_id == self._tenant_id,
            steps.c.stream_id == key.stream_id,
            steps.c.node == key.node,
            steps.c.generation == key.generation,
        )
        return self._connection.execute(select(func.count()).where(*of_node)).scalar_one()

    def fate(self, course: Course, key: NodeKey) -> Fate:
        """Decide what becomes of a node whose turn it is, and put it on record unless it just runs."""
        if (row := course.rows.get(key.node)) is not None and row["generation"] == key.generation:
            return _recorded(row)
        reference = course.reference(key.node)
        try:
            if course.plan.is_passed_over(key.node, course.ends):
                return self._skip(course, key, _why_passed_over(course, key.node))
            if reference.when is not None and not holds(reference.when, course.facts(key.node)):
                return self._skip(course, key, f"Its condition does not hold: {reference.when}")
            if reference.for_each is None:
                return RUN
            found = items(reference.for_each, course.facts(key.node))
        except Ended as failed:
            error = ErrorInfo(code=failed.code, message=failed.message, skill=key.node)
            return self._fail(course, key, error)
        told = ItemsFound(skill_name=reference.name, items=len(found))
        self._write(course, key, told, status=NodeStatus.RUNNING, items=found)
        return Fate(kind="items", items=len(found))

    def join(self, course: Course, key: NodeKey) -> None:
        """End a `for_each` of which all items have ended: its output is theirs, in their order."""
        found = course.rows[key.node]["items"]
        outputs = course.outputs
        output = [outputs.get(item_node(key.node, index)) for index in range(len(found))]
        told = SkillCompleted(skill_name=course.reference(key.node).name, output=output)
        self._close(course, key, told, output)

    def fail(self, course: Course, key: NodeKey, error: ErrorInfo) -> None:
        """End a node that its workers could not end, because the run goes on without it."""
        row = course.rows.get(key.node)
        if row is None or row["generation"] != key.generation:
            self._fail(course, key, error)
        elif not NodeStatus(row["status"]).is_final:
            told = SkillFailed(skill_name=row["skill_name"], error=error, output=row["output"])
            self._close(course, key, told, row["output"], error)

    # ---- inside ------------------------------------------------------------------------------

    def _skip(self, course: Course, key: NodeKey, reason: str) -> Fate:
        told = SkillSkipped(skill_name=course.reference(key.node).name, reason=reason)
        self._write(course, key, told, status=NodeStatus.SKIPPED, completed_at=clock.now())
        return Fate(kind="skip")

    def _fail(self, course: Course, key: NodeKey, error: ErrorInfo) -> Fate:
        told = SkillFailed(skill_name=course.reference(key.node).name, error=error)
        ended = {"error": document_of(error), "completed_at": clock.now()}
        self._write(course, key, told, status=NodeStatus.FAILED, **ended)
        return Fate(kind="fail", error=error)

    def _write(self, course: Course, key: NodeKey, told: EventBody, **values: Any) -> None:
        row = {
            **key._asdict(),
            "tenant_id": self._tenant_id,
            "skill_name": course.reference(key.node).name,
            "segment": 0,
            "attempt": 0,
            "claims": 0,
            "waits": [],
            "active": 0.0,
            "started_at": clock.now(),
            **values,
        }
        self._connection.execute(
            insert_into(self._connection, nodes).on_conflict_do_nothing(), [row]
        )
        self._tell(key, told)

    def _close(
        self,
        course: Course,
        key: NodeKey,
        told: EventBody,
        output: Json,
        error: ErrorInfo | None = None,
    ) -> None:
        statement = update(nodes).where(
            nodes.c.tenant_id == self._tenant_id,
            nodes.c.stream_id == key.stream_id,
            nodes.c.node == key.node,
            nodes.c.generation == key.generation,
            nodes.c.status.in_([status for status in NodeStatus if not status.is_final]),
        )
        values = {
            "status": NodeStatus.FAILED if error else NodeStatus.COMPLETED,
            "output": output,
            "error": document_of(error),
            "completed_at": clock.now(),
        }
        if self._connection.execute(statement.values(values)).rowcount == 1:
            self._tell(key, told)

    def _tell(self, key: NodeKey, told: EventBody) -> None:
        event = new_event(key, told, "plan")
        advance(self._connection, key.stream_id, self._tenant_id, [event])


def _recorded(row: RowMapping) -> Fate:
    """What was decided before, by an attempt of which nobody heard."""
    status = NodeStatus(row["status"])
    if row["items"] is not None:
        return Fate(kind="items", items=len(row["items"]))
    if status is NodeStatus.SKIPPED:
        return Fate(kind="skip")
    if status is NodeStatus.FAILED and row["claims"] == 0:
        return Fate(kind="fail", error=error_of(row["error"]))
    return RUN


def _why_passed_over(course: Course, node: str) -> str:
    if (replaced := course.plan.replaced_by(node)) is not None:
        return f"{replaced} did not fail, so nobody has to take its place."
    return f"Nothing came from {', '.join(course.plan.needs[node])}."
