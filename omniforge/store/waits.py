"""What runs wait for."""

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from sqlalchemy import func, select

from omniforge.agents.runs import OpenWait
from omniforge.journal.events import Wait
from omniforge.journal.ports import NodeStatus
from omniforge.store.repository import Repository
from omniforge.store.tables import agent_executions, events, inbox, nodes, streams


class WaitRepository(Repository):
    def that_can_end(
        self, run_id: str | None, can_end: Callable[[str, Wait], bool]
    ) -> dict[str, list[str]]:
        """Runs that wait for something that is there by now, each with the waits that can end.

        With an id, of this run only. One that is paused would not go on with it, and looks for itself
        when it may; so it is left out unless it is named.
        """
        query = (
            select(nodes.c.stream_id, nodes.c.waits)
            .join(agent_executions, agent_executions.c.id == nodes.c.stream_id)
            .join(streams, streams.c.id == nodes.c.stream_id)
            .where(
                agent_executions.c.tenant_id == self._tenant_id,
                agent_executions.c.completed_at.is_(None),
                nodes.c.status == NodeStatus.WAITING,
            )
        )
        chosen = streams.c.wish.is_(None) if run_id is None else nodes.c.stream_id == run_id
        found: dict[str, list[str]] = {}
        for row in self._connection.execute(query.where(chosen)):
            for wait in map(Wait.model_validate, row.waits):
                if can_end(row.stream_id, wait):
                    found.setdefault(row.stream_id, []).append(wait.id)
        return found

    def of(self, run_ids: Sequence[str]) -> Mapping[str, Sequence[OpenWait]]:
        """The open waits of each of these runs, the oldest first. Runs without any are left out."""
        found: defaultdict[str, list[OpenWait]] = defaultdict(list)
        if run_ids:
            for run_id, wait in (*self._of_nodes(run_ids), *self._pauses(run_ids)):
                found[run_id].append(wait)
        return {run: sorted(waits, key=lambda wait: wait.since) for run, waits in found.items()}

    def _of_nodes(self, run_ids: Sequence[str]) -> Iterator[tuple[str, OpenWait]]:
        """What has come already is in the inbox, and its node has not heard of it yet."""
        come = select(inbox.c.wait_id).where(
            inbox.c.tenant_id == self._tenant_id, inbox.c.stream_id.in_(run_ids)
        )
        waiting = select(nodes).where(
            nodes.c.tenant_id == self._tenant_id,
            nodes.c.stream_id.in_(run_ids),
            nodes.c.status == NodeStatus.WAITING,
        )
        over = set(self._connection.execute(come).scalars())
        for row in self._connection.execute(waiting).mappings():
            for wait in row["waits"]:
                if wait["id"] not in over:
                    known: dict[str, Any] = {"since": row["started_at"], **wait}
                    yield row["stream_id"], OpenWait.model_validate({**known, "node": row["node"]})

    def _pauses(self, run_ids: Sequence[str]) -> Iterator[tuple[str, OpenWait]]:
        query = (
            select(streams.c.id, func.max(events.c.at).label("since"))
            .join(events, events.c.stream_id == streams.c.id)
            .where(
                streams.c.tenant_id == self._tenant_id,
                streams.c.id.in_(run_ids),
                streams.c.wish == "pause",
                events.c.type == "run_controlled",
            )
            .group_by(streams.c.id)
        )
        for row in self._connection.execute(query):
            paused = "The run is paused until someone resumes it."
            yield (
                row.id,
                OpenWait(kind="pause", id="pause", node=None, question=paused, since=row.since),
            )
