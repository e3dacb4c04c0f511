"""What people ask of a run under way: to pause, to stop, to go on, to spend more, to mind something."""

import hashlib
import json
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from sqlalchemy import insert, select, update

from omniforge import clock
from omniforge.agents.budgets import billionths
from omniforge.agents.runs import Run
from omniforge.errors import BudgetNotRaised, NothingToSteer, RunFinished, TooManyMessages
from omniforge.identity import new_id
from omniforge.journal.events import BudgetRaised, EventBody, NewEvent, RunControlled
from omniforge.journal.ports import Decision, NodeStatus
from omniforge.journal.steps import Wish
from omniforge.store.repository import Repository
from omniforge.store.runs import RunRepository
from omniforge.store.streams import advance, caps_over, event_under, own_cap
from omniforge.store.tables import inbox, nodes, streams

# Each one stays in the conversation for good.
MAX_MESSAGES = 50


class ControlRepository(Repository):
    """Called by a run's workflow alone, one after another; the same again changes nothing."""

    def wish(self, run_id: str, wish: Wish | None, by: str, note: str) -> None:
        """Ask the executors of a run to end their segments before their next step; None takes it back."""
        if self._locked(run_id).status.is_final:
            return  # it has told of its end, after which there is nothing to tell
        of_run = streams.c.tenant_id == self._tenant_id, streams.c.id == run_id
        changed = update(streams).where(*of_run, streams.c.wish.is_distinct_from(wish))
        if self._connection.execute(changed.values(wish=wish)).rowcount == 1:
            self._tell(run_id, RunControlled(wish=wish or "go_on", by=by, note=note))

    def say(
        self, run_id: str, nodes_at_work: Sequence[str], message_id: str, text: str, by: str
    ) -> None:
        """Hand a message to nodes at work. The same message again changes nothing.

        Raises:
            NothingToSteer: All of them have ended.
            TooManyMessages: The run was told enough.
        """
        run = self._locked(run_id)
        of_run = streams.c.tenant_id == self._tenant_id, streams.c.id == run_id
        said = self._connection.execute(select(streams.c.said).where(*of_run)).scalar_one()
        rows = self._messages(run, nodes_at_work, message_id, text, by)
        known = select(inbox.c.id).where(
            inbox.c.tenant_id == self._tenant_id, inbox.c.id.in_([row["id"] for row in rows])
        )
        if self._connection.execute(known).first() is not None:
            return
        if said >= MAX_MESSAGES:
            raise TooManyMessages(
                f"The run was told {said} things, which is as many as it takes. Interrupt it, or wait."
            )
        ended = self._ended(run_id)
        heard = [row for row in rows if (row["node"], row["generation"]) not in ended]
        if not heard or run.status.is_final:
            raise NothingToSteer(f"{', '.join(nodes_at_work)} has just ended.")
        self._connection.execute(insert(inbox), heard)
        self._connection.execute(update(streams).where(*of_run).values(said=said + 1))

    def raise_cap(self, run_id: str, cap: Decimal, by: str, request_id: str) -> None:
        """Let a run spend more. The same request again changes nothing.

        Raises:
            BudgetNotRaised: The cap is no lower than that, or is not this run's.
            RunFinished: It spends nothing any more.
        """
        body = BudgetRaised(cap_usd=billionths(cap), by=by)
        if event_under(self._connection, run_id, key := f"{body.type}/{request_id}"):
            return
        self.refuse_raise(run_id, cap)
        of_run = streams.c.tenant_id == self._tenant_id, streams.c.id == run_id
        higher = update(streams).where(*of_run, streams.c.cap < body.cap_usd)
        if self._connection.execute(higher.values(cap=body.cap_usd)).rowcount == 0:
            self.refuse_raise(run_id, cap)
        told = NewEvent(dedupe_key=key, at=clock.now(), body=body)
        advance(self._connection, run_id, self._tenant_id, [told])

    def refuse_raise(self, run_id: str, cap: Decimal) -> None:
        """
        Raises:
            BudgetNotRaised, RunFinished: As `raise_cap` does.
        """
        run = RunRepository(self._connection, self._tenant_id).get(run_id)
        if run.status.is_final:
            raise RunFinished(run_id, run.status)
        if run.started_at is None:
            raise BudgetNotRaised("The run has not begun, so it has spent nothing yet.")
        own = own_cap(self._connection, run_id)
        if own is None:
            raise BudgetNotRaised(self._without_cap(run_id))
        if billionths(cap) <= own.cap:
            raise BudgetNotRaised(f"The run may spend ${own.cap:f} already; say more than that.")

    def _without_cap(self, run_id: str) -> str:
        above = caps_over(self._connection, run_id)
        if not above:
            return "The run has no cap of its own. `omniforge budgets list` shows those over it."
        return (
            f"The run has no cap of its own: it spends of the ${above[0].cap:f} of run"
            f" {above[0].subject}, which it works for. Raise that one."
        )

    def _locked(self, run_id: str) -> Run:
        """A run as it stands. Nobody tells its stream anything, nor completes a node, until this ends."""
        mine = streams.c.tenant_id == self._tenant_id, streams.c.id == run_id
        self._connection.execute(select(streams.c.id).where(*mine).with_for_update())
        return RunRepository(self._connection, self._tenant_id).get(run_id)

    def _messages(
        self, run: Run, names: Sequence[str], message_id: str, text: str, by: str
    ) -> list[dict[str, Any]]:
        return [
            {
                "id": _inbox_id(run.id, node, message_id),
                "stream_id": run.id,
                "node": node,
                "generation": run.generation,
                "tenant_id": self._tenant_id,
                "wait_id": "",
                "decision": Decision.SAID,
                "decided_by": by,
                "note": text,
                "created_at": clock.now(),
            }
            for node in names
        ]

    def _ended(self, run_id: str) -> set[tuple[str, int]]:
        query = select(nodes.c.node, nodes.c.generation).where(
            nodes.c.tenant_id == self._tenant_id,
            nodes.c.stream_id == run_id,
            nodes.c.status.in_([status for status in NodeStatus if status.is_final]),
        )
        return {(row.node, row.generation) for row in self._connection.execute(query)}

    def _tell(self, run_id: str, body: EventBody) -> None:
        event = NewEvent(dedupe_key=f"{body.type}/{new_id('c')}", at=clock.now(), body=body)
        advance(self._connection, run_id, self._tenant_id, [event])


def _inbox_id(run_id: str, node: str, message_id: str) -> str:
    """The same for the same message, whose id is only its sender's."""
    name = json.dumps([run_id, node, message_id])
    return f"say-{hashlib.sha256(name.encode()).hexdigest()[:32]}"
