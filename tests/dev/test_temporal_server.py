"""The Temporal server of one machine."""

import itertools
import sqlite3
import sys
from contextlib import closing
from pathlib import Path

import pytest
from temporalio.api.operatorservice.v1 import ListSearchAttributesRequest
from temporalio.client import Client, WorkflowExecutionStatus

from dev import temporal_server
from dev.errors import StartFailed
from dev.temporal_server import TemporalPorts
from tests.dev.programs import serving
from tests.support.requirements import requirement
from workflows.wire import SEARCH_ATTRIBUTES


async def custom_attributes(held: TemporalPorts) -> set[str]:
    client = await Client.connect(held.address)
    answer = await client.operator_service.list_search_attributes(
        ListSearchAttributesRequest(namespace="default")
    )
    return set(answer.custom_attributes)


def journal_mode(database: Path) -> str:
    with closing(sqlite3.connect(database)) as connection:
        return str(connection.execute("PRAGMA journal_mode").fetchone()[0])


def pairs_in(command: tuple[str, ...]) -> set[tuple[str, str]]:
    return set(itertools.pairwise(command))


def test_the_command_makes_the_server_durable_fair_and_quick(tmp_path: Path) -> None:
    held = TemporalPorts.reserve()
    try:
        command = temporal_server.server_command(
            Path("/bin/temporal"), tmp_path / "t.db", held, "http://localhost:8000/codec"
        )
    finally:
        for port in held:
            port.release()

    assert command[:3] == ("/bin/temporal", "server", "start-dev")
    assert len({port.number for port in held}) == 3
    assert pairs_in(command) >= {
        ("--db-filename", str(tmp_path / "t.db")),
        ("--port", str(held.frontend.number)),
        ("--ui-port", str(held.ui.number)),
        ("--metrics-port", str(held.metrics.number)),
        ("--sqlite-pragma", "journal_mode=WAL"),
        ("--sqlite-pragma", "synchronous=NORMAL"),
        ("--dynamic-config-value", "matching.enableFairness=true"),
        ("--dynamic-config-value", "history.transferProcessorMaxPollRPS=300"),
        ("--search-attribute", "OfTenant=Keyword"),
        ("--ui-codec-endpoint", "http://localhost:8000/codec"),
    }


@requirement("DUR-1")
async def test_a_killed_server_comes_back_on_its_file_with_all_that_it_had_accepted(
    tmp_path: Path,
) -> None:
    async with serving(tmp_path) as held:
        client = await Client.connect(held.address)
        await client.start_workflow("AgentRun", id="run/t/1", task_queue="nobody")

    async with serving(tmp_path) as held:
        client = await Client.connect(held.address)
        found = await client.get_workflow_handle("run/t/1").describe()
        assert found.status is WorkflowExecutionStatus.RUNNING
        assert await custom_attributes(held) == set(SEARCH_ATTRIBUTES)


async def test_a_file_made_by_a_server_with_other_settings_is_brought_to_ours(
    tmp_path: Path,
) -> None:
    async with serving(tmp_path, plain=True):
        pass

    async with serving(tmp_path) as held:
        assert await custom_attributes(held) == set(SEARCH_ATTRIBUTES)
        assert journal_mode(tmp_path / "temporal.db") == "wal"


async def test_a_server_that_does_not_answer_is_reported_with_its_log(tmp_path: Path) -> None:
    log = tmp_path / "temporal.log"
    log.write_text("Error: file is not a database (26)\n")

    with pytest.raises(StartFailed, match=r"file is not a database \(26\)"):
        await temporal_server.until_serving("127.0.0.1:1", log, within=0.2)


@requirement("OPS-3")
def test_a_missing_program_is_reported_with_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    monkeypatch.setenv("PATH", str(tmp_path))

    with pytest.raises(StartFailed, match="`make setup` installs it"):
        temporal_server.find_binary()


def test_a_program_on_the_path_will_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "temporal"
    program.touch(mode=0o755)
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    monkeypatch.setenv("PATH", str(tmp_path))

    assert temporal_server.find_binary() == program
