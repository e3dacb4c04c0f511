"""The one way a run starts over HTTP: row first, then the workflow, then the answer."""

import asyncio
import contextlib
import hashlib
import json
import logging
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Annotated

from fastapi import Depends, Request
from temporalio.client import Client, WorkflowExecutionStatus
from temporalio.common import Priority, WorkflowIDReusePolicy
from temporalio.exceptions import WorkflowAlreadyStartedError
from temporalio.service import RPCError, RPCStatusCode

from activities.payloads import AgentRun
from api.schemas.agents import Files
from omniforge import clock
from omniforge.agents.config import AgentConfig, AgentStatus
from omniforge.agents.modes import RunMode, Terms
from omniforge.agents.runs import ErrorInfo, Run, RunPriority, RunStatus, RunTrigger
from omniforge.errors import AgentNotActive, TemporalUnavailable
from omniforge.identity import Principal, new_id
from omniforge.journal.blobs import BlobStore, Manifest
from omniforge.journal.steps import Json
from omniforge.skills.archive import from_json
from omniforge.store.retries import Retry
from omniforge.store.runs import IdempotencyKey
from omniforge.store.store import Repositories, Store
from workflows.agent_run import AgentRunWorkflow
from workflows.attributes import (
    ADMIT,
    LOOK_FOR_CONNECTION,
    LOOK_FOR_MONEY,
    run_attributes,
    run_workflow_id,
)
from workflows.wire import RUNS_QUEUE

log = logging.getLogger(__name__)

# The SDK retries by itself for longer than a caller waits.
START_TIMEOUT = 10.0
CLOSING_PAUSE = 0.05
# A raised cap can admit thousands; the calls of others go on between these.
SIGNALS_AT_ONCE = 16


@dataclass(frozen=True, slots=True)
class Order:
    """What a caller wants run. `key` is its Idempotency-Key; without a version it is the newest.

    Without a priority it is normal; a test or a replay is interactive, because somebody waits for it.
    """

    input_data: dict[str, Json]
    files: Manifest
    key: str | None = None
    mode: RunMode = RunMode.LIVE
    source_id: str | None = None
    terms: Terms = field(default_factory=Terms)
    version: int | None = None
    priority: RunPriority | None = None

    @property
    def urgency(self) -> RunPriority:
        is_live = self.mode is RunMode.LIVE
        return self.priority or (RunPriority.NORMAL if is_live else RunPriority.INTERACTIVE)

    def once(self, agent_id: str) -> IdempotencyKey | None:
        if self.key is None:
            return None
        terms = [self.mode, self.source_id, self.terms.model_dump(mode="json")]
        if self.priority not in {None, RunPriority.NORMAL}:
            terms.append(self.priority)
        body = json.dumps([agent_id, self.input_data, dict(self.files), terms], sort_keys=True)
        return IdempotencyKey(self.key, hashlib.sha256(body.encode()).hexdigest())


class Launch:
    def __init__(self, store: Store, client: Client) -> None:
        self._store, self._client = store, client

    async def start(self, agent: AgentConfig, order: Order, caller: Principal) -> Run:
        """Accept a run. When this returns, it is on record in the database and in Temporal.

        Raises:
            AgentNotActive: The agent is a draft, paused or archived; tests only mind the last.
            IdempotencyConflict: The key was used with another request.
            TemporalUnavailable: The run could not be started and was withdrawn; try again.
        """
        if agent.status not in _MAY_RUN.get(order.mode, _NOT_ARCHIVED):
            raise AgentNotActive(agent.id, agent.status)
        wanted = Run(
            id=new_id("ex"),
            agent_id=agent.id,
            tenant_id=caller.tenant_id,
            agent_version=order.version or agent.version,
            status=RunStatus.PENDING,
            priority=order.urgency,
            trigger_type=RunTrigger.ON_DEMAND,
            triggered_by=caller.user_id,
            mode=order.mode,
            source_id=order.source_id,
            terms=order.terms,
            input_data=order.input_data,
            created_at=clock.now(),
        )
        mine = self._store.for_tenant(caller.tenant_id)
        once = order.once(agent.id)

        def accept(db: Repositories) -> tuple[Run, float]:
            return db.runs.add(wanted, order.files, once)[0], db.admission.weight()

        run, weight = await mine.write(accept)
        if run.status is RunStatus.PENDING:
            await self.start_accepted(run, agent.name, weight)
        return run

    async def start_accepted(self, run: Run, agent_name: str, weight: float) -> None:
        """Start a run whose row was just written, or take it back.

        Raises:
            TemporalUnavailable: The run could not be started and was withdrawn; try again.
        """
        try:
            await self.start_workflow(run, agent_name, weight)
        except TemporalUnavailable:
            mine = self._store.for_tenant(run.tenant_id)
            if await mine.write(lambda db: db.runs.withdraw(run.id, _NOT_STARTED)):
                raise

    async def retry(self, run: Run, wanted: Retry) -> Run:
        """Take a run that has ended up again. When this returns it is on record, and it goes on.

        Raises:
            RunNotFinished, RunNotRetried, IdempotencyConflict: As `RetryRepository.retry` says.
            BudgetNotRaised: The cap is no lower than that, or is not this run's.
            TemporalUnavailable: The run's last workflow has not been closed. Nothing was changed.
        """
        if run.status.is_final:
            await self._workflow_closed(run)
        mine = self._store.for_tenant(run.tenant_id)

        def take_up(db: Repositories) -> tuple[Run, str, float]:
            again = db.retries.retry(run.id, wanted)
            return again, db.agents.get(run.agent_id).name, db.admission.weight()

        again, name, weight = await mine.write(take_up)
        if again.status is RunStatus.PENDING:
            # One that does not start now is pending, and started by the reconciler.
            with contextlib.suppress(TemporalUnavailable):
                await self.start_workflow(again, name, weight)
        return again

    async def _workflow_closed(self, run: Run) -> None:
        """The last act of a run's workflow comes a moment after the run's last event."""
        handle = self._client.get_workflow_handle(run_workflow_id(run.tenant_id, run.id))
        try:
            async with asyncio.timeout(START_TIMEOUT):
                while True:
                    described = await handle.describe()
                    if described.status is not WorkflowExecutionStatus.RUNNING:
                        return
                    await asyncio.sleep(CLOSING_PAUSE)
        except (RPCError, RuntimeError, TimeoutError) as error:
            if isinstance(error, RPCError) and error.status is RPCStatusCode.NOT_FOUND:
                return  # it is older than what Temporal keeps
            raise TemporalUnavailable(
                "The run was not taken up: Temporal, or the worker that has to close its last workflow,"
                " does not answer. Try again shortly."
            ) from error

    async def start_workflow(self, run: Run, agent_name: str, weight: float) -> None:
        """Start a run's workflow; that it has started before is as good. `weight` is its tenant's.

        Raises:
            TemporalUnavailable: No server took the start in time. It may have arrived all the same.
        """
        job = AgentRun(
            execution_id=run.id,
            tenant_id=run.tenant_id,
            agent_id=run.agent_id,
            trigger_type=run.trigger_type,
            triggered_by=run.triggered_by,
            trigger_id=run.trigger_id,
            generation=run.generation,
        )
        reuse = WorkflowIDReusePolicy.REJECT_DUPLICATE
        if run.generation:
            reuse = WorkflowIDReusePolicy.ALLOW_DUPLICATE
        try:
            async with asyncio.timeout(START_TIMEOUT):
                await self._client.start_workflow(
                    AgentRunWorkflow.run,
                    job,
                    id=run_workflow_id(run.tenant_id, run.id),
                    task_queue=RUNS_QUEUE,
                    id_reuse_policy=reuse,
                    search_attributes=run_attributes(run.tenant_id, run.agent_id),
                    static_summary=_summary(run, agent_name),
                    priority=Priority(run.priority.rank, run.tenant_id, weight),
                )
        except WorkflowAlreadyStartedError:
            return
        except (RPCError, RuntimeError, TimeoutError) as error:
            log.warning("start_failed", extra={"execution_id": run.id, "reason": str(error)})
            raise TemporalUnavailable(
                "The run was not started: the Temporal server does not answer. Try again shortly."
            ) from error

    async def admit(self, tenant_id: str, execution_ids: Collection[str]) -> None:
        """Tell queued runs that they have a place now. Whom this misses, the reconciler finds."""
        await self._signal(tenant_id, execution_ids, ADMIT)

    async def fund(self, tenant_id: str) -> int:
        """Tell the runs that wait for money and would get it; how many. It may be told in vain."""
        mine = self._store.for_tenant(tenant_id)
        in_funds = await mine.read(lambda db: db.budgets.in_funds())
        await self._signal(tenant_id, in_funds, LOOK_FOR_MONEY)
        return len(in_funds)

    async def reconnect(self, tenant_id: str) -> int:
        """Tell the runs that wait for an account that is connected by now; how many."""
        mine = self._store.for_tenant(tenant_id)
        reconnected = await mine.read(lambda db: db.connections.reconnected())
        await self._signal(tenant_id, reconnected, LOOK_FOR_CONNECTION)
        return len(reconnected)

    async def _signal(self, tenant_id: str, execution_ids: Collection[str], signal: str) -> None:
        few = asyncio.Semaphore(SIGNALS_AT_ONCE)

        async def tell(execution_id: str) -> None:
            handle = self._client.get_workflow_handle(run_workflow_id(tenant_id, execution_id))
            async with few:
                try:
                    await handle.signal(signal)
                except (RPCError, RuntimeError) as error:
                    what = {"execution_id": execution_id, "reason": str(error)}
                    log.warning("not_signalled", extra={**what, "signal": signal})

        await asyncio.gather(*map(tell, execution_ids))


def _launch(request: Request) -> Launch:
    launch: Launch = request.app.state.launch
    return launch


Launching = Annotated[Launch, Depends(_launch)]


async def stored(files: Files, blobs: BlobStore) -> Manifest:
    """The files of a request, kept under their content hashes."""
    return {path: await blobs.put(content) for path, content in from_json(files).items()}


_NOT_ARCHIVED = frozenset(AgentStatus) - {AgentStatus.ARCHIVED}
_MAY_RUN = {
    RunMode.LIVE: frozenset({AgentStatus.ACTIVE}),
    RunMode.REPLAY: frozenset(AgentStatus),  # it does nothing
}

_NOT_STARTED = ErrorInfo(
    code=TemporalUnavailable.code, message="The run was not accepted: Temporal did not answer."
)


def _summary(run: Run, agent_name: str) -> str:
    """What the Web UI calls a run."""
    return (
        agent_name if run.mode is RunMode.LIVE else f"{agent_name} ({run.mode.replace('_', ' ')})"
    )
