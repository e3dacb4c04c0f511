"""Requests over a line that fails, and answers that are not what they should be."""

import base64
import json

import pytest

from omniforge import errors
from omniforge.client import ApiError, OmniForgeClient, PlatformUnreachable, Upload
from omniforge.client.errors import _kinds
from omniforge.errors import AgentNotActive, OmniForgeError, Rejected, Unauthenticated
from tests.client.wire import (
    CUT,
    HTML,
    NO_AGENTS,
    STARTED,
    Reply,
    Wire,
    answers,
    client_of,
    problem,
)
from tests.support.requirements import requirement


async def test_a_read_is_repeated_after_a_cut_line(wire: Wire) -> None:
    wire.says(CUT, CUT, NO_AGENTS)

    async with client_of(wire) as client:
        assert not await client.agents.list(limit=7)

    assert [one.path for one in wire.received] == ["/api/v1/agents?limit=7"] * 3
    assert wire.received[0].headers["authorization"] == "Bearer of_sk_test"


@requirement("SDK-2")
async def test_a_run_is_started_again_under_the_same_key_so_it_starts_once(wire: Wire) -> None:
    wire.says(CUT, STARTED)

    async with client_of(wire) as client:
        started = await client.agents.run("ag_1", {"days": 7}, files={"a.bin": b"\xff\x00"})

    first, second = wire.received
    assert started.execution_id == "ex_1"
    assert first.headers["idempotency-key"] == second.headers["idempotency-key"]
    assert first.body == second.body
    packed = {"base64": base64.b64encode(b"\xff\x00").decode()}
    sent = json.loads(first.body)
    assert (sent["input_data"], sent["files"]) == ({"days": 7}, {"a.bin": packed})


async def test_every_run_has_a_key_of_its_own_unless_one_is_given(wire: Wire) -> None:
    wire.says(STARTED)

    async with client_of(wire) as client:
        for key in (None, None, "mine"):
            await client.agents.run("ag_1", idempotency_key=key)

    first, second, third = (one.headers["idempotency-key"] for one in wire.received)
    assert first != second
    assert third == "mine"


async def test_what_may_have_been_done_is_not_sent_twice(wire: Wire) -> None:
    wire.says(CUT, NO_AGENTS)

    async with client_of(wire) as client:
        with pytest.raises(PlatformUnreachable):
            await client.agents.create(Upload({"name": "a"}))

    assert len(wire.received) == 1


async def test_a_platform_that_is_not_there_is_named_with_what_to_do() -> None:
    async with OmniForgeClient("of_sk_x", "http://127.0.0.1:1", patience=0.2) as client:
        with pytest.raises(PlatformUnreachable, match=r"127\.0\.0\.1:1 .*make up") as failure:
            await client.agents.list()

    assert failure.value.base_url == "http://127.0.0.1:1"


async def test_a_platform_that_does_not_answer_is_given_up(wire: Wire) -> None:
    wire.says(Reply(silent=True))

    async with client_of(wire, timeout=0.1, patience=0.2) as client:
        with pytest.raises(PlatformUnreachable, match="did not answer in time"):
            await client.agents.list()


@requirement("SDK-2")
async def test_an_error_comes_as_the_class_it_had_on_the_platform(wire: Wire) -> None:
    wire.says(problem("agent_not_active", "Agent 'a' is a draft.", 409, agent_id="a"))

    async with client_of(wire) as client:
        with pytest.raises(AgentNotActive, match="is a draft") as failure:
            await client.agents.run("a")

    assert failure.value.message == "Agent 'a' is a draft."
    assert failure.value.details == {"agent_id": "a"}


@pytest.mark.parametrize("code", sorted(_kinds()))
async def test_every_code_of_the_error_tree_has_its_class(wire: Wire, code: str) -> None:
    wire.says(problem(code, "So it is.", 400))

    async with client_of(wire) as client:
        with pytest.raises(OmniForgeError, match="So it is") as failure:
            await client.agents.get("a")

    assert type(failure.value) is _kinds()[code]
    assert failure.value.code == code


def test_the_known_codes_are_those_of_the_whole_tree() -> None:
    named = vars(errors).values()
    kinds = [one for one in named if isinstance(one, type) and issubclass(one, OmniForgeError)]

    assert set(_kinds()) | {"internal_error"} == {kind.code for kind in kinds}


async def test_an_error_without_a_class_keeps_its_code_and_status(wire: Wire) -> None:
    wire.says(problem("quota_of_tomorrow", "No more today.", 429, left=0))

    async with client_of(wire) as client:
        with pytest.raises(ApiError, match="No more today") as failure:
            await client.agents.get("a")

    assert (failure.value.status, failure.value.problem_code) == (429, "quota_of_tomorrow")
    assert failure.value.details == {"left": 0}


@pytest.mark.parametrize(
    ("reply", "words"),
    [
        (HTML, "answered 200 with something this client cannot read"),
        (Reply(b"<html>Bad gateway</html>", 502, "text/html"), "502 with text/html"),
        (answers(["no", "problem"], 500), "instead of a problem document"),
        (answers({"agents": [{"id": 1}]}), "cannot read"),
        (answers({"other": []}), "cannot read"),
        (answers([]), "cannot read"),
    ],
)
async def test_an_answer_of_something_else_is_told_as_such(
    wire: Wire, reply: Reply, words: str
) -> None:
    wire.says(reply)

    async with client_of(wire) as client:
        with pytest.raises(ApiError, match=words) as failure:
            await client.agents.list()

    assert wire.url in failure.value.message


async def test_a_single_thing_of_another_shape_is_told_as_such(wire: Wire) -> None:
    wire.says(answers({"id": "ag_1"}))

    async with client_of(wire) as client:
        with pytest.raises(ApiError, match="name: Field required"):
            await client.agents.get("ag_1")


@pytest.mark.parametrize("address", ["localhost:8000", "ftp://a", "", "http://", "http://a:x"])
def test_an_address_that_is_none_is_refused(address: str) -> None:
    with pytest.raises(Rejected, match="is not an address"):
        OmniForgeClient("of_sk_x", address)


@pytest.mark.parametrize("key", ["", "of sk", "of_sk_\n", "of_sk_ä"])
def test_a_key_that_cannot_be_one_is_refused(key: str) -> None:
    with pytest.raises(Unauthenticated, match="not one"):
        OmniForgeClient(key)
