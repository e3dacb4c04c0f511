"""Lists, part by part."""

import base64
import json
from datetime import timedelta
from itertools import chain

import pytest

from omniforge import clock
from omniforge.agents.runs import Run
from omniforge.errors import Rejected
from omniforge.store.sql import Page
from tests.store.making import Tenant


async def page(tenant: Tenant, limit: int, cursor: str | None = None) -> Page[Run]:
    return await tenant.mine.read(lambda db: db.runs.page(limit, cursor, None, None))


async def every_page(tenant: Tenant, limit: int) -> list[list[str]]:
    found = [await page(tenant, limit)]
    while (cursor := found[-1].next_cursor) is not None:
        found.append(await page(tenant, limit, cursor))
    return [[run.id for run in each.items] for each in found]


async def test_pages_tell_everything_once_newest_first(tenant: Tenant) -> None:
    agent, at = await tenant.agent(), clock.now()
    runs = [
        (await tenant.run(agent, created_at=at - timedelta(microseconds=n))).id for n in range(5)
    ]

    assert await every_page(tenant, 2) == [runs[:2], runs[2:4], runs[4:]]
    assert await every_page(tenant, 5) == [runs]


async def test_what_was_made_in_the_same_moment_keeps_one_order(tenant: Tenant) -> None:
    agent, at = await tenant.agent(), clock.now()
    runs = sorted([(await tenant.run(agent, created_at=at)).id for _ in range(5)], reverse=True)

    for limit in (1, 2):
        assert list(chain(*await every_page(tenant, limit))) == runs


async def test_what_is_made_in_the_meantime_does_not_shift_the_next_page(tenant: Tenant) -> None:
    agent, at = await tenant.agent(), clock.now()
    runs = [(await tenant.run(agent, created_at=at - timedelta(hours=n))).id for n in range(4)]
    first = await page(tenant, 2)
    await tenant.run(agent, created_at=at + timedelta(hours=1))

    second = await page(tenant, 2, first.next_cursor)

    assert [run.id for run in first.items + second.items] == runs


async def test_an_empty_list_is_one_empty_page(tenant: Tenant) -> None:
    assert await every_page(tenant, 3) == [[]]


def _cursor(*parts: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(parts).encode()).decode()


@pytest.mark.parametrize(
    "cursor",
    [
        "",
        "abc",
        "Grüße",
        base64.urlsafe_b64encode(b"\xff\xfe").decode(),
        _cursor(),
        _cursor("2026-01-01"),
        _cursor("yesterday", "ex_1"),
        _cursor(5, "ex_1"),
        _cursor("2026-01-01T00:00:00", "ex_1"),
        _cursor("2026-01-01T00:00:00+00:00", "\0"),
        _cursor("2026-01-01T00:00:00+00:00", "\ud800"),
        _cursor("2026-01-01T00:00:00+00:00", 5),
        _cursor("0001-01-01T00:00:00+14:00", "ex_1"),
        base64.urlsafe_b64encode(b"{}").decode(),
        base64.urlsafe_b64encode(b"[" * 100_000).decode(),
    ],
    ids=lambda cursor: cursor[:20],
)
async def test_a_cursor_that_is_not_one_of_ours_is_refused(tenant: Tenant, cursor: str) -> None:
    with pytest.raises(Rejected, match="next_cursor"):
        await page(tenant, 3, cursor)


async def test_runs_can_be_listed_by_agent(tenant: Tenant) -> None:
    agent, other = await tenant.agent(), await tenant.agent()
    mine, _ = await tenant.run(agent), await tenant.run(other)

    found = await tenant.mine.read(lambda db: db.runs.page(9, None, agent, None))
    none = await tenant.mine.read(lambda db: db.runs.page(9, None, agent, mine.status))

    assert [run.id for run in found.items] == [run.id for run in none.items] == [mine.id]
