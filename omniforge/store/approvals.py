"""Questions to people, and their decisions on the way back to a run."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

from pydantic import AwareDatetime, BaseModel
from sqlalchemy import ColumnElement, RowMapping, Select, or_, select, update

from omniforge import clock
from omniforge.agents.config import Patience
from omniforge.agents.runs import FINAL_STATUSES
from omniforge.errors import AlreadyDecided, ApprovalNotFound, Rejected
from omniforge.journal.events import (
    ApprovalEscalated,
    ApprovalReminded,
    DecisionMade,
    EventBody,
    NewEvent,
)
from omniforge.journal.ports import ApprovalKind, Decision, Verdict
from omniforge.store.agents import AgentRepository
from omniforge.store.repository import Repository
from omniforge.store.sql import Page, insert_into, page_of
from omniforge.store.streams import advance
from omniforge.store.tables import agent_configs, agent_executions, approvals, inbox, steps

PLATFORM = "omniforge"
"""Who decided, when time did."""

# A thread is read by people; one that is longer leads nowhere.
MAX_THREAD = 50

_UNITS = (("day", 86_400), ("hour", 3_600), ("minute", 60), ("second", 1))


class Approval(BaseModel, frozen=True):
    """A question that a run waits on. Undecided while `decision` is null.

    `arguments` are those of the call that someone must allow, `said` the model's words with it. It
    `follows` the approval whose question those answer. `remind_at`, `escalate_at` and `gives_up_at` are
    when that is due if nobody decides; where the agent's owner set no such time, they are null.
    """

    id: str
    execution_id: str
    agent_id: str
    agent_name: str
    node: str
    generation: int
    kind: ApprovalKind
    question: str
    tool: str = ""
    arguments: Any = None  # JSON of the call
    said: str = ""
    follows: str | None = None
    created_at: AwareDatetime
    age_s: float
    remind_at: AwareDatetime | None = None
    reminded_at: AwareDatetime | None = None
    escalate_at: AwareDatetime | None = None
    escalated_at: AwareDatetime | None = None
    escalated_to: str | None = None
    gives_up_at: AwareDatetime | None = None
    decision: Decision | None = None
    decided_by: str | None = None
    decided_at: AwareDatetime | None = None
    note: str = ""
    edited_arguments: Any = None

    @property
    def verdict(self) -> Verdict | None:
        if self.decision is None:
            return None
        return Verdict(self.decision, self.decided_by or "", self.note, self.edited_arguments)

    def refusal(self) -> AlreadyDecided:
        """What someone is told who comes too late."""
        when = f", {self.decided_at:%Y-%m-%d %H:%M:%S} UTC" if self.decided_at else ""
        return AlreadyDecided(self.id, f"{self.decision} by {self.decided_by}{when}")


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which approvals are looked for. Overdue is what people were reminded of, or it was escalated."""

    is_open: bool = True
    is_overdue: bool = False
    escalated_to: str | None = None
    execution_id: str | None = None
    agent_id: str | None = None
    kind: ApprovalKind | None = None


class ApprovalRepository(Repository):
    def get(self, approval_id: str) -> Approval:
        """
        Raises:
            ApprovalNotFound: Missing, or another tenant's.
        """
        query = self._query(approvals.c.id == approval_id)
        row = self._connection.execute(query).mappings().first()
        if row is None:
            raise ApprovalNotFound(approval_id)
        return self._approval(row)

    def page(self, limit: int, cursor: str | None, wanted: Wanted) -> Page[Approval]:
        query = self._query(*_conditions(wanted))
        return page_of(self._connection, query, approvals, limit, cursor, self._approval)

    def thread(self, approval: Approval) -> list[Approval]:
        """The approvals that led to this one, oldest first: each was answered with a question."""
        before: list[Approval] = []
        follows = approval.follows
        while follows is not None and len(before) < MAX_THREAD:
            before.insert(0, self.get(follows))
            follows = before[0].follows
        return before

    def question(self, run_id: str, approval_id: str | None) -> Approval:
        """What a run asks a person for words; without an id, what it asks now.

        Raises:
            ApprovalNotFound: It asks nothing, or another question.
            Rejected: It asks several, so the answer has to say to which.
        """
        which = approvals.c.id == approval_id if approval_id else approvals.c.decision.is_(None)
        query = self._query(which, approvals.c.execution_id == run_id, approvals.c.kind == "input")
        found = [self._approval(row) for row in self._connection.execute(query).mappings()]
        if not found:
            raise ApprovalNotFound(approval_id or f"of {run_id}")
        if len(found) > 1:
            ids = ", ".join(sorted(one.id for one in found))
            raise Rejected(f"The run asks several questions; say which one in `id`: {ids}.")
        return found[0]

    def offered(self, approval: Approval) -> Mapping[str, Any] | None:
        """The JSON schema of the call's arguments, as the model was given it when its skill began."""
        query = select(steps.c.answer).where(
            steps.c.tenant_id == self._tenant_id,
            steps.c.stream_id == approval.execution_id,
            steps.c.node == approval.node,
            steps.c.generation == approval.generation,
            steps.c.number == 0,
        )
        preamble = self._connection.execute(query).scalar_one_or_none() or {}
        schemas = {tool["name"]: tool["parameters"] for tool in preamble.get("tools", ())}
        return schemas.get(approval.tool)

    def decide(self, approval_id: str, verdict: Verdict) -> None:
        """Record a decision and put it into the run's inbox. The same one again changes nothing.

        Raises:
            AlreadyDecided: Another decision was made before.
        """
        approval, at = self.get(approval_id), clock.now()
        decided = {
            "decision": verdict.decision,
            "decided_by": verdict.by,
            "decided_at": at,
            "note": verdict.note,
            "edited_arguments": verdict.arguments,
        }
        if not self._change(approval_id, approvals.c.decision, decided):
            # Read anew: another decision may have been committed since.
            approval = self.get(approval_id)
            if approval.verdict == verdict:
                return
            raise approval.refusal()
        item = {
            "id": approval_id,
            "stream_id": approval.execution_id,
            "node": approval.node,
            "generation": approval.generation,
            "tenant_id": self._tenant_id,
            "wait_id": approval_id,
            "decision": verdict.decision,
            "decided_by": verdict.by,
            "note": verdict.note,
            "arguments": verdict.arguments,
            "created_at": at,
        }
        self._connection.execute(
            insert_into(self._connection, inbox).on_conflict_do_nothing(), [item]
        )
        body = DecisionMade(id=approval_id, decision=verdict.decision, decided_by=verdict.by)
        self._tell(approval, body, at)

    def overdue(self, approval_id: str, what: Literal["remind", "escalate", "give_up"]) -> None:
        """Tell people of a question that nobody has decided in time, or give it up.

        One that has been decided is left alone, and each of these happens once.
        """
        approval, at = self.get(approval_id), clock.now()
        if approval.decision is not None:
            return
        if what == "give_up":
            self.decide(approval_id, Verdict(Decision.NO_ANSWER, PLATFORM, _words(approval.age_s)))
        elif what == "remind":
            if self._change(approval_id, approvals.c.reminded_at, {"reminded_at": at}):
                self._tell(approval, ApprovalReminded(id=approval_id), at)
        else:
            to = self._escalates_to(approval)
            escalated = {"escalated_at": at, "escalated_to": to}
            if self._change(approval_id, approvals.c.escalated_at, escalated):
                self._tell(approval, ApprovalEscalated(id=approval_id, to=to), at)

    # ---- inside ------------------------------------------------------------------------------

    def _query(self, *conditions: ColumnElement[bool]) -> Select[Any]:
        of_run = agent_executions.c.id == approvals.c.execution_id
        of_agent = agent_configs.c.id == agent_executions.c.agent_id
        return (
            select(
                approvals,
                agent_executions.c.agent_id,
                agent_executions.c.agent_version,
                agent_configs.c.name.label("agent_name"),
            )
            .join(agent_executions, of_run)
            .join(agent_configs, of_agent)
            .where(approvals.c.tenant_id == self._tenant_id, *conditions)
        )

    def _approval(self, row: RowMapping) -> Approval:
        asked_at: datetime = row["created_at"]
        patience = self._patience(row["agent_id"], row["agent_version"])

        def after(seconds: float | None) -> datetime | None:
            return None if seconds is None else asked_at + timedelta(seconds=seconds)

        return Approval.model_validate(
            {
                **row,
                "age_s": ((row["decided_at"] or clock.now()) - asked_at).total_seconds(),
                "remind_at": after(patience.remind_after_s),
                "escalate_at": after(patience.escalate_after_s),
                "gives_up_at": after(patience.give_up_after_s),
            }
        )

    def _patience(self, agent_id: str, version: int) -> Patience:
        agents = AgentRepository(self._connection, self._tenant_id)
        return agents.version(agent_id, version).limits.patience

    def _escalates_to(self, approval: Approval) -> str:
        run = select(agent_executions.c.agent_version).where(
            agent_executions.c.tenant_id == self._tenant_id,
            agent_executions.c.id == approval.execution_id,
        )
        version = self._connection.execute(run).scalar_one()
        named = self._patience(approval.agent_id, version).escalate_to
        agents = AgentRepository(self._connection, self._tenant_id)
        return named or agents.get(approval.agent_id).created_by

    def _change(
        self, approval_id: str, once: ColumnElement[Any], values: Mapping[str, Any]
    ) -> bool:
        """Write to an undecided approval whose column `once` is empty; False when it is not so."""
        statement = update(approvals).where(
            approvals.c.tenant_id == self._tenant_id,
            approvals.c.id == approval_id,
            approvals.c.decision.is_(None),
            once.is_(None),
        )
        return self._connection.execute(statement.values(values)).rowcount == 1

    def _tell(self, approval: Approval, body: EventBody, at: datetime) -> None:
        key = f"{body.type}/{approval.id}"
        event = NewEvent(dedupe_key=key, node=approval.node, at=at, body=body)
        advance(self._connection, approval.execution_id, self._tenant_id, [event])


def _conditions(wanted: Wanted) -> list[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = []
    if wanted.is_open:
        # What a run that has ended once asked needs no answer any more.
        conditions += [
            approvals.c.decision.is_(None),
            agent_executions.c.status.not_in(FINAL_STATUSES),
        ]
    if wanted.is_overdue:
        told = approvals.c.reminded_at.is_not(None), approvals.c.escalated_at.is_not(None)
        conditions.append(or_(*told))
    exact = {
        approvals.c.escalated_to: wanted.escalated_to,
        approvals.c.execution_id: wanted.execution_id,
        agent_executions.c.agent_id: wanted.agent_id,
        approvals.c.kind: wanted.kind,
    }
    return conditions + [column == value for column, value in exact.items() if value is not None]


def _words(seconds: float) -> str:
    """A time in the largest unit of which it has one: `2 days`, `1.5 hours`."""
    name, size = next((unit for unit in _UNITS if seconds >= unit[1]), _UNITS[-1])
    number = f"{max(seconds / size, 0.1):.1f}".removesuffix(".0")
    return f"{number} {name}" if number == "1" else f"{number} {name}s"
