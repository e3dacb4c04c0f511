"""A run's row and its nodes', as the workflow has them written: short local activities."""

from typing import Literal

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.payloads import (
        Admitted,
        AgentRun,
        Beginning,
        Child,
        ConnectionsWanted,
        Decided,
        Finish,
        InFunds,
        MoneyWanted,
        NodeRef,
        Overdue,
        Raise,
        Reconnected,
        RunOutcome,
        Steer,
        Waiting,
        Wished,
    )
    from activities.runs import RunActivities
    from omniforge.agents.runs import ErrorInfo, Fate, RunStatus
    from workflows.policies import BOOKKEEPING


class Bookkeeping:
    """Of one run. Each call is written by the time it returns, and may be repeated."""

    def __init__(self, job: AgentRun) -> None:
        self._job = job

    async def begin(self) -> Beginning:
        return await workflow.execute_local_activity_method(
            RunActivities.begin, self._job, **BOOKKEEPING
        )

    async def mark(self, waiting_for: str | None) -> Admitted:
        waiting = Waiting(
            execution_id=self._job.execution_id,
            tenant_id=self._job.tenant_id,
            waiting_for=waiting_for,
        )
        return await workflow.execute_local_activity_method(
            RunActivities.mark_waiting, waiting, **BOOKKEEPING
        )

    async def finish(self, status: RunStatus, error: ErrorInfo | None) -> RunOutcome:
        finish = Finish(
            execution_id=self._job.execution_id,
            tenant_id=self._job.tenant_id,
            status=status,
            error=error,
            generation=self._job.generation,
        )
        return await workflow.execute_local_activity_method(
            RunActivities.finish, finish, **BOOKKEEPING
        )

    # ---- nodes -------------------------------------------------------------------------------

    async def fate(self, node: str) -> Fate:
        return await workflow.execute_local_activity_method(
            RunActivities.fate, self._node(node), **BOOKKEEPING
        )

    async def join(self, node: str) -> None:
        await workflow.execute_local_activity_method(
            RunActivities.join, self._node(node), **BOOKKEEPING
        )

    async def fail(self, node: str, error: ErrorInfo) -> None:
        await workflow.execute_local_activity_method(
            RunActivities.fail_node, self._node(node, error), **BOOKKEEPING
        )

    async def count_steps(self, node: str) -> int:
        return await workflow.execute_local_activity_method(
            RunActivities.count_steps, self._node(node), **BOOKKEEPING
        )

    def _node(self, node: str, error: ErrorInfo | None = None) -> NodeRef:
        return NodeRef(
            execution_id=self._job.execution_id,
            tenant_id=self._job.tenant_id,
            node=node,
            generation=self._job.generation,
            error=error,
        )

    # ---- what people say ---------------------------------------------------------------------

    async def decide(self, decision: Decided) -> None:
        await workflow.execute_local_activity_method(RunActivities.decide, decision, **BOOKKEEPING)

    async def overdue(
        self, approval_id: str, what: Literal["remind", "escalate", "give_up"]
    ) -> None:
        overdue = Overdue(tenant_id=self._job.tenant_id, approval_id=approval_id, what=what)
        await workflow.execute_local_activity_method(RunActivities.overdue, overdue, **BOOKKEEPING)

    async def wish(self, wished: Wished) -> None:
        await workflow.execute_local_activity_method(RunActivities.wish, wished, **BOOKKEEPING)

    async def steer(self, message: Steer) -> None:
        await workflow.execute_local_activity_method(RunActivities.steer, message, **BOOKKEEPING)

    async def raise_budget(self, more: Raise) -> None:
        await workflow.execute_local_activity_method(
            RunActivities.raise_budget, more, **BOOKKEEPING
        )

    async def look_for_money(self) -> InFunds:
        wanted = MoneyWanted(execution_id=self._job.execution_id, tenant_id=self._job.tenant_id)
        return await workflow.execute_local_activity_method(
            RunActivities.look_for_money, wanted, **BOOKKEEPING
        )

    async def look_for_connections(self) -> Reconnected:
        wanted = ConnectionsWanted(
            execution_id=self._job.execution_id, tenant_id=self._job.tenant_id
        )
        return await workflow.execute_local_activity_method(
            RunActivities.look_for_connections, wanted, **BOOKKEEPING
        )

    # ---- child runs --------------------------------------------------------------------------

    async def order_child(self, child_id: str) -> Child:
        child = Child(
            parent_id=self._job.execution_id,
            tenant_id=self._job.tenant_id,
            execution_id=child_id,
            is_known=self._job.generation > 0,
        )
        return await workflow.execute_local_activity_method(
            RunActivities.order_child, child, **BOOKKEEPING
        )

    async def child_ended(self, child: Child) -> None:
        await workflow.execute_local_activity_method(
            RunActivities.child_ended, child, **BOOKKEEPING
        )
