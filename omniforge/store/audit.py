"""Who did what to a tenant's security, and who was refused. Rows are added and never changed."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from pydantic import AwareDatetime, BaseModel
from sqlalchemy import RowMapping, insert, select

from omniforge import clock
from omniforge.identity import new_id
from omniforge.store.repository import Repository
from omniforge.store.sql import Page, page_of
from omniforge.store.tables import audit


class Act(StrEnum):
    """What is written down."""

    KEY_CREATED = "key.created"
    KEY_REVOKED = "key.revoked"
    SIGN_IN_REFUSED = "sign_in.refused"
    MEMBER_ADDED = "member.added"
    MEMBER_CHANGED = "member.changed"
    MEMBER_REMOVED = "member.removed"
    INVITATION_CREATED = "invitation.created"
    INVITATION_WITHDRAWN = "invitation.withdrawn"
    INVITATION_ACCEPTED = "invitation.accepted"
    BUDGET_SET = "budget.set"
    BUDGET_CLEARED = "budget.cleared"
    BUDGET_RAISED = "budget.raised"
    LIMITS_SET = "limits.set"
    APPROVAL_DECIDED = "approval.decided"
    AGENT_ACTIVATED = "agent.activated"
    AGENT_PAUSED = "agent.paused"
    AGENT_ARCHIVED = "agent.archived"
    AGENT_PERMISSIONS_CHANGED = "agent.permissions_changed"
    TRIGGER_SECRET_ROTATED = "trigger.secret_rotated"  # noqa: S105  # a name
    CONNECTION_MADE = "connection.made"
    CONNECTION_ENDED = "connection.ended"
    APP_SET = "app.set"
    APP_REMOVED = "app.removed"
    MCP_SERVER_ADDED = "mcp_server.added"
    MCP_SERVER_REMOVED = "mcp_server.removed"


class Outcome(StrEnum):
    DONE = "done"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Actor:
    """Who acts, with which credential, from where."""

    user_id: str
    credential: str
    address: str


class AuditEntry(BaseModel, frozen=True):
    """A row of `audit`."""

    id: str
    created_at: AwareDatetime
    actor: str
    credential: str
    address: str
    action: str
    subject: str
    outcome: Outcome
    details: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Sought:
    """Which entries are asked for: those that fit all that is given."""

    action: str | None = None
    actor: str | None = None
    subject: str | None = None
    outcome: Outcome | None = None
    since: datetime | None = None
    until: datetime | None = None


class AuditRepository(Repository):
    def add(
        self,
        actor: Actor,
        act: Act,
        subject: str,
        details: Mapping[str, Any],
        outcome: Outcome = Outcome.DONE,
    ) -> None:
        """Write down what is done in this transaction. `details` are plain JSON and hold no secret."""
        row = {
            "id": new_id("au"),
            "tenant_id": self._tenant_id,
            "created_at": clock.now(),
            "actor": actor.user_id,
            "credential": actor.credential,
            "address": actor.address,
            "action": act,
            "subject": subject,
            "outcome": outcome,
            "details": dict(details),
        }
        self._connection.execute(insert(audit), [row])

    def page(self, limit: int, cursor: str | None, sought: Sought) -> Page[AuditEntry]:
        query = select(audit).where(audit.c.tenant_id == self._tenant_id)
        for name in ("action", "actor", "subject", "outcome"):
            if (value := getattr(sought, name)) is not None:
                query = query.where(audit.c[name] == value)
        if sought.since is not None:
            query = query.where(audit.c.created_at >= sought.since)
        if sought.until is not None:
            query = query.where(audit.c.created_at < sought.until)
        return page_of(self._connection, query, audit, limit, cursor, _entry_of)


def _entry_of(row: RowMapping) -> AuditEntry:
    return AuditEntry.model_validate(dict(row))
