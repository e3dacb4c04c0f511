"""A new build of the worker, with runs of the old one under way."""

import asyncio
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx2
import pytest
from temporalio.client import Client

from dev.environment import ROOT
from dev.platform import Platform as Processes
from dev.processes import Process
from omniforge.errors import Rejected
from omniforge.settings import Settings
from tests.support.platform import skill
from tests.support.ports import free_port
from tests.support.processes import PATIENCE, api_of, ended, patiently
from tests.support.requirements import requirement
from worker.versions import make_current

IN_FLIGHT, AFTERWARDS = 100, 10
OLD, NEW = "one", "two"

# What no run under way survives: a step of the workflow that is not in its history.
BEGIN = "            beginning = await self._begun()\n"


def changed_tree(folder: Path) -> Path:
    """This tree with another workflow in it."""
    folder.mkdir()
    for name in ("omniforge", "activities", "worker"):
        (folder / name).symlink_to(ROOT / name)
    shutil.copytree(ROOT / "workflows", folder / "workflows")
    code = folder / "workflows" / "agent_run.py"
    before = code.read_text()
    code.write_text(
        before.replace(BEGIN, f'            await self._books.count_steps("new")\n{BEGIN}')
    )
    assert code.read_text() != before
    return folder


@asynccontextmanager
async def worker_of(processes: Processes, tree: Path) -> AsyncIterator[Process]:
    changed = {"OMNIFORGE_WORKER_BUILD": NEW, "PYTHONPATH": str(tree)}
    part = processes._part("worker", **changed)
    worker = await Process.start(part)
    try:
        yield worker
    finally:
        await worker.stop(15)


async def current(client: Client, build: str) -> None:
    """Make a build the current one, as soon as its worker has asked for work."""
    async with asyncio.timeout(PATIENCE):
        while True:
            try:
                return await make_current(client, build)
            except Rejected:
                await asyncio.sleep(0.1)


async def builds(client: Client, processes: Processes, run: str) -> set[str]:
    """The builds of the workers that carried a run."""
    tenant = processes.credentials.tenant_id
    history = await client.get_workflow_handle(f"run/{tenant}/{run}").fetch_history()
    return {
        event.workflow_task_completed_event_attributes.deployment_version.build_id
        for event in history.events
        if event.HasField("workflow_task_completed_event_attributes")
    }


async def start_runs(api: httpx2.AsyncClient, agent: str, count: int) -> list[str]:
    path = f"/api/v1/agents/{agent}/run"
    answers = [await patiently(api, "POST", path, json={"input_data": {}}) for _ in range(count)]
    return [str(answer["execution_id"]) for answer in answers]


@pytest.mark.long
@pytest.mark.timeout(180)
@requirement("DUR-6")
async def test_runs_under_way_end_on_the_build_they_began_on(tmp_path: Path) -> None:
    settings = Settings(
        _env_file=None,
        home=tmp_path / "home",
        port=free_port(),
        llm_provider="offline",
        offline_pace=1.0,
        worker_build=OLD,
    )
    skills = [skill("first"), skill("second", order=2)]
    tree = changed_tree(tmp_path / "tree")
    async with Processes.start(settings) as processes, api_of(processes) as api:
        client = await Client.connect(processes.temporal_address)
        await current(client, OLD)
        body = {"name": "long", "status": "active", "skills": skills}
        agent = (await patiently(api, "POST", "/api/v1/agents", json=body))["id"]
        runs = await start_runs(api, agent, IN_FLIGHT)
        async with worker_of(processes, tree):
            await current(client, NEW)
            later = await start_runs(api, agent, AFTERWARDS)
            ends = [await ended(api, run) for run in (*runs, *later)]
            on_old = [await builds(client, processes, run) for run in runs]
            on_new = [await builds(client, processes, run) for run in later]

    assert {run["status"] for run in ends} == {"completed"}
    assert on_old == [{OLD}] * IN_FLIGHT
    assert on_new == [{NEW}] * AFTERWARDS
