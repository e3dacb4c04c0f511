"""Which runs of a schedule may be under way side by side.

A run that is to wait for an earlier one is queued, and out of its workspace's queue until it is let in.
"""

from typing import Any

from sqlalchemy import Connection, RowMapping, and_, select, update

from omniforge.agents.runs import RunStatus, RunTrigger
from omniforge.agents.triggers.schedules import Overlap
from omniforge.store.admission import EARLIER_RUN, AdmissionRepository
from omniforge.store.repository import Repository
from omniforge.store.tables import agent_executions, schedules

_runs = agent_executions.c
_IS_HELD = and_(_runs.status == RunStatus.QUEUED, _runs.waiting_for == EARLIER_RUN)
_WAITS_FOR_PEOPLE = and_(_runs.status == RunStatus.WAITING, _runs.waiting_for != "child")


class OverlapRepository(Repository):
    """Lock the schedule first, then look: whoever ends a run of it does the same.

    The order of locks is schedule, tenant, run.
    """

    def __init__(
        self, connection: Connection, tenant_id: str, admission: AdmissionRepository
    ) -> None:
        super().__init__(connection, tenant_id)
        self._admission = admission

    def lock(self, schedule_id: str) -> RowMapping | None:
        """The schedule's row, which no other transaction looks at this way before this one ends."""
        mine = (schedules.c.id == schedule_id, schedules.c.tenant_id == self._tenant_id)
        query = select(schedules).where(*mine).with_for_update(key_share=True)
        return self._connection.execute(query).mappings().first()

    def lock_of(self, run_id: str) -> str | None:
        """The schedule of a run, locked, because the end of one run may be the beginning of another."""
        query = select(_runs.trigger_id).where(
            _runs.id == run_id,
            _runs.tenant_id == self._tenant_id,
            _runs.trigger_type == RunTrigger.SCHEDULED,
        )
        schedule_id: str | None = self._connection.execute(query).scalar()
        if schedule_id is not None:
            self.lock(schedule_id)
        return schedule_id

    def blocker(self, schedule: RowMapping) -> str | None:
        """The run of a schedule that keeps another one from beginning. Ask under the lock."""
        query = self._unfinished(schedule["id"]).where(~_IS_HELD)
        if schedule["overlap_waiting"]:
            query = query.where(~_WAITS_FOR_PEOPLE)
        return self._connection.execute(query.limit(1)).scalar()

    def has_held(self, schedule_id: str) -> bool:
        query = self._unfinished(schedule_id).where(_IS_HELD)
        return self._connection.execute(query.limit(1)).first() is not None

    def let_in(self, schedule_id: str) -> bool:
        """Let the next run that was held into the workspace's queue, unless one is in its way.

        Admit afterwards: this only makes it eligible. True when there was one.
        """
        schedule = self.lock(schedule_id)
        if schedule is None or self._is_in_the_way(schedule):
            return False
        order = (_runs.scheduled_at, _runs.id)
        following = self._unfinished(schedule_id).where(_IS_HELD).order_by(*order).limit(1)
        eligible = update(agent_executions).where(_runs.id.in_(following.subquery().select()))
        eligible = eligible.where(_runs.tenant_id == self._tenant_id)
        return self._connection.execute(eligible.values(waiting_for=None)).rowcount == 1

    def make_room(self, schedule_id: str | None, is_place_free: bool) -> None:
        """Let in and admit whoever may begin because a run has ended, or waits for people."""
        is_let_in = schedule_id is not None and self.let_in(schedule_id)
        if is_let_in or is_place_free:
            self._admission.admit()

    def let_all_in(self) -> None:
        """The same for every schedule of the tenant. What a crash or a changed setting left is healed."""
        held = (
            select(_runs.trigger_id).distinct().where(_runs.tenant_id == self._tenant_id, _IS_HELD)
        )
        for schedule_id in sorted(self._connection.execute(held).scalars()):
            self.let_in(schedule_id)

    def _is_in_the_way(self, schedule: RowMapping) -> bool:
        return Overlap(schedule["overlap"]) is not Overlap.ALLOW and bool(self.blocker(schedule))

    def _unfinished(self, schedule_id: str) -> Any:
        mine = (_runs.trigger_id == schedule_id, _runs.tenant_id == self._tenant_id)
        return select(_runs.id).where(*mine, _runs.completed_at.is_(None))
