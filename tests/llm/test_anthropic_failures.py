"""Every way in which a call to Claude can fail, and the error it becomes."""

import logging
from dataclasses import dataclass
from datetime import timedelta
from email.utils import format_datetime

import pytest

from omniforge import clock
from omniforge.errors import (
    ContextTooLong,
    ModelAuthFailed,
    ModelOverloaded,
    ModelRateLimited,
    ModelRequestInvalid,
    ModelUnknown,
    ModelUnreachable,
    OmniForgeError,
)
from omniforge.llm.anthropic.provider import AnthropicLLM
from omniforge.llm.failures import Failure, Provider, error_for, seconds_to_wait, spent
from tests.llm.conftest import KEY
from tests.llm.test_anthropic import asked
from tests.support.model_server import ModelServer, Reply, text_reply
from tests.support.requirements import requirement

BAD = "invalid_request_error"


@dataclass(frozen=True)
class Case:
    status: int
    name: str
    message: str
    becomes: type[OmniForgeError]


CASES = [
    Case(400, BAD, "tools.0: bad schema", ModelRequestInvalid),
    Case(400, BAD, "prompt is too long: 200251 tokens > 200000 maximum", ContextTooLong),
    Case(400, BAD, "input length and `max_tokens` exceed context limit: 1 > 0", ContextTooLong),
    Case(401, "authentication_error", "invalid x-api-key", ModelAuthFailed),
    Case(402, "billing_error", "no credit", ModelAuthFailed),
    Case(403, "permission_error", "not for you", ModelAuthFailed),
    Case(404, "not_found_error", "model: claude-0", ModelUnknown),
    Case(408, "timeout_error", "too slow", ModelUnreachable),
    Case(413, "request_too_large", "32 MB at most", ContextTooLong),
    Case(422, BAD, "no", ModelRequestInvalid),
    Case(429, "rate_limit_error", "slow down", ModelRateLimited),
    Case(500, "api_error", "oops", ModelUnreachable),
    Case(500, "overloaded_error", "busy", ModelOverloaded),
    Case(502, "", "", ModelUnreachable),
    Case(503, "api_error", "not now", ModelOverloaded),
    Case(529, "overloaded_error", "busy", ModelOverloaded),
]


@requirement("RAC-3")
@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.status} {case.message[:20]}")
async def test_every_status_becomes_its_own_error_after_one_request(
    server: ModelServer, claude: AnthropicLLM, case: Case
) -> None:
    server.fails(case.status, case.name, case.message, times=None)

    with pytest.raises(OmniForgeError) as caught:
        await claude.complete(asked())

    assert type(caught.value) is case.becomes
    assert case.message in caught.value.message
    assert spent(caught.value).input_tokens == 0
    assert len(server.requests) == 1


@requirement("RAC-3")
@pytest.mark.parametrize(
    ("name", "becomes"),
    [
        ("overloaded_error", ModelOverloaded),
        ("api_error", ModelUnreachable),
        ("rate_limit_error", ModelRateLimited),
        (BAD, ModelRequestInvalid),
        ("something_new", ModelUnreachable),
    ],
)
async def test_an_error_in_mid_stream_counts_by_its_name(
    server: ModelServer, claude: AnthropicLLM, name: str, becomes: type[OmniForgeError]
) -> None:
    server.fails_midway(name, "in the middle")
    pieces: list[str] = []

    with pytest.raises(OmniForgeError, match="in the middle") as caught:
        await claude.complete(asked(), pieces.append)

    assert type(caught.value) is becomes
    assert "".join(pieces) == "Half an ans"
    assert spent(caught.value).input_tokens == 25


@pytest.mark.parametrize("events", range(8))
@pytest.mark.parametrize("cleanly", [True, False], ids=["closed", "cut"])
async def test_half_an_answer_is_never_taken_for_a_whole_one(
    server: ModelServer, claude: AnthropicLLM, events: int, cleanly: bool
) -> None:
    server.cuts_stream_after(events, cleanly=cleanly)

    with pytest.raises(ModelUnreachable):
        await claude.complete(asked())


@pytest.mark.parametrize("events", range(3, 7))
async def test_half_a_call_is_never_carried_out(
    server: ModelServer, claude: AnthropicLLM, events: int
) -> None:
    call = {"type": "tool_use", "name": "table_query", "input": {"table": "tasks"}}
    server.replies(Reply((call,), "tool_use", events=events, ending="closed"))

    with pytest.raises(ModelUnreachable, match="broke off"):
        await claude.complete(asked())


async def test_ten_megabytes_of_text_come_through(
    server: ModelServer, claude: AnthropicLLM
) -> None:
    text = " ".join(["x" * 10_000] * 1_000)
    server.replies(text_reply(text))
    pieces: list[str] = []

    turn = await claude.complete(asked(), pieces.append)

    assert turn.text == "".join(pieces) == text


@pytest.mark.parametrize("after", [None, 3])
async def test_silence_ends_in_an_error_that_names_the_limit(
    server: ModelServer, claude: AnthropicLLM, after: int | None
) -> None:
    server.hangs(after)

    with pytest.raises(ModelUnreachable, match=r"did not answer in time .*silence 0.3 s"):
        await claude.complete(asked())


@pytest.mark.parametrize(
    "body",
    [
        b"<html>A proxy's sign-in page</html>",
        b"event: message_start\ndata: {broken\n\n",
        b'event: message_stop\ndata: {"type": "message_stop"}\n\n',
        b'event: message_start\ndata: {"type": "message_start", "message": 7}\n\n',
    ],
)
async def test_an_address_that_is_not_the_api_is_unreachable(
    server: ModelServer, claude: AnthropicLLM, body: bytes
) -> None:
    server.replies(Reply(raw=body))

    with pytest.raises(ModelUnreachable):
        await claude.complete(asked())


async def test_retry_after_reaches_the_one_who_retries(
    server: ModelServer, claude: AnthropicLLM
) -> None:
    server.fails(429, "rate_limit_error", headers={"retry-after": "7"})

    with pytest.raises(ModelRateLimited) as caught:
        await claude.complete(asked())

    assert caught.value.retry_after == 7.0


def test_retry_after_may_be_a_date_or_nonsense() -> None:
    soon = format_datetime(clock.now() + timedelta(seconds=90), usegmt=True)

    assert seconds_to_wait({"retry-after": soon}) == pytest.approx(90, abs=3)
    assert seconds_to_wait({"retry-after": "-4"}) == 0
    assert seconds_to_wait({"retry-after": "soon"}) is None
    assert seconds_to_wait({}) is None


def test_retry_after_may_be_told_to_the_millisecond() -> None:
    assert seconds_to_wait({"retry-after-ms": "1250", "retry-after": "2"}) == 1.25
    assert seconds_to_wait({"retry-after-ms": "soon", "retry-after": "2"}) == 2


async def test_a_full_context_window_is_a_context_too_long(
    server: ModelServer, claude: AnthropicLLM
) -> None:
    server.replies(Reply(stop_reason="model_context_window_exceeded"))

    with pytest.raises(ContextTooLong) as caught:
        await claude.complete(asked())

    assert spent(caught.value).model_calls == 1


async def test_a_wrong_key_is_told_without_the_key(
    server: ModelServer, claude: AnthropicLLM, caplog: pytest.LogCaptureFixture
) -> None:
    server.fails(401, "authentication_error", f"invalid x-api-key {KEY}")
    caplog.set_level(logging.DEBUG)

    with pytest.raises(ModelAuthFailed) as caught:
        await claude.complete(asked())

    assert "ANTHROPIC_API_KEY" in caught.value.message
    assert KEY not in f"{caught.value} {caught.value.details} {caplog.text}"
    assert caught.value.__suppress_context__


def test_a_providers_long_words_are_shortened() -> None:
    error = error_for(Failure(500, "api_error", "oh no " * 1_000), Provider("X", "X_KEY"))

    assert len(error.message) < 600
