"""OpenAI's newest models over the Responses API, through the whole product."""

from collections.abc import AsyncIterator

import pytest

from omniforge.llm.providers import OpenAIAccess, make_llm
from tests.support.model_server import ModelServer, Reply
from tests.support.platform import Platform, skill
from tests.support.requirements import requirement
from tests.support.responses_api import ResponsesApi, thought

CALL = {"type": "tool_use", "name": "write_file", "input": {"path": "a.txt", "content": "hi"}}


@pytest.fixture
async def gpt(platform: Platform) -> AsyncIterator[ModelServer]:
    """What the platform's model talks to from here on, by the real SDK."""
    async with ModelServer(ResponsesApi()) as server:
        llm = make_llm("openai", openai=OpenAIAccess("sk-o", server.url, api="responses"))
        platform.model.becomes(llm)
        yield server
        platform.model.forget()
        await llm.aclose()


@requirement("RAC-4", "BUD-1")
async def test_a_model_that_reasons_calls_a_tool_goes_on_with_its_thought_and_is_paid_for_it(
    platform: Platform, gpt: ModelServer
) -> None:
    usage = {"input_tokens": 100, "output_tokens": 1_000, "reasoning_tokens": 900}
    gpt.replies(Reply((thought(), CALL), "tool_use", usage=usage))
    gpt.answers('{"said": "hi"}', input_tokens=100, output_tokens=10)

    run = await platform.run(skill("greet", "Greet.", model="gpt-6.1-sol"))

    assert (run["status"], run["result"]) == ("completed", {"said": "hi"})
    assert run["usage"]["output_tokens"] == 1_010
    seal, call, answer = gpt.requests[1].body["input"][-3:]
    assert seal == thought()
    assert (call["name"], call["call_id"]) == ("write_file", answer["call_id"])
    names = [step["name"] for step in await platform.steps(run["id"])]
    assert names == ["preamble", "model", "write_file", "model"]
