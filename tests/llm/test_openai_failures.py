"""Every way in which a call over one of OpenAI's two forms can fail, and the error it becomes."""

import logging

import pytest

from omniforge.errors import (
    ContextTooLong,
    ModelAuthFailed,
    ModelOverloaded,
    ModelRateLimited,
    ModelRefused,
    ModelRequestInvalid,
    ModelUnknown,
    ModelUnreachable,
    OmniForgeError,
)
from omniforge.llm.failures import spent
from omniforge.llm.openai.provider import OpenAILLM
from tests.llm.conftest import KEY
from tests.llm.test_anthropic_failures import Case
from tests.llm.test_openai import QUERY, asked
from tests.support.chat_api import ChatApi, Quirks
from tests.support.model_server import ModelServer, Reply, text_reply
from tests.support.requirements import requirement

BAD = "invalid_request_error"
TOO_LONG = "This model's maximum context length is 2048 tokens. However, you asked for 4000."

CASES = [
    Case(400, BAD, "Invalid schema for function 'x'", ModelRequestInvalid),
    Case(400, f"{BAD}/context_length_exceeded", "too much", ContextTooLong),
    Case(400, "BadRequestError", TOO_LONG, ContextTooLong),
    Case(400, "exceed_context_size_error", "the request exceeds it", ContextTooLong),
    Case(400, BAD, "foo/bar is not a valid model ID", ModelUnknown),
    Case(400, f"{BAD}/content_filter", "The response was filtered", ModelRefused),
    Case(401, f"{BAD}/invalid_api_key", "Incorrect API key provided", ModelAuthFailed),
    Case(402, "/402", "Insufficient credits", ModelAuthFailed),
    Case(403, f"{BAD}/model_not_found", "no access to model", ModelUnknown),
    Case(403, "/403", "Your input was flagged", ModelRefused),
    Case(404, f"{BAD}/model_not_found", "The model does not exist", ModelUnknown),
    Case(413, "", "too large", ContextTooLong),
    Case(429, "requests/rate_limit_exceeded", "Rate limit reached", ModelRateLimited),
    Case(429, "insufficient_quota/insufficient_quota", "no quota", ModelAuthFailed),
    Case(500, "server_error", "The server had an error", ModelUnreachable),
    Case(502, "", "bad gateway", ModelUnreachable),
    Case(503, "server_error", "overloaded", ModelOverloaded),
]


@requirement("RAC-3")
@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.status} {case.message[:20]}")
async def test_every_status_becomes_its_own_error_after_one_request(
    either_server: ModelServer, either: OpenAILLM, case: Case
) -> None:
    either_server.fails(case.status, case.name, case.message, times=None)

    with pytest.raises(OmniForgeError) as caught:
        await either.complete(asked())

    assert type(caught.value) is case.becomes
    assert case.message in caught.value.message or case.becomes is ModelAuthFailed
    assert spent(caught.value).input_tokens == 0
    assert len(either_server.requests) == 1


@requirement("RAC-3")
@pytest.mark.parametrize(
    ("name", "becomes"),
    [
        ("server_error", ModelUnreachable),
        ("requests/rate_limit_exceeded", ModelRateLimited),
        ("/503", ModelOverloaded),
        ("something_new", ModelUnreachable),
    ],
)
async def test_an_error_in_mid_stream_counts_by_its_name_or_code(
    either_server: ModelServer, either: OpenAILLM, name: str, becomes: type[OmniForgeError]
) -> None:
    either_server.fails_midway(name, "in the middle")
    pieces: list[str] = []

    with pytest.raises(OmniForgeError, match="in the middle") as caught:
        await either.complete(asked(), pieces.append)

    assert type(caught.value) is becomes
    assert "".join(pieces) == "Half an ans"
    assert spent(caught.value).output_tokens > 0


@pytest.mark.parametrize("events", range(5))
@pytest.mark.parametrize("cleanly", [True, False], ids=["closed", "cut"])
async def test_half_an_answer_is_never_taken_for_a_whole_one(
    either_server: ModelServer, either: OpenAILLM, events: int, cleanly: bool
) -> None:
    either_server.cuts_stream_after(events, cleanly=cleanly)

    with pytest.raises(ModelUnreachable):
        await either.complete(asked())


@pytest.mark.parametrize("events", [2, 3, 4])
async def test_half_a_call_is_never_carried_out(
    either_server: ModelServer, either: OpenAILLM, events: int
) -> None:
    call = {"type": "tool_use", "name": "table_query", "input": {"table": "tasks"}}
    either_server.replies(Reply((call,), "tool_use", events=events, ending="closed"))

    with pytest.raises(ModelUnreachable, match="broke off"):
        await either.complete(asked(tools=(QUERY,)))


@pytest.mark.parametrize("after", [None, 3])
async def test_silence_ends_in_an_error_that_names_the_limit(
    either_server: ModelServer, either: OpenAILLM, after: int | None
) -> None:
    either_server.hangs(after)

    with pytest.raises(ModelUnreachable, match=r"did not answer in time .*silence 0.3 s"):
        await either.complete(asked())


@pytest.mark.parametrize(
    "body",
    [
        b"<html>A proxy's sign-in page</html>",
        b"data: {broken\n\n",
        b'data: {"choices": 7}\n\n',
        b'data: {"choices": ["x"]}\n\ndata: [DONE]\n\n',
        b"data: 7\n\n",
        b"data: [DONE]\n\n",
        b'data: {"choices": [{"delta": null, "finish_reason": "error"}]}\n\n',
        b'data: {"object": "error", "message": "no", "code": 400}\n\n',
        b'data: {"type": "error", "code": null, "message": null}\n\n',
        b'data: {"type": "response.completed", "response": null}\n\n',
        b'data: {"type": "response.output_item.done", "output_index": 0, "item": 7}\n\n',
        b'data: {"type": "response.function_call_arguments.delta", "delta": "{"}\n\n',
        b'data: {"type": "response.failed", "response": {"error": {"message": 1}}}\n\n',
    ],
)
async def test_an_address_that_is_not_the_api_is_unreachable(
    either_server: ModelServer, either: OpenAILLM, body: bytes
) -> None:
    either_server.replies(Reply(raw=body, headers={"content-type": "text/event-stream"}))

    with pytest.raises(ModelUnreachable):
        await either.complete(asked())


async def test_retry_after_reaches_the_one_who_retries(
    either_server: ModelServer, either: OpenAILLM
) -> None:
    either_server.fails(429, "requests", headers={"retry-after": "2", "retry-after-ms": "1500"})

    with pytest.raises(ModelRateLimited) as caught:
        await either.complete(asked())

    assert caught.value.retry_after == 1.5


async def test_a_wrong_key_is_told_without_the_key(
    either_server: ModelServer, either: OpenAILLM, caplog: pytest.LogCaptureFixture
) -> None:
    either_server.fails(401, f"{BAD}/invalid_api_key", f"Incorrect API key provided: {KEY}")
    caplog.set_level(logging.DEBUG)

    with pytest.raises(ModelAuthFailed) as caught:
        await either.complete(asked())

    assert "OPENAI_API_KEY" in caught.value.message
    assert KEY not in f"{caught.value} {caught.value.details} {caplog.text}"
    assert caught.value.__suppress_context__


IN_THOUSAND_PIECES = Quirks(pieces=tuple(range(0, 10_000_000, 10_000)))


async def test_ten_megabytes_of_text_come_through() -> None:
    text = "lorem ipsum " * 840_000
    async with ModelServer(ChatApi(IN_THOUSAND_PIECES)) as server:
        server.replies(text_reply(text))
        llm = OpenAILLM(base_url=server.url)
        pieces: list[str] = []
        turn = await llm.complete(asked(), pieces.append)
        await llm.aclose()

    assert len(pieces) > 900
    assert turn.text == "".join(pieces) == text


async def test_megabytes_of_arguments_come_through() -> None:
    call = {"type": "tool_use", "name": "table_query", "input": {"table": "x" * 10_000_000}}
    async with ModelServer(ChatApi(IN_THOUSAND_PIECES)) as server:
        server.replies(Reply((call,), "tool_use"))
        llm = OpenAILLM(base_url=server.url)
        turn = await llm.complete(asked(tools=(QUERY,)))
        await llm.aclose()

    assert len(turn.calls[0].arguments["table"]) == 10_000_000
