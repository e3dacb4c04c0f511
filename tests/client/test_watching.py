"""Events over lines that are cut, repeated, silent or not there."""

import time

import pytest

from omniforge.client import ApiError, OmniForgeClient, PlatformUnreachable
from omniforge.errors import ExecutionNotFound, StorageUnavailable
from tests.client.wire import HTML, Reply, Wire, client_of, event, finish, problem, stream
from tests.support.requirements import requirement

BUSY = problem("storage_unavailable", "The disk is full.", 503)
GONE = problem("execution_not_found", "There is no execution 'ex_1'.", 404)


async def seen(client: OmniForgeClient, patience: float = 5.0, after: int = 0) -> list[int]:
    watching = client.runs.watch("ex_1", patience=patience, after=after)
    return [one.seq async for one in watching]


@requirement("SDK-2", "DUR-1")
async def test_a_cut_line_is_taken_up_after_the_last_event(wire: Wire) -> None:
    wire.says(stream([event(1), event(2)]), stream([event(3)]), stream([finish(4)]))

    async with client_of(wire) as client:
        assert await seen(client) == [1, 2, 3, 4]

    assert [one.headers.get("last-event-id") for one in wire.received] == [None, "2", "3"]


async def test_an_event_that_is_sent_again_is_told_once(wire: Wire) -> None:
    wire.says(stream([event(1), event(2)]), stream([event(1), event(2), event(3), finish(4)]))

    async with client_of(wire) as client:
        assert await seen(client) == [1, 2, 3, 4]


@requirement("SDK-2")
async def test_wherever_the_line_is_cut_no_event_is_lost_or_doubled(wire: Wire) -> None:
    whole = b"".join([event(1), event(2), finish(3)])
    places = range(0, len(whole), 29)

    async with client_of(wire) as client:
        for place in places:
            wire.says(stream([whole[:place]]), stream([event(1), event(2), finish(3)]))
            assert await seen(client) == [1, 2, 3], f"cut after {place} bytes"


async def test_watching_ends_with_the_run_although_the_line_stays_open(wire: Wire) -> None:
    wire.says(stream([event(1), finish(2)], hangs=True))

    async with client_of(wire) as client:
        assert await seen(client) == [1, 2]


async def test_watching_goes_on_where_it_is_told_to(wire: Wire) -> None:
    wire.says(stream([finish(8)]))

    async with client_of(wire) as client:
        assert await seen(client, after=7) == [8]

    assert wire.received[0].headers["last-event-id"] == "7"


async def test_a_platform_in_trouble_is_asked_again(wire: Wire) -> None:
    bad_gateway = Reply(b"<html/>", 502, "text/html")
    wire.says(stream([event(1)]), BUSY, bad_gateway, stream([finish(2)]))

    async with client_of(wire) as client:
        assert await seen(client) == [1, 2]


async def test_a_silent_line_is_given_up_and_opened_again(wire: Wire) -> None:
    wire.says(stream([event(1)], hangs=True), stream([finish(2)]))

    async with client_of(wire) as client:
        assert await seen(client, patience=0.5) == [1, 2]


@pytest.mark.parametrize(
    ("reply", "kind"), [(GONE, ExecutionNotFound), (HTML, ApiError)], ids=["404", "html"]
)
async def test_what_waiting_cannot_mend_is_told_at_once(
    wire: Wire, reply: Reply, kind: type[Exception]
) -> None:
    wire.says(reply)

    async with client_of(wire) as client:
        with pytest.raises(kind):
            await seen(client)

    assert len(wire.received) == 1


async def test_patience_ends_with_the_last_reason(wire: Wire) -> None:
    wire.says(stream([event(1)]), BUSY)

    async with client_of(wire) as client:
        with pytest.raises(StorageUnavailable, match="disk is full"):
            await seen(client, patience=0.4)


async def test_a_platform_that_only_accepts_and_hangs_up_is_given_up(wire: Wire) -> None:
    wire.says(stream([]))

    began = time.monotonic()
    async with client_of(wire) as client:
        with pytest.raises(PlatformUnreachable, match="the line was cut"):
            await seen(client, patience=0.4)

    assert time.monotonic() - began < 2
    assert len(wire.received) > 1


async def test_an_event_of_a_newer_platform_is_passed_over(wire: Wire) -> None:
    wire.says(stream([event(1), event(2, type="dream_dreamt"), finish(3)]))

    async with client_of(wire) as client:
        assert await seen(client) == [1, 3]


async def test_an_event_that_is_none_is_told_as_such(wire: Wire) -> None:
    wire.says(stream([b"data: {}\n\n"]))

    async with client_of(wire) as client:
        with pytest.raises(ApiError, match="an event is not as it should be"):
            await seen(client)
