"""No process works without a key that something is encrypted with."""

import asyncio
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from dev.environment import ROOT, ours
from omniforge.errors import KeyMissing, Rejected
from omniforge.keys import NO_KEYS, KeyRing, new_key
from omniforge.store import bootstrap
from omniforge.store.database import Database, open_database
from omniforge.store.keys_in_use import prove_keys, retire_key
from tests.support.requirements import requirement

OLD, NEW = new_key(), new_key()
BEFORE, BOTH, AFTER = KeyRing.of([OLD]), KeyRing.of([NEW, OLD]), KeyRing.of([NEW])


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    await bootstrap.prepare(database_url)
    opened = open_database(database_url)
    yield opened
    await opened.close()


async def test_a_key_comes_in_and_the_older_one_stays_until_it_is_retired(
    database: Database,
) -> None:
    for keys in (NO_KEYS, BEFORE, BEFORE, BOTH, BOTH):
        await prove_keys(database, keys)
    with pytest.raises(KeyMissing):
        await prove_keys(database, AFTER)

    await retire_key(database, BEFORE.newest)

    await prove_keys(database, AFTER)


@requirement("SEC-6")
@pytest.mark.parametrize("keys", [NO_KEYS, AFTER])
async def test_a_process_without_a_key_in_use_is_told_what_to_do(
    database: Database, keys: KeyRing
) -> None:
    await prove_keys(database, BEFORE)

    with pytest.raises(KeyMissing) as refused:
        await prove_keys(database, keys)

    assert "OMNIFORGE_CREDENTIAL_KEYS" in refused.value.message
    assert f"retire-key {BEFORE.newest}" in refused.value.message


async def test_only_a_key_in_use_can_be_retired(database: Database) -> None:
    await prove_keys(database, BEFORE)

    with pytest.raises(Rejected, match=BEFORE.newest):
        await retire_key(database, "another")


@requirement("SEC-6")
@pytest.mark.parametrize(("process", "status"), [("worker", 1), ("api", 3)])
async def test_neither_worker_nor_api_starts_without_a_key_in_use(
    tmp_path: Path, process: str, status: int
) -> None:
    url = f"sqlite:///{tmp_path / 'omniforge.db'}"
    await bootstrap.prepare(url)
    database = open_database(url)
    await prove_keys(database, BEFORE)
    await database.close()
    variables = {
        "OMNIFORGE_HOME": str(tmp_path),
        "OMNIFORGE_CREDENTIAL_ENCRYPTION_KEY": NEW,
        "OMNIFORGE_PORT": "1",
        "PYTHONPATH": str(ROOT),
    }

    started = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", process),
        cwd=tmp_path,
        env=ours() | variables,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    async with asyncio.timeout(60):
        output, _ = await started.communicate()

    assert started.returncode == status, output.decode()
    assert f"retire-key {BEFORE.newest}" in output.decode()
    assert NEW not in output.decode()
