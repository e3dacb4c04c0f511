"""The journal's port on SQL: a claim and a commit, each one transaction."""

from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Float,
    RowMapping,
    Select,
    Update,
    bindparam,
    case,
    select,
    tuple_,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.sql.dml import ReturningInsert

from omniforge import clock
from omniforge.agents.budgets import STILL, Movement
from omniforge.errors import Fenced
from omniforge.journal.ports import (
    APPROVAL_KINDS,
    Announce,
    Decision,
    InboxItem,
    NodeState,
    NodeStatus,
    Outcome,
    Transition,
    Unheard,
    Word,
)
from omniforge.journal.steps import Fence, NodeKey
from omniforge.store.database import Database
from omniforge.store.records import document_of, outcome_of, row_of_step, step_of
from omniforge.store.reservations import move
from omniforge.store.sql import insert_into, upsert
from omniforge.store.streams import advance, clear_shown, warn
from omniforge.store.tables import approvals, inbox, nodes, steps

_FINAL = [status for status in NodeStatus if status.is_final]


class SqlJournalStore:
    """For one tenant. Every write starts with an update of the node's row that checks the fence: it
    locks the row, so nothing can come between the check and the commit."""

    def __init__(self, database: Database, tenant_id: str) -> None:
        self._database, self._tenant_id = database, tenant_id

    async def claim(
        self, key: NodeKey, skill_name: str, fence: Fence, announce: Announce
    ) -> NodeState:
        return await self._database.write(
            lambda connection: self.claim_on(connection, key, skill_name, fence, announce)
        )

    def claim_on(
        self,
        connection: Connection,
        key: NodeKey,
        skill_name: str,
        fence: Fence,
        announce: Announce,
    ) -> NodeState:
        """Claim within a transaction of the caller's."""
        row = self._take(connection, key, skill_name, fence)
        state = _state(connection, key, row)
        if state.outcome is None:
            if not state.is_new:
                clear_shown(connection, key.stream_id, key.node)
            word = advance(connection, key.stream_id, self._tenant_id, [announce(state)])
            state = replace(state, word=word or Word())
        return state

    async def commit(self, key: NodeKey, fence: Fence, change: Transition) -> Word | None:
        def work(connection: Connection) -> Word | None:
            _write_node(connection, key, fence, change)
            if change.steps:
                rows = [row_of_step(key, self._tenant_id, step) for step in change.steps]
                upsert(connection, steps, rows)
            if change.consumed:
                consumed = inbox.c.id.in_(change.consumed)
                connection.execute(update(inbox).where(consumed).values(consumed_at=clock.now()))
            if change.outcome is not None and change.outcome.waits:
                self._ask(connection, key, change.outcome)
            if change.clears:
                clear_shown(connection, key.stream_id, key.node)
            word = advance(
                connection,
                key.stream_id,
                self._tenant_id,
                change.events,
                self._money(connection, key, change),
            )
            if change.heard is not None and word is not None and word.said > change.heard:
                raise Unheard(word)
            for wait in change.outcome.waits if change.outcome is not None else ():
                warn(connection, key.stream_id, self._tenant_id, wait)
            return word

        return await self._database.write(work)

    async def messages(self, key: NodeKey) -> Sequence[InboxItem]:
        query = _inbox_of(key, inbox.c.decision == Decision.SAID)
        return await self._database.read(lambda connection: _items(connection, query))

    def _money(self, connection: Connection, key: NodeKey, change: Transition) -> Movement:
        """What remains to be moved on the stream once every cap above it has been moved."""
        if not change.reserve and not change.settle:
            return STILL
        return move(connection, key, self._tenant_id, change.reserve, change.settle)

    def _take(
        self, connection: Connection, key: NodeKey, skill_name: str, fence: Fence
    ) -> RowMapping:
        row = {
            **key._asdict(),
            "tenant_id": self._tenant_id,
            "skill_name": skill_name,
            "status": NodeStatus.RUNNING,
            **fence._asdict(),
            "claims": 1,
            "waits": [],
            "active": 0.0,
            "started_at": clock.now(),
        }
        taken = connection.execute(_take_over(connection.dialect.name), row).mappings().first()
        if taken is None:
            raise Fenced(f"{key.node!r} is in later hands than {fence.segment}.{fence.attempt}.")
        return taken

    def _ask(self, connection: Connection, key: NodeKey, outcome: Outcome) -> None:
        rows = [
            {
                "id": wait.id,
                "tenant_id": self._tenant_id,
                "execution_id": key.stream_id,
                "node": key.node,
                "generation": key.generation,
                "kind": APPROVAL_KINDS[wait.kind],
                "question": wait.question,
                "tool": wait.tool,
                "arguments": wait.arguments,
                "said": wait.said,
                "follows": wait.follows,
                "note": "",
                "created_at": clock.now(),
            }
            for wait in outcome.waits
            if wait.kind in APPROVAL_KINDS
        ]
        if rows:
            connection.execute(insert_into(connection, approvals).on_conflict_do_nothing(), rows)


@cache
def _take_over(dialect: str) -> ReturningInsert[Any]:
    """Insert a node or move its fence up; no row comes back when the fence is higher already."""
    statement = sqlite.insert(nodes) if dialect == "sqlite" else postgresql.insert(nodes)
    return statement.on_conflict_do_update(
        index_elements=[nodes.c.stream_id, nodes.c.node, nodes.c.generation],
        set_={
            "segment": statement.excluded.segment,
            "attempt": statement.excluded.attempt,
            "claims": nodes.c.claims + 1,
            "status": case((nodes.c.status.in_(_FINAL), nodes.c.status), else_=NodeStatus.RUNNING),
        },
        where=tuple_(nodes.c.segment, nodes.c.attempt)
        < tuple_(statement.excluded.segment, statement.excluded.attempt),
    ).returning(nodes)


_GUARD = update(nodes).where(
    nodes.c.stream_id == bindparam("stream"),
    nodes.c.node == bindparam("of_node"),
    nodes.c.generation == bindparam("of_generation"),
    nodes.c.segment == bindparam("of_segment"),
    nodes.c.attempt == bindparam("of_attempt"),
)


def _write_node(connection: Connection, key: NodeKey, fence: Fence, change: Transition) -> None:
    values: dict[str, Any] = {"more": change.active}
    if change.workspace is not None:
        values["workspace"] = dict(change.workspace)
    if change.outcome is not None:
        values |= _outcome_columns(change.outcome)
    owner = {
        "stream": key.stream_id,
        "of_node": key.node,
        "of_generation": key.generation,
        "of_segment": fence.segment,
        "of_attempt": fence.attempt,
    }
    statement = _guarded(change.workspace is not None, change.outcome is not None)
    if connection.execute(statement, owner | values).rowcount != 1:
        raise Fenced(f"{key.node!r} was taken over from {fence.segment}.{fence.attempt}.")


@cache
def _guarded(has_workspace: bool, has_outcome: bool) -> Update:
    names = ["workspace"] * has_workspace
    names += ["status", "output", "error", "waits", "completed_at"] * has_outcome
    values = {name: bindparam(name, type_=nodes.c[name].type) for name in names}
    more: dict[str, Any] = {"active": nodes.c.active + bindparam("more", type_=Float)}
    return _GUARD.values(more | values)


def _outcome_columns(outcome: Outcome) -> dict[str, Any]:
    now = clock.now().isoformat()
    return {
        "status": outcome.status,
        "output": outcome.output,
        "error": document_of(outcome.error),
        "waits": [{**wait.model_dump(mode="json"), "since": now} for wait in outcome.waits],
        "completed_at": clock.now() if outcome.status.is_final else None,
    }


def _state(connection: Connection, key: NodeKey, row: RowMapping) -> NodeState:
    outcome, is_new = outcome_of(row), row["claims"] == 1
    # A node that is taken up again may have been told something before it is claimed.
    if outcome is not None or (is_new and not key.generation):
        return NodeState(is_new=is_new, outcome=outcome, active=row["active"])
    of_node = [
        steps.c.stream_id == key.stream_id,
        steps.c.node == key.node,
        steps.c.generation == key.generation,
    ]
    recorded = connection.execute(select(steps).where(*of_node).order_by(steps.c.number)).mappings()
    return NodeState(
        is_new=is_new,
        steps=[step_of(step) for step in recorded],
        inbox=_items(connection, _inbox_of(key, inbox.c.decision != Decision.SAID)),
        active=row["active"],
        workspace=row["workspace"],
    )


def _inbox_of(key: NodeKey, kind: ColumnElement[bool]) -> Select[Any]:
    return (
        select(inbox)
        .where(
            inbox.c.stream_id == key.stream_id,
            inbox.c.node == key.node,
            inbox.c.generation == key.generation,
            inbox.c.consumed_at.is_(None),
            kind,
        )
        .order_by(inbox.c.created_at, inbox.c.id)
    )


def _items(connection: Connection, query: Select[Any]) -> list[InboxItem]:
    return [
        InboxItem(
            item["id"],
            item["wait_id"],
            Decision(item["decision"]),
            item["decided_by"],
            item["note"],
            item["arguments"],
        )
        for item in connection.execute(query).mappings()
    ]
