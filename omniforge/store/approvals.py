"""Questions to people, and their decisions on the way back to a run."""

from typing import Any

from pydantic import AwareDatetime, BaseModel
from sqlalchemy import RowMapping, select, update

from omniforge import clock
from omniforge.agents.runs import FINAL_STATUSES
from omniforge.errors import AlreadyDecided, ApprovalNotFound, Rejected
from omniforge.journal.events import DecisionMade, NewEvent
from omniforge.journal.ports import ApprovalKind, Decision
from omniforge.store.repository import Repository
from omniforge.store.sql import Page, insert_into, page_of
from omniforge.store.streams import advance
from omniforge.store.tables import agent_executions, approvals, inbox


class Approval(BaseModel, frozen=True):
    """A question that a run waits on. Undecided while `decision` is null.

    `arguments` are those of the call that someone must allow.
    """

    id: str
    execution_id: str
    node: str
    generation: int
    kind: ApprovalKind
    question: str
    tool: str = ""
    arguments: Any = None  # JSON of the call
    created_at: AwareDatetime
    decision: Decision | None = None
    decided_by: str | None = None
    decided_at: AwareDatetime | None = None
    note: str = ""


class ApprovalRepository(Repository):
    def get(self, approval_id: str) -> Approval:
        """
        Raises:
            ApprovalNotFound: Missing, or another tenant's.
        """
        mine = approvals.c.tenant_id == self._tenant_id, approvals.c.id == approval_id
        row = self._connection.execute(select(approvals).where(*mine)).mappings().first()
        if row is None:
            raise ApprovalNotFound(approval_id)
        return _approval_of(row)

    def page(self, limit: int, cursor: str | None, is_open: bool) -> Page[Approval]:
        query = select(approvals).where(approvals.c.tenant_id == self._tenant_id)
        if is_open:
            # What a run that has ended once asked needs no answer any more.
            waiting = select(agent_executions.c.id).where(
                agent_executions.c.tenant_id == self._tenant_id,
                agent_executions.c.status.not_in(FINAL_STATUSES),
            )
            query = query.where(
                approvals.c.decision.is_(None), approvals.c.execution_id.in_(waiting)
            )
        return page_of(self._connection, query, approvals, limit, cursor, _approval_of)

    def open_question(self, run_id: str, approval_id: str | None) -> Approval:
        """The question that a run asks a person now; with an id, that one.

        Raises:
            ApprovalNotFound: It asks none, or another.
            Rejected: It asks several, so the answer has to say to which.
        """
        query = select(approvals).where(
            approvals.c.tenant_id == self._tenant_id,
            approvals.c.execution_id == run_id,
            approvals.c.kind == "input",
            approvals.c.decision.is_(None),
        )
        rows = self._connection.execute(query).mappings()
        found = [one for one in map(_approval_of, rows) if approval_id in {None, one.id}]
        if not found:
            raise ApprovalNotFound(approval_id or f"of {run_id}")
        if len(found) > 1:
            asked = "; ".join(f"{one.id}: {one.question}" for one in found)
            raise Rejected(f"The run asks more than one question. Give the id of one: {asked}")
        return found[0]

    def decide(self, approval_id: str, decision: Decision, by: str, note: str) -> None:
        """Record a decision and put it into the run's inbox. The same one again changes nothing.

        Raises:
            AlreadyDecided: Another decision was made before.
        """
        approval, at = self.get(approval_id), clock.now()
        decided = {"decision": decision, "decided_by": by, "decided_at": at, "note": note}
        undecided = approvals.c.id == approval_id, approvals.c.decision.is_(None)
        statement = update(approvals).where(*undecided).values(decided)
        if self._connection.execute(statement).rowcount == 0:
            # Read anew: another decision may have been committed since.
            approval = self.get(approval_id)
            if (approval.decision, approval.decided_by, approval.note) == (decision, by, note):
                return
            raise AlreadyDecided(approval_id, f"{approval.decision} by {approval.decided_by}")
        item = {
            "id": approval_id,
            "stream_id": approval.execution_id,
            "node": approval.node,
            "generation": approval.generation,
            "tenant_id": self._tenant_id,
            "wait_id": approval_id,
            "decision": decision,
            "decided_by": by,
            "note": note,
            "created_at": at,
        }
        self._connection.execute(
            insert_into(self._connection, inbox).on_conflict_do_nothing(), [item]
        )
        body = DecisionMade(id=approval_id, decision=decision, decided_by=by)
        event = NewEvent(
            dedupe_key=f"{body.type}/{approval_id}", node=approval.node, at=at, body=body
        )
        advance(self._connection, approval.execution_id, self._tenant_id, [event])


def _approval_of(row: RowMapping) -> Approval:
    return Approval.model_validate(dict(row))
