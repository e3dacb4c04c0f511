"""How often: buckets, callers, addresses."""

from collections.abc import AsyncIterator
from pathlib import Path

import httpx2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.access.limits import Buckets, network_of
from omniforge.identity import Role
from tests.access.filling import Workspace
from tests.access.serving import Api, serving_api
from tests.support.requirements import requirement


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_a_minutes_worth_may_come_at_once_and_then_as_it_fills_up() -> None:
    clock = Clock()
    buckets = Buckets(60, clock)

    first = [buckets.take("a") for _ in range(60)]
    empty = buckets.take("a")
    other = buckets.take("b")
    clock.now += 2
    refilled = [buckets.take("a") for _ in range(3)]

    assert set(first) == {0}
    assert (empty, other) == (1, 0)
    assert refilled == [0, 0, 1]


@given(
    per_minute=st.integers(1, 500),
    pauses=st.lists(st.floats(0, 30), min_size=1, max_size=200),
)
def test_no_more_is_let_through_than_a_full_bucket_and_what_came_in(
    per_minute: int, pauses: list[float]
) -> None:
    clock = Clock()
    buckets = Buckets(per_minute, clock)
    let_through = 0
    for pause in pauses:
        clock.now += pause
        wait = buckets.take("a")
        let_through += not wait
        if wait:
            # Whoever waits as long as they were told gets in.
            clock.now += wait
            assert buckets.take("a") == 0
            let_through += 1

    assert let_through <= per_minute + (clock.now - 100) * per_minute / 60 + 1e-6


def test_only_so_many_names_are_remembered() -> None:
    buckets = Buckets(1, Clock(), most=2)
    for name in ("a", "b", "c"):
        buckets.take(name)

    assert [buckets.take(name) > 0 for name in ("c", "b", "a")] == [True, True, False]


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::"),
        ("::ffff:192.0.2.7", "::ffff:192.0.2.7"),
        ("testclient", "testclient"),
    ],
)
def test_all_of_an_ipv6_network_counts_as_one(address: str, network: str) -> None:
    assert network_of(address) == network


@pytest.fixture
async def narrow(tmp_path: Path) -> AsyncIterator[Api]:
    """An API that takes few requests."""
    limits = {"rate_limit": 5, "tenant_rate_limit": 8, "failed_sign_ins": 3}
    async with serving_api(tmp_path, **limits) as running:
        yield running


async def asked(workspace: Workspace, key: str, times: int) -> list[httpx2.Response]:
    return [await workspace.send("GET", "/api/v1/me", key) for _ in range(times)]


@requirement("SEC-4")
async def test_one_caller_and_one_workspace_are_slowed_down_and_others_are_not(
    narrow: Api,
) -> None:
    ours, others = await Workspace.new(narrow), await Workspace.new(narrow, "Others")
    _, second = await ours.member(Role.VIEWER)

    mine = await asked(ours, ours.key, 6)
    bobs = await asked(ours, second, 4)
    theirs = await asked(others, others.key, 1)

    assert [one.status_code for one in mine] == [200] * 5 + [429]
    assert [one.status_code for one in bobs] == [200] * 3 + [429]
    assert theirs[0].status_code == 200
    refused = mine[-1]
    assert refused.json()["code"] == "too_many_requests"
    assert refused.headers["content-type"] == "application/problem+json"
    assert int(refused.headers["Retry-After"]) == refused.json()["retry_after_s"] == 12
    assert "Your workspace has sent" in bobs[-1].json()["detail"]


@requirement("SEC-4")
async def test_an_address_that_guesses_is_told_to_wait_and_good_keys_still_open(
    narrow: Api,
) -> None:
    workspace = await Workspace.new(narrow, "Guessed at")

    guesses = await asked(workspace, "of_sk_guess", 5)
    invented = await narrow.api.post(
        "/api/v1/invitations/accept",
        json={"token": "x", "name": "x"},
        headers={"Authorization": ""},
    )
    good = await asked(workspace, workspace.key, 1)

    assert [one.status_code for one in guesses] == [401] * 3 + [429] * 2
    assert guesses[-1].json()["code"] == "too_many_failed_sign_ins"
    assert int(guesses[-1].headers["Retry-After"]) > 0
    assert invented.status_code == 429
    assert good[0].status_code == 200
