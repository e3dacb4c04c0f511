"""The triggers that are being sent to, as this process knows them: their senders, and how much comes."""

import time
from dataclasses import dataclass

from omniforge.agents.triggers.events import DeadReason, Trigger
from omniforge.errors import TooManyDeliveries
from omniforge.keys import KeyRing
from omniforge.store.addressed import WINDOW, Addressed, addressed
from omniforge.store.sealed import open_secret
from omniforge.store.store import Store
from omniforge.webhooks.secrets import Secret

# So many times its rate a trigger keeps as dead letters; beyond, the sender is told to come back.
FLOOD = 10
# For so long what came is counted here. Then the database is asked, which knows of other processes, too.
COUNTED_FOR = 1.0
KEPT = 1_000


@dataclass(slots=True)
class Door:
    """A trigger with its secrets, and what came in the last minute."""

    trigger: Trigger
    secrets: tuple[Secret, ...]
    taken: int
    refused: int
    read_at: float

    def enter(self) -> DeadReason | None:
        """Count one more delivery: None if it may lead to a run, else why it is a dead letter.

        The rate can be passed by what other processes take within a second, and by the few that are
        being written while the database is asked. A place becomes free up to a second late.

        Raises:
            TooManyDeliveries: So much came that this one is not even kept.
        """
        if self.taken + self.refused >= FLOOD * self.trigger.max_per_minute:
            raise TooManyDeliveries(int(WINDOW.total_seconds()))
        if self.trigger.enabled and self.taken < self.trigger.max_per_minute:
            self.taken += 1
            return None
        self.refused += 1
        return DeadReason.RATE_CAPPED if self.trigger.enabled else DeadReason.TRIGGER_PAUSED

    def leave(self, reason: DeadReason | None) -> None:
        """Take one back that had come before."""
        if reason is None:
            self.taken -= 1
        else:
            self.refused -= 1


class Doors:
    def __init__(self, store: Store, keys: KeyRing) -> None:
        self._store, self._keys = store, keys
        self._doors: dict[str, Door] = {}

    async def find(self, trigger_id: str) -> Door:
        """The door of a trigger, which may have changed in the last second.

        Raises:
            TriggerNotFound: No trigger has this address, or none any more.
        """
        door = self._doors.get(trigger_id)
        if door is not None and time.monotonic() < door.read_at + COUNTED_FOR:
            return door
        if door is not None:
            door.read_at = time.monotonic()  # one asks, and the others go on with what is known
        return await self.anew(trigger_id)

    async def anew(self, trigger_id: str) -> Door:
        """The door of a trigger as it is now.

        Raises:
            TriggerNotFound: No trigger has this address, or none any more.
        """
        found = await self._store.database.read(lambda c: addressed(c, trigger_id))
        if len(self._doors) >= KEPT:
            self._doors.clear()
        door = self._doors[trigger_id] = self._opened(found)
        return door

    def _opened(self, found: Addressed) -> Door:
        trigger = found.trigger
        secrets = (
            open_secret(self._keys, trigger.tenant_id, trigger.id, one) for one in found.secrets
        )
        taken = found.came - found.refused
        return Door(trigger, tuple(secrets), taken, found.refused, time.monotonic())
