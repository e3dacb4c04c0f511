"""Puts a worker together from settings, and runs it until it is asked to stop."""

import asyncio
import gc
import logging
import signal
import sys
from collections.abc import Sequence
from datetime import timedelta
from typing import TYPE_CHECKING

import uvloop
from temporalio.client import Client
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

from activities.connections import ConnectionActivities
from activities.runs import RunActivities
from activities.skills import SkillActivities
from omniforge.assembly import (
    apps_from,
    connections_from,
    llm_from,
    sandbox_from,
    services_from,
    tools_from,
)
from omniforge.errors import OmniForgeError, Rejected
from omniforge.execution.factory import ExecutorFactory
from omniforge.execution.loop.preamble import Rules
from omniforge.execution.segments import SegmentRunner, ToolSource
from omniforge.execution.sources.connected import ConnectedTools
from omniforge.execution.sources.mcp import McpSource
from omniforge.execution.sources.sub_agents import SubAgents
from omniforge.logs import set_up_logs
from omniforge.settings import Settings, environment, load_settings
from omniforge.skills.pinned import PinnedSkills
from omniforge.store.connections import StoredAccounts
from omniforge.store.keys_in_use import prove_keys
from omniforge.store.mcp_servers import StoredServers
from omniforge.store.shared_storage import prove_shared
from omniforge.store.store import Store, StoredChildren, open_store
from omniforge.tools.mcp.servers import read_servers
from omniforge.tools.mcp.source import McpTools, Reach
from worker.tokens import Freshener
from worker.versions import deployment_of, make_current
from workflows.agent_run import AgentRunWorkflow
from workflows.connection import ConnectionWorkflow
from workflows.wire import RUNS_QUEUE, connect, register_search_attributes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any

    from omniforge.integrations.http.access import HttpAccess
    from omniforge.llm.protocol import LLM
    from omniforge.tools.protocol import Tool

log = logging.getLogger(__name__)

# Long enough for most steps under way to be recorded; what is not done by then goes on elsewhere.
# Whoever supervises a worker must wait longer than this before it kills (`make up`: 15 s).
GRACEFUL_SHUTDOWN = timedelta(seconds=10)
# A workflow task of a worker that died waits this long before another may have it.
STICKY_TIMEOUT = timedelta(seconds=2)
# The server must hear every beat: it takes silence of five seconds for death.
HEARTBEAT_THROTTLE = timedelta(seconds=1)
# A cached run costs some 90 KB, two thirds of it outside of Python. One that is not in the cache is
# replayed when it goes on: measured, 500 runs at once then cost 3 to 13 % more processor time, and
# 1,000 that wait cost 45 MB instead of 101.
CACHED_RUNS = 300
# Fairness between tenants is the server's, so the backlog has to wait there and not in here: with the
# SDK's 100, a run beside 1,000 of another tenant's was up to 1.8 s late, with 30 beside 2,000 up to
# 1.1 s. With 10, a hundred runs at once took a quarter longer.
WORKFLOW_TASKS = 30
# Objects that Python makes before it looks for cycles among them. Runs leave few: with its own 700,
# looking took 5 % of a worker's processor time, with this under 1 %.
COLLECT_AFTER = 10_000


def mcp_of(settings: Settings) -> McpTools:
    """The tools of MCP servers, as far as this machine offers any."""
    reach = Reach(
        environment(), settings.http_allow_private, timedelta(seconds=settings.mcp_timeout_s)
    )
    return McpTools(read_servers(settings.mcp_servers), reach)


def make_worker(
    client: Client,
    store: Store,
    llm: "LLM",
    settings: Settings,
    more_tools: "Iterable[Tool]" = (),
    mcp: McpTools | None = None,
    services: "HttpAccess | None" = None,
) -> Worker:
    """A worker for runs. It owns nothing: what it is given is closed by whoever made it."""
    executors = ExecutorFactory(
        [*tools_from(settings), *more_tools],
        llm,
        sandbox_from(settings),
        permits_commands=settings.sandbox_commands,
        fallbacks=settings.llm_fallbacks,
    )
    workspaces = settings.storage_path / "workspaces"
    rules = Rules(settings.context_window, settings.compact_at, settings.max_failures)
    connections = connections_from(settings, store, apps_from(settings, store), Freshener(client))
    sources = _sources(store, mcp)
    if services is not None:
        sources.append(ConnectedTools(StoredAccounts(store, connections), services))
    segments = SegmentRunner(executors, store.blobs, workspaces, sources, rules)
    skills = PinnedSkills(store.blobs)
    return Worker(
        client,
        task_queue=RUNS_QUEUE,
        workflows=[AgentRunWorkflow, ConnectionWorkflow],
        workflow_runner=UnsandboxedWorkflowRunner(),
        activities=[
            *_activities(SkillActivities(store, skills, segments), RunActivities(store)),
            *_connection_activities(ConnectionActivities(connections)),
        ],
        max_concurrent_workflow_tasks=WORKFLOW_TASKS,
        deployment_config=deployment_of(settings.worker_build),
        max_concurrent_activities=settings.max_concurrent_skills,
        graceful_shutdown_timeout=GRACEFUL_SHUTDOWN,
        sticky_queue_schedule_to_start_timeout=STICKY_TIMEOUT,
        max_cached_workflows=CACHED_RUNS,
        max_heartbeat_throttle_interval=HEARTBEAT_THROTTLE,
        default_heartbeat_throttle_interval=HEARTBEAT_THROTTLE,
    )


def _activities(skills: SkillActivities, runs: RunActivities) -> "list[Callable[..., Any]]":
    return [
        skills.run_skill,
        runs.begin,
        runs.mark_waiting,
        runs.fate,
        runs.join,
        runs.fail_node,
        runs.decide,
        runs.overdue,
        runs.wish,
        runs.steer,
        runs.raise_budget,
        runs.look_for_money,
        runs.look_for_connections,
        runs.order_child,
        runs.child_ended,
        runs.count_steps,
        runs.finish,
    ]


def _connection_activities(connections: ConnectionActivities) -> "list[Callable[..., Any]]":
    return [
        connections.connection_state,
        connections.refresh_connection,
        connections.disconnect,
    ]


def _sources(store: Store, mcp: McpTools | None) -> list[ToolSource]:
    """Tools that are found out about when a skill begins."""
    sources: list[ToolSource] = [SubAgents(StoredChildren(store))]
    if mcp is not None:
        sources.append(McpSource(mcp, StoredServers(store)))
    return sources


async def run_worker(settings: Settings) -> None:
    """Work until SIGTERM or SIGINT; then finish the steps under way and leave the rest to others."""
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    mcp, services = mcp_of(settings), services_from(settings)
    cap = settings.max_concurrent_runs
    llm, store = llm_from(settings), open_store(settings.database, settings.storage_path, cap)
    try:
        await prove_shared(store, "worker")
        await prove_keys(store.database, settings.key_ring)
        client = await connect(settings.key_ring)
        await register_search_attributes(client)
        async with make_worker(client, store, llm, settings, mcp=mcp, services=services):
            log.info("worker_started", extra={"queue": RUNS_QUEUE, "model": settings.provider})
            await stop.wait()
    finally:
        await mcp.aclose()
        await services.aclose()
        await store.close()
        await llm.aclose()
    log.info("worker_stopped")


async def promote(settings: Settings) -> None:
    """Make this build the one that new runs begin on."""
    if not settings.worker_build:
        raise Rejected("Set OMNIFORGE_WORKER_BUILD to the build that is to be the current one.")
    await make_current(await connect(), settings.worker_build)


USAGE = """\
python -m worker          work until SIGTERM
python -m worker promote  have new runs begin on the build that OMNIFORGE_WORKER_BUILD names
"""


def main(arguments: Sequence[str] = ()) -> int:
    """One of the commands of `USAGE`; its exit status."""
    if list(arguments) not in ([], ["promote"]):
        sys.stderr.write(USAGE)
        return 2
    try:
        settings = load_settings()
        set_up_logs(settings.log_level, settings.log_file)
        gc.set_threshold(COLLECT_AFTER)
        uvloop.run(promote(settings) if arguments else run_worker(settings))
    except OmniForgeError as error:
        sys.stderr.write(f"omniforge worker: {error.message}\n")
        return 1
    return 0
