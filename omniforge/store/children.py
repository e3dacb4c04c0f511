"""Runs that a skill of another run started: what they are to do, and word of their end."""

from typing import Any

from pydantic import BaseModel
from sqlalchemy import RowMapping, select

from omniforge import clock
from omniforge.agents.config import AgentStatus
from omniforge.agents.runs import Run
from omniforge.errors import AgentNotFound, ExecutionNotFound
from omniforge.journal.events import Wait
from omniforge.journal.ports import Decision
from omniforge.store.agents import AgentRepository
from omniforge.store.repository import Repository
from omniforge.store.runs import RunRepository
from omniforge.store.sql import insert_into
from omniforge.store.tables import inbox, nodes

# A chain of agents that call each other; what a person would still follow when reading the runs.
MAX_DEPTH = 5


class ChildOrder(BaseModel, frozen=True):
    """The run to start for a skill that waits, or why it cannot be (`refusal`)."""

    agent_id: str = ""
    triggered_by: str = ""
    input_data: dict[str, Any] = {}
    refusal: str = ""


class ChildRepository(Repository):
    def order(self, parent_id: str, child_id: str) -> ChildOrder:
        """What a skill of a run asked for when it began to wait for this child."""
        _, wait = self._asked(parent_id, child_id)
        parent = RunRepository(self._connection, self._tenant_id).get(parent_id)
        agent_id = str(wait.arguments["agent"])
        agents = AgentRepository(self._connection, self._tenant_id)
        try:
            agent = agents.get(agent_id)
        except AgentNotFound as error:
            return ChildOrder(refusal=error.message)
        if agent.status is not AgentStatus.ACTIVE:
            return ChildOrder(refusal=f"Agent {agent.name!r} is {agent.status} and does not run.")
        line = self._line_of(parent)
        if any(ancestor.agent_id == agent_id for ancestor in line):
            return ChildOrder(
                refusal=f"Agent {agent.name!r} is already at work further up: agents that run each"
                " other in a circle would never end."
            )
        if len(line) >= MAX_DEPTH:
            return ChildOrder(refusal=f"Agents may run each other {MAX_DEPTH} deep, and no deeper.")
        return ChildOrder(
            agent_id=agent_id,
            triggered_by=parent.triggered_by,
            input_data=wait.arguments.get("input") or {},
        )

    def ended(self, parent_id: str, child_id: str, refusal: str) -> None:
        """Tell the waiting skill that its child has ended, or was refused. Repeating it changes nothing."""
        node, _ = self._asked(parent_id, child_id)
        item = {
            "id": child_id,
            "stream_id": parent_id,
            "node": node["node"],
            "generation": node["generation"],
            "tenant_id": self._tenant_id,
            "wait_id": child_id,
            "decision": Decision.ENDED,
            "decided_by": "omniforge",
            "note": refusal,
            "created_at": clock.now(),
        }
        self._connection.execute(
            insert_into(self._connection, inbox).on_conflict_do_nothing(), [item]
        )

    def _asked(self, parent_id: str, child_id: str) -> tuple[RowMapping, Wait]:
        mine = nodes.c.tenant_id == self._tenant_id, nodes.c.stream_id == parent_id
        query = select(nodes).where(*mine).order_by(nodes.c.generation.desc())
        for row in self._connection.execute(query).mappings():
            for wait in row["waits"]:
                if wait["id"] == child_id:
                    return row, Wait.model_validate(wait)
        raise ExecutionNotFound(child_id)

    def _line_of(self, run: Run) -> list[Run]:
        """A run and those above it, nearest first."""
        runs, line = RunRepository(self._connection, self._tenant_id), [run]
        while line[-1].parent_id is not None:
            line.append(runs.get(line[-1].parent_id))
        return line
