"""The one way a run starts over HTTP: row first, then the workflow, then the answer."""

import asyncio
import hashlib
import json
import logging
from dataclasses import dataclass, field
from typing import Annotated

from fastapi import Depends, Request
from temporalio.client import Client
from temporalio.common import Priority, WorkflowIDReusePolicy
from temporalio.exceptions import WorkflowAlreadyStartedError
from temporalio.service import RPCError

from activities.payloads import AgentRun
from api.schemas.agents import Files
from omniforge import clock
from omniforge.agents.config import AgentConfig, AgentStatus
from omniforge.agents.modes import RunMode, Terms
from omniforge.agents.runs import ErrorInfo, Run, RunStatus, RunTrigger
from omniforge.errors import AgentNotActive, TemporalUnavailable
from omniforge.identity import Principal, new_id
from omniforge.journal.blobs import BlobStore, Manifest
from omniforge.journal.steps import Json
from omniforge.skills.archive import from_json
from omniforge.store.runs import IdempotencyKey
from omniforge.store.store import Store
from workflows.agent_run import AgentRunWorkflow
from workflows.attributes import run_attributes, run_workflow_id
from workflows.wire import RUNS_QUEUE

log = logging.getLogger(__name__)

# The SDK retries by itself for longer than a caller waits.
START_TIMEOUT = 10.0


@dataclass(frozen=True, slots=True)
class Order:
    """What a caller wants run. `key` is its Idempotency-Key; without a version it is the newest."""

    input_data: dict[str, Json]
    files: Manifest
    key: str | None = None
    mode: RunMode = RunMode.LIVE
    source_id: str | None = None
    terms: Terms = field(default_factory=Terms)
    version: int | None = None

    def once(self, agent_id: str) -> IdempotencyKey | None:
        if self.key is None:
            return None
        terms = [self.mode, self.source_id, self.terms.model_dump()]
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
        run, _ = await mine.write(lambda db: db.runs.add(wanted, order.files, once))
        if run.status is not RunStatus.PENDING:
            return run
        try:
            await self.start_workflow(run, agent.name)
        except TemporalUnavailable:
            if await mine.write(lambda db: db.runs.withdraw(run.id, _NOT_STARTED)):
                raise
        return run

    async def start_workflow(self, run: Run, agent_name: str) -> None:
        """Start a run's workflow; that it has started before is as good.

        Raises:
            TemporalUnavailable: No server took the start in time. It may have arrived all the same.
        """
        job = AgentRun(
            execution_id=run.id,
            tenant_id=run.tenant_id,
            agent_id=run.agent_id,
            trigger_type=run.trigger_type,
            triggered_by=run.triggered_by,
        )
        try:
            async with asyncio.timeout(START_TIMEOUT):
                await self._client.start_workflow(
                    AgentRunWorkflow.run,
                    job,
                    id=run_workflow_id(run.tenant_id, run.id),
                    task_queue=RUNS_QUEUE,
                    id_reuse_policy=WorkflowIDReusePolicy.REJECT_DUPLICATE,
                    search_attributes=run_attributes(run.tenant_id, run.agent_id),
                    static_summary=_summary(run, agent_name),
                    priority=Priority(fairness_key=run.tenant_id),
                )
        except WorkflowAlreadyStartedError:
            return
        except (RPCError, RuntimeError, TimeoutError) as error:
            log.warning("start_failed", extra={"execution_id": run.id, "reason": str(error)})
            raise TemporalUnavailable(
                "The run was not started: the Temporal server does not answer. Try again shortly."
            ) from error


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
