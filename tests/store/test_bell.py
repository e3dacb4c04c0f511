"""Whoever tails events is woken by a commit anywhere."""

import asyncio
from pathlib import Path

import pytest

from omniforge.store import bell as bell_module
from omniforge.store.bell import Bell, listening
from omniforge.store.store import Store, open_store
from tests.store.making import Tenant


@pytest.fixture(autouse=True)
def _only_the_bell_wakes(monkeypatch: pytest.MonkeyPatch) -> None:
    """The slow poll would hide a bell that does not ring."""
    monkeypatch.setattr(bell_module, "SLOW_POLL", 60.0)


async def rings(bell: Bell) -> None:
    async with asyncio.timeout(10):
        await bell.wait(bell.next_ring())


async def test_the_bell_rings_when_another_connection_commits_events(
    store: Store, prepared_url: str, tmp_path: Path
) -> None:
    other = open_store(prepared_url, tmp_path / "storage")
    tenant = await Tenant.new(other)
    async with listening(store.database) as bell:
        await rings(bell)  # at first, to say that it listens
        rung = bell.next_ring()
        await tenant.begun()

        async with asyncio.timeout(10):
            await bell.wait(rung)
        assert rung.is_set()
    await other.close()


async def test_the_bell_rings_for_every_commit(
    store: Store, prepared_url: str, tmp_path: Path
) -> None:
    other = open_store(prepared_url, tmp_path / "storage")
    tenant = await Tenant.new(other)
    async with listening(store.database) as bell:
        await rings(bell)
        for _ in range(3):
            rung = bell.next_ring()
            await tenant.begun()
            async with asyncio.timeout(10):
                await rung.wait()
    await other.close()


async def test_all_who_wait_are_woken_and_a_ring_before_the_look_is_not_lost() -> None:
    bell = Bell()
    rung = bell.next_ring()
    waiting = [asyncio.create_task(bell.wait(rung)) for _ in range(3)]
    await asyncio.sleep(0)
    bell.ring()

    async with asyncio.timeout(5):
        await asyncio.gather(*waiting)
        await bell.wait(rung)  # rung already: no wait


async def test_without_a_ring_the_slow_poll_is_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bell_module, "SLOW_POLL", 0.01)
    bell = Bell()

    async with asyncio.timeout(5):
        await bell.wait(bell.next_ring())


@pytest.mark.postgres
async def test_the_bell_comes_back_when_the_server_cut_its_line(
    prepared_postgres: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from sqlalchemy import text

    monkeypatch.setattr(bell_module, "SLOW_POLL", 0.02)
    store = open_store(prepared_postgres, tmp_path)
    others = text(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE query LIKE 'LISTEN%' AND datname = current_database()"
    )
    async with listening(store.database) as bell:
        await _heard(bell)
        assert await store.database.write(lambda c: c.execute(others).rowcount) == 1
        await _heard(bell)
    await store.close()


async def _heard(bell: Bell) -> None:
    """A ring itself, not the poll behind it."""
    async with asyncio.timeout(10):
        await bell.next_ring().wait()
