"""Whom a sender's URL means. Senders have no credential of ours, so the trigger's row says whose it is."""

from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import Connection, bindparam, case, func, select

from omniforge import clock
from omniforge.agents.triggers.events import DeadReason, Trigger
from omniforge.errors import TriggerNotFound
from omniforge.store.columns import Timestamp
from omniforge.store.sealed import SealedSecret, SealedSecrets
from omniforge.store.tables import deliveries, triggers
from omniforge.store.triggers import trigger_of

WINDOW = timedelta(minutes=1)
_REFUSED = (DeadReason.RATE_CAPPED, DeadReason.TRIGGER_PAUSED)

_TRIGGER = select(triggers).where(
    triggers.c.id == bindparam("trigger"), triggers.c.removed_at.is_(None)
)
_IS_REFUSED = case((deliveries.c.reason.in_(_REFUSED), 1), else_=0)
_LAST_MINUTE = select(func.count(), func.coalesce(func.sum(_IS_REFUSED), 0)).where(
    deliveries.c.trigger_id == bindparam("trigger"),
    deliveries.c.created_at > bindparam("since", type_=Timestamp()),
)


@dataclass(frozen=True, slots=True)
class Addressed:
    """A trigger, what its senders sign with, and what came in the last minute."""

    trigger: Trigger
    secrets: tuple[SealedSecret, ...]
    came: int
    refused: int
    """Of those that came, how many were dead letters at once."""


def addressed(connection: Connection, trigger_id: str) -> Addressed:
    """
    Raises:
        TriggerNotFound: It is missing, or was removed.
    """
    row = connection.execute(_TRIGGER, {"trigger": trigger_id}).mappings().first()
    if row is None:
        raise TriggerNotFound(trigger_id)
    minute = {"trigger": trigger_id, "since": clock.now() - WINDOW}
    came, refused = connection.execute(_LAST_MINUTE, minute).one()
    secrets = SealedSecrets.validate_python(row["secrets"])
    return Addressed(trigger_of(row), secrets, came, refused)
