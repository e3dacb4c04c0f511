"""A worker killed in the middle of a call to a server that it runs itself."""

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from dev.platform import Platform as Processes
from omniforge.settings import Settings
from tests.mcp.making import HERE
from tests.support.platform import FINAL
from tests.support.ports import free_port
from tests.support.processes import PATIENCE, api_of, ended, started, until
from tests.support.requirements import requirement


@pytest.fixture
async def processes(tmp_path: Path) -> AsyncIterator[Processes]:
    file = tmp_path / "mcp.json"
    honest = {"command": sys.executable, "args": [str(HERE / "honest.py"), str(tmp_path)]}
    file.write_text(json.dumps({"mcpServers": {"honest": honest}}))
    settings = Settings(
        _env_file=None,
        home=tmp_path / "home",
        port=free_port(),
        llm_provider="offline",
        mcp_servers=file,
        mcp_timeout_s=6,
    )
    async with Processes.start(settings) as running:
        yield running


@pytest.mark.long
@requirement("TOOL-2", "DUR-2")
async def test_a_call_whose_worker_was_killed_is_a_persons_to_judge_and_sent_once(
    processes: Processes, tmp_path: Path
) -> None:
    body = '1. Hold: `mcp__honest__hold {"text": "once"}`\n2. Answer: `{"said": "${steps.1.confirmed_by}"}`'
    async with api_of(processes) as api:
        execution = await started(api, body, mcp_servers=["honest"])
        async with asyncio.timeout(PATIENCE):
            while not (tmp_path / "posts").exists():
                await asyncio.sleep(0.02)

        processes.kill("worker")
        waiting = await until(api, execution, {"waiting"} | FINAL)
        approvals = (await api.get("/api/v1/approvals")).json()["approvals"]
        await api.post(f"/api/v1/approvals/{approvals[0]['id']}", json={"decision": "happened"})
        run = await ended(api, execution)

    assert waiting["waiting_for"] == "effect"
    assert run["status"] == "completed", run["error"]
    assert (tmp_path / "posts").read_text() == "once\n"
