"""What the tests of the models share."""

from collections.abc import AsyncIterator

import pytest

from omniforge.llm.anthropic import AnthropicLLM, Timeouts
from tests.support.model_server import ModelServer

KEY = "sk-ant-test-0123456789"


@pytest.fixture
async def server() -> AsyncIterator[ModelServer]:
    async with ModelServer() as running:
        yield running


@pytest.fixture
async def claude(server: ModelServer) -> AsyncIterator[AnthropicLLM]:
    """The real SDK, talking to the scripted server. It loses patience soon."""
    llm = AnthropicLLM(KEY, server.url, timeouts=Timeouts(connect=2, read=0.3))
    yield llm
    await llm.aclose()
