"""Deliveries of outside services: known, kept, answered; only then their runs are started."""

import asyncio
import contextlib
import logging
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Annotated

from fastapi import Depends, Request

from api.launch import Launch
from api.triggers.doors import Door, Doors
from omniforge import clock
from omniforge.agents.triggers.events import DeadReason, Delivery, Trigger
from omniforge.errors import SignatureInvalid, TemporalUnavailable
from omniforge.keys import KeyRing
from omniforge.store.due import Due, asked_for, take_due
from omniforge.store.sealed import seal_secret
from omniforge.store.store import Repositories, Store
from omniforge.webhooks.delivery import Handshake, Incoming, Verified
from omniforge.webhooks.providers import PROVIDERS

log = logging.getLogger(__name__)

# Starts share this process with answers, and the machine with the server that they go to.
STARTS_AT_ONCE = 8
BATCH = 64
# Nobody wakes it for what another process left behind, or Temporal did not take.
LOOK_EVERY = 5.0


@dataclass(frozen=True, slots=True)
class Receipt:
    """A delivery on record. One that is not new has come before."""

    delivery: Delivery
    is_new: bool


class Intake:
    """Takes deliveries, and starts the runs of those that were accepted."""

    def __init__(self, store: Store, launch: Launch, keys: KeyRing) -> None:
        self._store, self._launch, self._keys = store, launch, keys
        self._doors = Doors(store, keys)
        self._wanted = asyncio.Event()

    async def receive(self, trigger_id: str, incoming: Incoming) -> Receipt | Handshake:
        """Keep a delivery if its sender is known. When this returns, it is on record.

        Raises:
            TriggerNotFound: No trigger has this address, or none any more.
            SignatureInvalid, DeliveryStale, DeliveryInvalid: As the provider says; nothing is kept.
            TooManyDeliveries: More came for the trigger than is even kept.
        """
        door = await self._doors.find(trigger_id)
        # The secret that it is signed with may be newer than what is known here.
        with contextlib.suppress(SignatureInvalid):
            if (taken := await self._taken(door, incoming)) is not None:
                return taken
        while True:
            door = await self._doors.anew(trigger_id)
            if (taken := await self._taken(door, incoming)) is not None:
                return taken

    async def redeliver(self, tenant_id: str, delivery_id: str) -> Delivery:
        """Take up a delivery again that led to no run.

        Raises:
            DeliveryNotFound, DeliveryNotRepeated, TriggerNotFound: As `DeliveryRepository.redeliver` says.
        """
        mine = self._store.for_tenant(tenant_id)
        delivery = await mine.write(lambda db: db.deliveries.redeliver(delivery_id))
        self._wanted.set()
        return delivery

    async def redeliver_dead(
        self,
        tenant_id: str,
        trigger_id: str,
        reason: DeadReason | None = None,
        since: datetime | None = None,
    ) -> int:
        """Take up all dead letters of a trigger again, or those of a kind; how many.

        Raises:
            TriggerNotFound: Missing, removed, or another tenant's.
        """
        mine = self._store.for_tenant(tenant_id)
        after, count = "", 0
        while ids := await mine.write(partial(_revive, trigger_id, after, reason, since)):
            after, count = ids[-1], count + len(ids)
            self._wanted.set()
        return count

    async def keep_starting(self) -> None:
        """Start the runs of what was accepted, here or by a process that has died, until cancelled."""
        while True:
            try:
                while await self.start_due():
                    pass
            except Exception:
                log.exception("deliveries_not_started")
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._wanted.wait(), LOOK_EVERY)
            self._wanted.clear()

    async def start_due(self) -> int:
        """Start some runs that are due; how many were. Those that Temporal does not take come again."""
        due = await self._store.database.write(lambda c: take_due(c, BATCH))
        few = asyncio.Semaphore(STARTS_AT_ONCE)
        started = await asyncio.gather(*(self._start(one, few) for one in due))
        known = [one.run.id for one, is_started in zip(due, started, strict=True) if is_started]
        await self._store.database.write(lambda c: asked_for(c, known))
        return len(known)

    async def _start(self, due: Due, few: asyncio.Semaphore) -> bool:
        async with few:
            try:
                await self._launch.start_workflow(due.run, due.agent_name, due.weight)
            except TemporalUnavailable:
                return False
        return True

    async def _taken(self, door: Door, incoming: Incoming) -> Receipt | Handshake | None:
        """None if the trigger is no longer what the door says."""
        event = PROVIDERS[door.trigger.provider].read(incoming, door.secrets, clock.now())
        if isinstance(event, Handshake):
            await self._keep_token(door.trigger, event)
            return event
        return await self._keep(door, event)

    async def _keep(self, door: Door, event: Verified) -> Receipt | None:
        refusal, trigger = door.enter(), door.trigger
        mine = self._store.for_tenant(trigger.tenant_id)
        kept = await mine.write(lambda db: db.deliveries.accept(trigger, event, refusal))
        if kept is None or not kept[1]:
            door.leave(refusal)
        self._wanted.set()
        return None if kept is None else Receipt(*kept)

    async def _keep_token(self, trigger: Trigger, handshake: Handshake) -> None:
        if handshake.token is None:
            return
        place = trigger.tenant_id, trigger.id
        token = seal_secret(self._keys, *place, handshake.token, is_unread=True)
        mine = self._store.for_tenant(trigger.tenant_id)
        if not await mine.write(lambda db: db.triggers.take_token(trigger.id, token)):
            raise SignatureInvalid


def _revive(
    trigger_id: str,
    after: str,
    reason: DeadReason | None,
    since: datetime | None,
    db: Repositories,
) -> list[str]:
    return db.deliveries.redeliver_dead(trigger_id, after, reason, since)


async def _intake(request: Request) -> Intake:  # not in a thread, as a plain function would be
    intake: Intake = request.app.state.intake
    return intake


Taking = Annotated[Intake, Depends(_intake)]
