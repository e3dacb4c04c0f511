"""All processes of a platform see one storage folder, or say that they do not."""

import asyncio
from pathlib import Path

import pytest
from sqlalchemy import func, select

from omniforge.errors import StorageUnavailable
from omniforge.store import bootstrap
from omniforge.store.shared_storage import prove_shared
from omniforge.store.store import Store, open_store
from omniforge.store.tables import platform_marks


async def test_a_second_process_with_the_same_folder_is_welcome(
    database_url: str, tmp_path: Path
) -> None:
    api, worker = await _two(database_url, tmp_path / "one", tmp_path / "one")
    await prove_shared(api, "API")
    await prove_shared(worker, "worker")
    await prove_shared(api, "API")
    marks = await api.database.read(
        lambda c: c.execute(select(func.count()).select_from(platform_marks)).scalar_one()
    )
    await _close(api, worker)

    assert marks == 1


async def test_a_second_process_with_another_folder_is_refused(
    database_url: str, tmp_path: Path
) -> None:
    api, worker = await _two(database_url, tmp_path / "one", tmp_path / "two")
    await prove_shared(api, "API")

    with pytest.raises(StorageUnavailable, match=r"This worker does not see.*OMNIFORGE_STORAGE"):
        await prove_shared(worker, "worker")
    await _close(api, worker)


async def test_of_two_that_start_at_once_with_different_folders_one_is_refused(
    database_url: str, tmp_path: Path
) -> None:
    api, worker = await _two(database_url, tmp_path / "one", tmp_path / "two")
    outcomes = await asyncio.gather(
        prove_shared(api, "API"), prove_shared(worker, "worker"), return_exceptions=True
    )

    assert sorted(type(each).__name__ for each in outcomes) == ["NoneType", "StorageUnavailable"]
    await _close(api, worker)


async def _two(database_url: str, first: Path, second: Path) -> tuple[Store, Store]:
    await bootstrap.prepare(database_url)
    return open_store(database_url, first), open_store(database_url, second)


async def _close(*stores: Store) -> None:
    for store in stores:
        await store.close()
