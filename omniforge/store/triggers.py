"""Event triggers: what people wish, and the secrets that their senders sign with."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, RowMapping, insert, select, update

from omniforge import clock
from omniforge.agents.triggers.events import Trigger
from omniforge.errors import TokenNotThere, TriggerNotFound
from omniforge.store.agents import AgentRepository
from omniforge.store.repository import Repository
from omniforge.store.sealed import SealedSecret, SealedSecrets, with_new
from omniforge.store.sql import Page, page_of
from omniforge.store.tables import triggers


class TriggerRepository(Repository):
    def add(self, trigger: Trigger, secrets: Sequence[SealedSecret]) -> None:
        """
        Raises:
            AgentNotFound: Its agent is missing, or another tenant's.
        """
        AgentRepository(self._connection, self._tenant_id).name_and_version(trigger.agent_id)
        row = trigger.model_dump() | {"secrets": _json(secrets), "tenant_id": self._tenant_id}
        self._connection.execute(insert(triggers), [row])

    def get(self, trigger_id: str) -> Trigger:
        """
        Raises:
            TriggerNotFound: Missing, removed, or another tenant's.
        """
        return trigger_of(self._row(trigger_id))

    def page(self, limit: int, cursor: str | None, agent_id: str | None = None) -> Page[Trigger]:
        """Newest first."""
        query = select(triggers).where(*self._mine())
        if agent_id is not None:
            query = query.where(triggers.c.agent_id == agent_id)
        return page_of(self._connection, query, triggers, limit, cursor, trigger_of)

    def change(self, trigger: Trigger) -> None:
        """Overwrite what a person can change. Deliveries that wait for their run follow the new wish.

        Raises:
            TriggerNotFound: Missing, removed, or another tenant's.
        """
        fixed = {"id", "tenant_id", "agent_id", "provider", "created_by", "created_at"}
        self._set(trigger.id, trigger.model_dump(exclude=fixed))

    def remove(self, trigger_id: str) -> None:
        """Take no more deliveries, and forget the secrets. Those that came stay as history.

        Raises:
            TriggerNotFound: Missing, removed, or another tenant's.
        """
        self._set(trigger_id, {"removed_at": clock.now(), "secrets": []})

    # ---- secrets -----------------------------------------------------------------------------

    def secrets(self, trigger_id: str) -> tuple[SealedSecret, ...]:
        """Newest first, those that have ended among them.

        Raises:
            TriggerNotFound: Missing, removed, or another tenant's.
        """
        return SealedSecrets.validate_python(self._row(trigger_id)["secrets"])

    def rotate(self, trigger_id: str, new: SealedSecret | None, old_until: datetime) -> None:
        """Replace the secret; the old ones are taken until then. Without a new one, it comes by handshake.

        Raises:
            TriggerNotFound: Missing, removed, or another tenant's.
        """
        row = self._row(trigger_id, for_change=True)
        secrets = SealedSecrets.validate_python(row["secrets"])
        fresh = () if new is None else (new,)
        self._set(trigger_id, {"secrets": _json(with_new(secrets, fresh, old_until))})

    def take_token(self, trigger_id: str, token: SealedSecret) -> bool:
        """Keep the secret that a handshake brought; False when another one was quicker."""
        row = self._row(trigger_id, for_change=True)
        secrets = SealedSecrets.validate_python(row["secrets"])
        if any(one.until is None for one in secrets):
            return False
        self._set(trigger_id, {"secrets": _json((token, *secrets))})
        return True

    def read_token(self, trigger_id: str) -> SealedSecret:
        """The secret that a handshake brought, once.

        Raises:
            TokenNotThere: None has come yet, or it was read before.
            TriggerNotFound: Missing, removed, or another tenant's.
        """
        row = self._row(trigger_id, for_change=True)
        secrets = SealedSecrets.validate_python(row["secrets"])
        unread = next((one for one in secrets if one.is_unread), None)
        if unread is None:
            raise TokenNotThere(
                "The trigger has no verification token to show: none has come yet, or it was shown before."
            )
        read = [one.model_copy(update={"is_unread": False}) for one in secrets]
        self._set(trigger_id, {"secrets": _json(read)})
        return unread

    # ---- inside ------------------------------------------------------------------------------

    def _row(self, trigger_id: str, *, for_change: bool = False) -> RowMapping:
        query = select(triggers).where(*self._mine(), triggers.c.id == trigger_id)
        if for_change:
            query = query.with_for_update(key_share=True)
        row = self._connection.execute(query).mappings().first()
        if row is None:
            raise TriggerNotFound(trigger_id)
        return row

    def _set(self, trigger_id: str, values: dict[str, Any]) -> None:
        statement = update(triggers).where(*self._mine(), triggers.c.id == trigger_id)
        at = {"updated_at": clock.now()}
        if self._connection.execute(statement.values(values | at)).rowcount != 1:
            raise TriggerNotFound(trigger_id)

    def _mine(self) -> tuple[ColumnElement[bool], ...]:
        return triggers.c.tenant_id == self._tenant_id, triggers.c.removed_at.is_(None)


def trigger_of(row: RowMapping) -> Trigger:
    return Trigger.model_validate({name: row[name] for name in Trigger.model_fields})


def _json(secrets: Sequence[SealedSecret]) -> list[Any]:
    return [one.model_dump(mode="json") for one in secrets]
