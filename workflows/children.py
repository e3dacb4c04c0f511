"""The runs of other agents that skills wait for, from their start to word of their end."""

import contextlib
from typing import Any

from temporalio import workflow
from temporalio.common import WorkflowIDReusePolicy
from temporalio.exceptions import (
    ChildWorkflowError,
    FailureError,
    WorkflowAlreadyStartedError,
)

with workflow.unsafe.imports_passed_through():
    from activities.payloads import AgentRun, Child, OpenWait, Wished
    from workflows.attributes import AGENT_RUN, FOLLOW, run_attributes, run_workflow_id
    from workflows.bookkeeping import Bookkeeping


class Children:
    """Those of one run."""

    def __init__(self, job: AgentRun, books: Bookkeeping) -> None:
        self._job, self._books = job, books
        self._under_way: dict[str, workflow.ChildWorkflowHandle[Any, Any]] = {}

    async def run(self, wait: OpenWait) -> None:
        """Start one unless it is refused. Its result, or the refusal, is in its parent's inbox afterwards."""
        child = await self._books.order_child(wait.id)
        if not child.refusal and not child.is_done:
            await self._to_its_end(child)
        await self._books.child_ended(child)

    async def tell(self, wished: Wished) -> None:
        """Ask the same of them as of their parent. Their own children hear it from them."""
        for execution_id, handle in list(self._under_way.items()):
            with contextlib.suppress(FailureError):  # it has ended meanwhile
                theirs = wished.model_copy(update={"execution_id": execution_id})
                await handle.signal(FOLLOW, theirs)

    async def _to_its_end(self, child: Child) -> None:
        run = AgentRun(
            execution_id=child.execution_id,
            tenant_id=child.tenant_id,
            agent_id=child.agent_id,
            trigger_type=self._job.trigger_type,
            triggered_by=child.triggered_by,
            parent_id=child.parent_id,
            generation=child.generation,
        )
        reuse = WorkflowIDReusePolicy.REJECT_DUPLICATE
        if child.generation:
            reuse = WorkflowIDReusePolicy.ALLOW_DUPLICATE
        try:
            handle = await workflow.start_child_workflow(
                AGENT_RUN,
                run,
                id=run_workflow_id(child.tenant_id, child.execution_id),
                id_reuse_policy=reuse,
                parent_close_policy=workflow.ParentClosePolicy.REQUEST_CANCEL,
                search_attributes=run_attributes(child.tenant_id, child.agent_id),
            )
            self._under_way[child.execution_id] = handle
            await handle
        except (ChildWorkflowError, WorkflowAlreadyStartedError):
            # What became of it is in its own row, which the waiting skill reads.
            workflow.logger.warning("child_failed", extra={"execution_id": child.execution_id})
        finally:
            self._under_way.pop(child.execution_id, None)
