"""Deliveries: kept as they come, then led to a run, or kept with the reason why they were not.

A delivery is accepted in one transaction and evaluated in another, by the worker that begins its run.
Deliveries of a trigger that waits for quiet share one run: they are a batch, which the trigger's row
names while it is open. Who adds to it or closes it holds that row; nobody else has to.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import (
    ColumnElement,
    RowMapping,
    bindparam,
    func,
    select,
    update,
)

from omniforge import clock
from omniforge.agents.config import AgentStatus
from omniforge.agents.runs import ErrorInfo, Run
from omniforge.agents.triggers.events import DeadReason, Delivery, DeliveryStatus, Trigger
from omniforge.errors import (
    ConditionFailed,
    DeliveryNotFound,
    DeliveryNotRepeated,
    TriggerNotFound,
)
from omniforge.execution.plans.events import OutsideEvent, mapped, passes
from omniforge.identity import new_id
from omniforge.journal.steps import Json
from omniforge.store.briefs import Entry
from omniforge.store.repository import Repository
from omniforge.store.sql import Page, insert_new, page_of
from omniforge.store.tables import agent_configs, deliveries, triggers
from omniforge.store.triggers import trigger_of
from omniforge.webhooks.delivery import Verified

# A batch whose deliveries never cease begins its run after so many times the quiet it waits for.
PATIENCE = 10
# A filter may take a tenth of a second and other writers wait meanwhile: a long batch takes several turns.
AT_ONCE = 10
_NEXT_TURN_S = 0.01

_WHY = {
    DeadReason.RATE_CAPPED: "More came within a minute than the trigger takes.",
    DeadReason.TRIGGER_PAUSED: "The trigger is paused.",
    DeadReason.TRIGGER_REMOVED: "The trigger was removed.",
    DeadReason.AGENT_NOT_ACTIVE: "The agent is not active.",
}

_d = deliveries.c
_WITHOUT_PAYLOAD = [column for column in _d if column.name != "payload"]
_IS_ACCEPTED = _d.status == DeliveryStatus.ACCEPTED

# Built once: on the way of every delivery, putting a statement together costs more than running it.
_DOOR = select(triggers.c.updated_at, triggers.c.removed_at, triggers.c.batch_id).where(
    triggers.c.id == bindparam("trigger"), triggers.c.tenant_id == bindparam("tenant")
)
# No key is changed under this lock, so deliveries without a batch are added meanwhile.
_LOCKED_DOOR = _DOOR.with_for_update(key_share=True)
_TRIGGER = (
    select(triggers, agent_configs.c.status.label("agent_status"))
    .join(agent_configs, agent_configs.c.id == triggers.c.agent_id)
    .where(triggers.c.id == bindparam("trigger"), triggers.c.tenant_id == bindparam("tenant"))
)
_LOCKED_TRIGGER = _TRIGGER.with_for_update(key_share=True, of=triggers)
_WAITING = (
    select(deliveries)
    .where(_d.execution_id == bindparam("run"), _d.tenant_id == bindparam("tenant"), _IS_ACCEPTED)
    .order_by(_d.created_at.desc(), _d.id.desc())
    .limit(AT_ONCE)
    .with_for_update()
)


class DeliveryRepository(Repository):
    # ---- what senders bring ------------------------------------------------------------------

    def accept(
        self, trigger: Trigger, event: Verified, refusal: DeadReason | None = None
    ) -> tuple[Delivery, bool] | None:
        """Keep a delivery, once; True when it is new. Its run is started after the commit.

        With a refusal it is a dead letter. None when the trigger is no longer the one that is given:
        nothing is kept then, and the sender has to be looked at anew.
        """
        query = _LOCKED_DOOR if trigger.debounce_s else _DOOR
        door = self._connection.execute(query, self._place(trigger=trigger.id)).first()
        if door is None or door.removed_at is not None or door.updated_at != trigger.updated_at:
            return None
        batch_id = door.batch_id if trigger.debounce_s and refusal is None else None
        delivery = _new(trigger, event, refusal, batch_id)
        if not self._add(delivery, is_due=refusal is None and batch_id is None):
            return self._sent(trigger.id, event.delivery_id) or delivery, False
        if trigger.debounce_s and delivery.execution_id != batch_id:
            self._set_batch(trigger.id, delivery.execution_id)
        return delivery, True

    # ---- what becomes of them ----------------------------------------------------------------

    def enter(self, run: Run) -> Entry:
        """Decide what becomes of the deliveries of a run that has not begun. Repeats change nothing.

        With a run in the answer, its row is to be written in the same transaction.
        """
        trigger = self._trigger(run.trigger_id or "")
        if is_batch := trigger["batch_id"] == run.id:
            trigger = self._trigger(trigger["id"], lock=True)
        waiting = self._connection.execute(_WAITING, self._place(run=run.id)).mappings().all()
        if not waiting:
            return self._settled(run)
        if is_batch and (later_s := self._quiet_in(run.id, trigger["debounce_s"])) > 0:
            return Entry(later_s=later_s)
        reason = _hindrance(trigger)
        chosen = None if reason else self._first_that_leads(trigger_of(trigger), waiting)
        if reason is None and chosen is None and len(waiting) == AT_ONCE:
            return Entry(later_s=_NEXT_TURN_S)
        if reason is not None:
            self._settle_rest(run.id, DeliveryStatus.DEAD, reason)
        else:
            self._settle_rest(run.id, DeliveryStatus.MERGED)
        if is_batch:
            self._set_batch(trigger["id"], None)
        if chosen is None:
            return self._settled(run)
        return Entry(run=run.model_copy(update={"input_data": chosen}))

    def redeliver(self, delivery_id: str) -> Delivery:
        """Take up a delivery again that led to no run, as if it had just come, with a run of its own.

        Rates and quiet are not minded: a person asks for it.

        Raises:
            DeliveryNotFound: Missing, or another tenant's.
            DeliveryNotRepeated: It led to a run, or is about to.
            TriggerNotFound: Its trigger was removed.
        """
        found = self.get(delivery_id)
        self._refuse_removed(found.trigger_id)
        if not self._revive(_d.id == delivery_id):
            raise DeliveryNotRepeated(delivery_id, found.status, found.execution_id)
        return self.get(delivery_id)

    def redeliver_dead(
        self,
        trigger_id: str,
        after: str = "",
        reason: DeadReason | None = None,
        since: datetime | None = None,
        limit: int = 500,
    ) -> list[str]:
        """Take up dead letters again, oldest first, by id after `after`; which these are.

        Raises:
            TriggerNotFound: Missing, removed, or another tenant's.
        """
        self._refuse_removed(trigger_id)
        query = select(_d.id).where(
            self._mine(),
            _d.trigger_id == trigger_id,
            _d.status == DeliveryStatus.DEAD,
            _d.id > after,
        )
        if reason is not None:
            query = query.where(_d.reason == reason)
        if since is not None:
            query = query.where(_d.created_at >= since)
        ids = self._connection.execute(query.order_by(_d.id).limit(limit)).scalars().all()
        return [one for one in ids if self._revive(_d.id == one)]

    # ---- what people see ---------------------------------------------------------------------

    def get(self, delivery_id: str) -> Delivery:
        """
        Raises:
            DeliveryNotFound: Missing, or another tenant's.
        """
        query = select(deliveries).where(self._mine(), _d.id == delivery_id)
        row = self._connection.execute(query).mappings().first()
        if row is None:
            raise DeliveryNotFound(delivery_id)
        return _delivery_of(row)

    def page(
        self,
        trigger_id: str,
        limit: int,
        cursor: str | None,
        status: DeliveryStatus | None = None,
    ) -> Page[Delivery]:
        """What came for a trigger, removed ones included; newest first and without payloads."""
        query = select(*_WITHOUT_PAYLOAD).where(self._mine(), _d.trigger_id == trigger_id)
        if status is not None:
            query = query.where(_d.status == status)
        return page_of(self._connection, query, deliveries, limit, cursor, _delivery_of)

    # ---- inside ------------------------------------------------------------------------------

    def _mine(self) -> ColumnElement[bool]:
        return _d.tenant_id == self._tenant_id

    def _place(self, **more: str) -> dict[str, str]:
        return {"tenant": self._tenant_id, **more}

    def _trigger(self, trigger_id: str, *, lock: bool = False) -> RowMapping:
        """A trigger's row with the status of its agent."""
        query = _LOCKED_TRIGGER if lock else _TRIGGER
        row = self._connection.execute(query, self._place(trigger=trigger_id)).mappings().first()
        if row is None:
            raise TriggerNotFound(trigger_id)
        return row

    def _refuse_removed(self, trigger_id: str) -> None:
        if self._trigger(trigger_id)["removed_at"] is not None:
            raise TriggerNotFound(trigger_id)

    def _set_batch(self, trigger_id: str, batch_id: str | None) -> None:
        mine = (triggers.c.id == trigger_id, triggers.c.tenant_id == self._tenant_id)
        self._connection.execute(update(triggers).where(*mine).values(batch_id=batch_id))

    def _sent(self, trigger_id: str, delivery_id: str) -> Delivery | None:
        """A delivery by its sender's id."""
        place = (_d.trigger_id == trigger_id, _d.delivery_id == delivery_id)
        query = select(*_WITHOUT_PAYLOAD).where(self._mine(), *place)
        row = self._connection.execute(query).mappings().first()
        return None if row is None else _delivery_of(row)

    def _add(self, delivery: Delivery, *, is_due: bool) -> bool:
        row = delivery.model_dump(exclude={"received_at"}) | {
            "tenant_id": self._tenant_id,
            "created_at": delivery.received_at,
            "due_at": delivery.received_at if is_due else None,
        }
        return insert_new(self._connection, deliveries, row)

    def _quiet_in(self, run_id: str, debounce_s: float) -> float:
        """How many seconds a batch still waits."""
        query = select(func.min(_d.created_at), func.max(_d.created_at)).where(
            self._mine(), _d.execution_id == run_id, _IS_ACCEPTED
        )
        first, newest = self._connection.execute(query).one()
        quiet = timedelta(seconds=debounce_s)
        ends: datetime = min(newest + quiet, first + PATIENCE * quiet)
        return (ends - clock.now()).total_seconds()

    def _first_that_leads(
        self, trigger: Trigger, waiting: Iterable[RowMapping]
    ) -> dict[str, Json] | None:
        """The input for a run, of the first delivery that passes; those before it are settled."""
        for row in waiting:
            judged = _judged(trigger, _delivery_of(row))
            self._settle(_d.id == row["id"], judged.status, judged.reason, judged.message)
            if judged.status is DeliveryStatus.RUN:
                return judged.input_data
        return None

    def _settle_rest(
        self, run_id: str, status: DeliveryStatus, reason: DeadReason | None = None
    ) -> None:
        self._settle(_d.execution_id == run_id, status, reason, _WHY[reason] if reason else "")

    def _settle(
        self,
        which: ColumnElement[bool],
        status: DeliveryStatus,
        reason: DeadReason | None,
        message: str,
    ) -> None:
        settled = {"status": status, "reason": reason, "message": message, "due_at": None}
        statement = update(deliveries).where(self._mine(), which, _IS_ACCEPTED)
        self._connection.execute(statement.values(settled))

    def _settled(self, run: Run) -> Entry:
        """What became of the deliveries of a run that nothing waits for any more."""
        query = (
            select(_d.status, _d.reason, _d.message)
            .where(self._mine(), _d.execution_id == run.id)
            .order_by(_d.status != DeliveryStatus.RUN, _d.created_at.desc())
        )
        last = self._connection.execute(query.limit(1)).first()
        if last is None:
            return Entry(refusal=ErrorInfo(code="delivery_gone", message="It has no delivery."))
        if last.status == DeliveryStatus.RUN:
            return Entry(run=run)  # whose row is there since
        message = last.message or "The trigger's filter is false for it."
        return Entry(refusal=ErrorInfo(code=last.reason or last.status, message=message))

    def _revive(self, which: ColumnElement[bool]) -> bool:
        statement = update(deliveries).where(
            self._mine(), which, _d.status.in_([DeliveryStatus.DEAD, DeliveryStatus.FILTERED])
        )
        anew = {
            "status": DeliveryStatus.ACCEPTED,
            "reason": None,
            "message": "",
            "execution_id": new_id("ex"),
            "attempt": _d.attempt + 1,
            "due_at": clock.now(),
        }
        return self._connection.execute(statement.values(anew)).rowcount == 1


@dataclass(frozen=True, slots=True)
class _Judged:
    status: DeliveryStatus
    input_data: dict[str, Json] | None = None
    reason: DeadReason | None = None
    message: str = ""


def _judged(trigger: Trigger, delivery: Delivery) -> _Judged:
    event = OutsideEvent(
        delivery.event_type,
        delivery.delivery_id,
        delivery.payload,
        delivery.occurred_at or delivery.received_at,
    )
    try:
        if not passes(trigger.filter, event):
            return _Judged(DeliveryStatus.FILTERED)
    except ConditionFailed as failed:
        return _Judged(DeliveryStatus.DEAD, None, DeadReason.FILTER_FAILED, failed.message)
    try:
        return _Judged(DeliveryStatus.RUN, mapped(trigger.mapping, event))
    except ConditionFailed as failed:
        return _Judged(DeliveryStatus.DEAD, None, DeadReason.MAPPING_FAILED, failed.message)


def _hindrance(trigger: RowMapping) -> DeadReason | None:
    if trigger["removed_at"] is not None:
        return DeadReason.TRIGGER_REMOVED
    if trigger["agent_status"] != AgentStatus.ACTIVE:
        return DeadReason.AGENT_NOT_ACTIVE
    return None if trigger["enabled"] else DeadReason.TRIGGER_PAUSED


def _new(
    trigger: Trigger, event: Verified, refusal: DeadReason | None, batch_id: str | None
) -> Delivery:
    return Delivery(
        id=new_id("dl"),
        trigger_id=trigger.id,
        delivery_id=event.delivery_id,
        event_type=event.type,
        payload=event.payload,
        occurred_at=event.sent_at,
        received_at=clock.now(),
        status=DeliveryStatus.DEAD if refusal else DeliveryStatus.ACCEPTED,
        reason=refusal,
        message=_WHY[refusal] if refusal else "",
        execution_id=None if refusal else batch_id or new_id("ex"),
    )


def _delivery_of(row: RowMapping) -> Delivery:
    return Delivery.model_validate({**row, "received_at": row["created_at"]})
