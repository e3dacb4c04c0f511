"""Triggers and their deliveries for the tests of the store."""

from datetime import datetime, timedelta
from itertools import count
from typing import Any

import pytest

from omniforge import clock
from omniforge.agents.runs import Run, RunStatus, RunTrigger
from omniforge.agents.triggers.events import DeadReason, Delivery, Trigger
from omniforge.identity import new_id
from omniforge.store.briefs import Entry
from omniforge.webhooks.delivery import Verified
from tests.store.making import USER, Tenant


class Sender:
    """A service that sends to a trigger of a tenant."""

    def __init__(self, tenant: Tenant, trigger: Trigger) -> None:
        self.tenant, self.trigger, self._numbers = tenant, trigger, count(1)

    @classmethod
    async def new(cls, tenant: Tenant, **wishes: Any) -> "Sender":
        agent_id = wishes.pop("agent_id", None) or await tenant.agent()
        trigger = a_trigger(tenant.id, agent_id, **wishes)
        await tenant.mine.write(lambda db: db.triggers.add(trigger, []))
        return cls(tenant, trigger)

    async def sends(
        self,
        payload: dict[str, Any] | None = None,
        delivery_id: str = "",
        refusal: DeadReason | None = None,
    ) -> tuple[Delivery, bool]:
        name = delivery_id or f"d-{next(self._numbers)}"
        event = Verified(name, "issue.opened", {} if payload is None else payload)
        kept = await self.tenant.mine.write(
            lambda db: db.deliveries.accept(self.trigger, event, refusal)
        )
        assert kept is not None
        return kept

    async def sent(self, payload: dict[str, Any] | None = None, **more: Any) -> Delivery:
        return (await self.sends(payload, **more))[0]

    async def dies(self) -> Delivery:
        """A dead letter."""
        return await self.sent(refusal=DeadReason.RATE_CAPPED)

    async def enters(self, execution_id: str | None) -> Entry:
        """What the worker does when the run's workflow begins."""
        run = self.run_of(execution_id)

        def begin(db: Any) -> Entry:
            entry: Entry = db.deliveries.enter(run)
            if entry.run is not None:
                db.runs.begin(entry.run)
            return entry

        return await self.tenant.mine.write(begin)

    def run_of(self, execution_id: str | None) -> Run:
        return Run(
            id=execution_id or "",
            agent_id=self.trigger.agent_id,
            tenant_id=self.tenant.id,
            status=RunStatus.PENDING,
            trigger_type=RunTrigger.EVENT_DRIVEN,
            trigger_id=self.trigger.id,
            triggered_by=self.trigger.created_by,
            created_at=clock.now(),
        )

    async def becomes(self, **wishes: Any) -> None:
        """A person changes the trigger."""
        wished, mine = self.trigger.model_copy(update=wishes), self.tenant.mine
        await mine.write(lambda db: db.triggers.change(wished))
        self.trigger = await mine.read(lambda db: db.triggers.get(wished.id))

    async def found(self, delivery: Delivery) -> Delivery:
        return await self.tenant.mine.read(lambda db: db.deliveries.get(delivery.id))

    async def all(self) -> list[Delivery]:
        """Oldest first."""
        page = await self.tenant.mine.read(
            lambda db: db.deliveries.page(self.trigger.id, 1_000, None)
        )
        return page.items[::-1]


class Clock:
    """A clock that goes when it is told to."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self._now = clock.now()
        patch.setattr(clock, "now", self.now)

    def now(self) -> datetime:
        self._now += timedelta(microseconds=1)
        return self._now

    def goes(self, seconds: float) -> None:
        self._now += timedelta(seconds=seconds)


def a_trigger(tenant_id: str, agent_id: str, **wishes: Any) -> Trigger:
    at = clock.now()
    values: dict[str, Any] = {
        "id": new_id("tr"),
        "tenant_id": tenant_id,
        "agent_id": agent_id,
        "provider": "custom",
        "created_by": USER,
        "created_at": at,
        "updated_at": at,
    }
    return Trigger(**{**values, **wishes})
