"""The test's own model server: what other tests lean on."""

from collections.abc import AsyncIterator

import pytest
from anthropic import AsyncAnthropic, BadRequestError
from anthropic.types import Message, TextBlock

from tests.support.model_server import ModelServer, Received, Reply, calls_reply, text_reply


@pytest.fixture
async def sdk(server: ModelServer) -> AsyncIterator[AsyncAnthropic]:
    async with AsyncAnthropic(api_key="sk-x", base_url=server.url, max_retries=0) as client:
        yield client


async def ask(sdk: AsyncAnthropic, text: str) -> Message:
    """Without streaming."""
    return await sdk.messages.create(
        model="m", max_tokens=9, messages=[{"role": "user", "content": text}]
    )


async def said(sdk: AsyncAnthropic, text: str) -> str:
    (block,) = (await ask(sdk, text)).content
    assert isinstance(block, TextBlock)
    return block.text


async def test_the_script_answers_in_order_and_then_says_that_it_is_over(
    server: ModelServer, sdk: AsyncAnthropic
) -> None:
    server.answers("one")
    server.answers("two", times=2)

    assert [await said(sdk, "?") for _ in range(3)] == ["one", "two", "two"]
    with pytest.raises(BadRequestError, match="no answer for request 4"):
        await ask(sdk, "?")


async def test_a_line_may_answer_only_what_it_is_meant_for(
    server: ModelServer, sdk: AsyncAnthropic
) -> None:
    server.answers("hello", when=lambda request: "hi" in request.text, times=None)
    server.answers("goodbye")

    assert [await said(sdk, text) for text in ("hi", "bye", "hi")] == ["hello", "goodbye", "hello"]


async def test_a_function_may_decide(server: ModelServer, sdk: AsyncAnthropic) -> None:
    def decide(request: Received) -> Reply | None:
        if request.text == "call":
            return calls_reply(("now", {}), ("later", {"s": 1}), text="Let me see.")
        return text_reply(request.text.upper()) if request.text else None

    server.decides(decide)

    assert await said(sdk, "loud") == "LOUD"
    calls = await ask(sdk, "call")
    assert [block.type for block in calls.content] == ["text", "tool_use", "tool_use"]
    assert calls.stop_reason == "tool_use"
