"""Puts a worker together from settings, and runs it until it is asked to stop."""

import asyncio
import logging
import signal
import sys
from datetime import timedelta
from typing import TYPE_CHECKING

import uvloop
from temporalio.client import Client
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

from activities.runs import RunActivities
from activities.skills import SkillActivities
from omniforge.errors import OmniForgeError
from omniforge.execution.factory import ExecutorFactory
from omniforge.execution.segments import SegmentRunner
from omniforge.llm.pricing import Pricing
from omniforge.llm.providers import make_llm
from omniforge.logs import set_up_logs
from omniforge.settings import Settings, load_settings
from omniforge.skills.pinned import PinnedSkills
from omniforge.store.shared_storage import prove_shared
from omniforge.store.store import Store, open_store
from omniforge.tools.builtin import builtin_tools
from workflows.agent_run import AgentRunWorkflow
from workflows.wire import RUNS_QUEUE, connect, register_search_attributes

if TYPE_CHECKING:
    from collections.abc import Iterable

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


def llm_of(settings: Settings) -> "LLM":
    """The model provider that the settings choose."""
    key = settings.anthropic_api_key
    return make_llm(
        settings.provider,
        model=settings.llm_model,
        api_key=key.get_secret_value() if key else None,
        base_url=settings.anthropic_base_url,
        pace=settings.offline_pace,
        prices=Pricing(settings.prices) if settings.prices else None,
    )


def make_worker(
    client: Client,
    store: Store,
    llm: "LLM",
    settings: Settings,
    more_tools: "Iterable[Tool]" = (),
) -> Worker:
    """A worker for runs. It owns nothing: client, store and model are closed by whoever made them."""
    http_timeout = timedelta(seconds=settings.http_timeout_s)
    tools = [*builtin_tools(settings.http_allow_private, http_timeout), *more_tools]
    executors = ExecutorFactory(tools, llm)
    segments = SegmentRunner(executors, store.blobs, settings.storage_path / "workspaces")
    skills = SkillActivities(store, PinnedSkills(store.blobs), segments)
    runs = RunActivities(store)
    return Worker(
        client,
        task_queue=RUNS_QUEUE,
        workflows=[AgentRunWorkflow],
        workflow_runner=UnsandboxedWorkflowRunner(),
        activities=[
            skills.run_skill,
            runs.begin,
            runs.mark_waiting,
            runs.decide,
            runs.count_steps,
            runs.finish,
        ],
        max_concurrent_activities=settings.max_concurrent_skills,
        graceful_shutdown_timeout=GRACEFUL_SHUTDOWN,
        sticky_queue_schedule_to_start_timeout=STICKY_TIMEOUT,
        max_heartbeat_throttle_interval=HEARTBEAT_THROTTLE,
        default_heartbeat_throttle_interval=HEARTBEAT_THROTTLE,
    )


async def run_worker(settings: Settings) -> None:
    """Work until SIGTERM or SIGINT; then finish the steps under way and leave the rest to others."""
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    llm, store = llm_of(settings), open_store(settings.database, settings.storage_path)
    try:
        await prove_shared(store, "worker")
        client = await connect()
        await register_search_attributes(client)
        async with make_worker(client, store, llm, settings):
            log.info("worker_started", extra={"queue": RUNS_QUEUE, "model": settings.provider})
            await stop.wait()
    finally:
        await store.close()
        await llm.aclose()
    log.info("worker_stopped")


def main() -> int:
    """Run a worker process; its exit status."""
    try:
        settings = load_settings()
        set_up_logs(settings.log_level, settings.log_file)
        uvloop.run(run_worker(settings))
    except OmniForgeError as error:
        sys.stderr.write(f"omniforge worker: {error.message}\n")
        return 1
    return 0
