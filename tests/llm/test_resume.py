"""What a worker does that takes up a skill in the middle of a thought: over the wire, from the record."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from omniforge.llm.anthropic.provider import AnthropicLLM
from omniforge.llm.openai.provider import OpenAILLM
from omniforge.llm.protocol import LLM
from tests.execution.making import Bench, echo
from tests.llm.conftest import KEY
from tests.support.model_server import ModelServer, Reply
from tests.support.requirements import requirement
from tests.support.responses_api import thought

THINKING = {"type": "thinking", "thinking": "Echo größer.", "signature": "c2ln\nbmVk+/="}
HIDDEN = {"type": "redacted_thinking", "data": "EmwKAhgBEgy3va3pzix/LafPsn4a"}
CALL = {"type": "tool_use", "name": "echo", "input": {"text": "x"}, "caller": {"type": "direct"}}


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


@pytest.fixture
async def another_claude(server: ModelServer) -> AsyncIterator[AnthropicLLM]:
    """That of the next worker."""
    llm = AnthropicLLM(KEY, server.url)
    yield llm
    await llm.aclose()


@pytest.fixture
async def another_thinker(responses_server: ModelServer) -> AsyncIterator[OpenAILLM]:
    """That of the next worker."""
    llm = OpenAILLM(KEY, f"{responses_server.url}/v1", api="responses")
    yield llm
    await llm.aclose()


async def interrupted(bench: Bench, llm: LLM, **config: Any) -> None:
    """The first worker: a turn of the model, the call it asks for, and then the end."""
    stop = iter([None, None, "drain"])
    bench.model.becomes(llm)
    executor = await bench.executor(echo(), should_stop=lambda: next(stop), **config)
    assert (await executor.execute_sync("go")).interruption == "drain"
    bench.model.forget()


@requirement("DUR-1")
async def test_thinking_goes_back_as_it_came_after_a_crash_in_the_middle_of_a_tool_loop(
    server: ModelServer, claude: AnthropicLLM, another_claude: AnthropicLLM, bench: Bench
) -> None:
    server.replies(Reply((THINKING, HIDDEN, {"type": "text", "text": "So."}, CALL), "tool_use"))
    server.answers("Done.")

    await interrupted(bench, claude, model="claude-x")
    bench.model.becomes(another_claude)
    result = await bench.run(echo(), model="another")

    assert result.success
    said = server.requests[1].body["messages"][1]["content"]
    assert said[:3] == [THINKING, HIDDEN, {"type": "text", "text": "So."}]
    assert said[3] == CALL | {"id": said[3]["id"]}
    assert server.requests[1].body["model"] == "claude-x"
    assert [each["tool_use_id"] for each in server.requests[1].answers] == [said[3]["id"]]


async def test_thinking_of_one_model_is_not_shown_to_another(
    server: ModelServer, claude: AnthropicLLM, another_claude: AnthropicLLM, bench: Bench
) -> None:
    server.replies(Reply((THINKING, CALL), "tool_use"))
    server.fails(404, "not_found_error", "claude-x")
    server.answers("Done.")

    bench.model.becomes(claude)
    result = await bench.run(echo(), model="claude-x", fallback_models=("claude-y",))

    assert result.success
    asked_again, other = server.requests[1:]
    assert asked_again.body["messages"][1]["content"][0] == THINKING
    assert [block["type"] for block in other.body["messages"][1]["content"]] == ["tool_use"]


@requirement("DUR-1")
async def test_a_sealed_thought_goes_back_as_it_came_after_a_crash_in_the_middle_of_a_tool_loop(
    responses_server: ModelServer, thinker: OpenAILLM, another_thinker: OpenAILLM, bench: Bench
) -> None:
    said = {"type": "text", "text": "So.", "phase": "commentary"}
    responses_server.replies(Reply((thought("rs_größer"), said, CALL), "tool_use"))
    responses_server.answers("Done.")

    await interrupted(bench, thinker, model="gpt-x")
    bench.model.becomes(another_thinker)
    result = await bench.run(echo(), model="another")

    assert result.success
    first, second = (request.body for request in responses_server.requests)
    *before, seal, message, call, answer = second["input"]
    assert (second["model"], before) == ("gpt-x", first["input"])
    assert seal == thought("rs_größer")
    assert (message["phase"], message["content"][0]["text"]) == ("commentary", "So.")
    assert (call["type"], call["call_id"]) == ("function_call", answer["call_id"])
    assert answer["output"] == "you said x"


async def test_a_sealed_thought_is_not_shown_to_another_model(
    responses_server: ModelServer, thinker: OpenAILLM, bench: Bench
) -> None:
    responses_server.replies(Reply((thought(), CALL), "tool_use"))
    responses_server.fails(404, "invalid_request_error/model_not_found", "gpt-x")
    responses_server.answers("Done.")

    bench.model.becomes(thinker)
    result = await bench.run(echo(), model="gpt-x", fallback_models=("gpt-y",))

    assert result.success
    asked_again, other = (request.body["input"][1:] for request in responses_server.requests[1:])
    kinds = ["function_call", "function_call_output"]
    assert [item["type"] for item in asked_again] == ["reasoning", *kinds]
    assert [item["type"] for item in other] == kinds


async def test_a_conversation_goes_on_over_the_other_form_when_the_setting_has_changed(
    responses_server: ModelServer,
    chat_server: ModelServer,
    thinker: OpenAILLM,
    gpt: OpenAILLM,
    bench: Bench,
) -> None:
    responses_server.replies(Reply((thought(), CALL), "tool_use"))
    chat_server.answers("Done.")

    await interrupted(bench, thinker, model="gpt-x")
    bench.model.becomes(gpt)

    assert (await bench.run(echo())).success
    call, answer = chat_server.requests[0].body["messages"][-2:]
    assert call["tool_calls"][0]["id"] == answer["tool_call_id"]
    assert "gAAAA" not in str(chat_server.requests[0].body)


async def test_a_conversation_goes_on_at_a_provider_of_another_kind(
    server: ModelServer,
    chat_server: ModelServer,
    claude: AnthropicLLM,
    gpt: OpenAILLM,
    bench: Bench,
) -> None:
    server.replies(Reply((THINKING, CALL), "tool_use"))
    chat_server.answers("Done.")

    await interrupted(bench, claude, model="m")
    bench.model.becomes(gpt)

    assert (await bench.run(echo())).success
    call, answer = chat_server.requests[0].body["messages"][-2:]
    assert answer["content"] == "you said x"
    assert call["tool_calls"][0]["id"] == answer["tool_call_id"]


async def test_ids_of_other_providers_go_out_in_letters_that_the_api_takes(
    server: ModelServer,
    chat_server: ModelServer,
    claude: AnthropicLLM,
    gpt: OpenAILLM,
    bench: Bench,
) -> None:
    chat_server.replies(Reply(({**CALL, "id": "functions.echo:0"},), "tool_use"))
    server.answers("Done.")

    await interrupted(bench, gpt, model="m")
    bench.model.becomes(claude)

    assert (await bench.run(echo())).success
    (answer,) = server.requests[0].answers
    (call,) = server.requests[0].body["messages"][1]["content"]
    assert call["id"] == answer["tool_use_id"] == "functions_echo_0"
