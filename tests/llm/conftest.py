"""What the tests of the models share."""

from collections.abc import AsyncIterator, Mapping

import pytest

from omniforge.llm.anthropic.provider import AnthropicLLM
from omniforge.llm.connection import Timeouts
from omniforge.llm.openai.form import Api
from omniforge.llm.openai.provider import OpenAILLM
from tests.support.chat_api import ChatApi
from tests.support.messages_api import WireApi
from tests.support.model_server import ModelServer
from tests.support.responses_api import ResponsesApi

KEY = "sk-ant-test-0123456789"
# They lose patience soon.
SOON = Timeouts(connect=2, read=0.3)


@pytest.fixture
async def server() -> AsyncIterator[ModelServer]:
    async with ModelServer() as running:
        yield running


@pytest.fixture
async def claude(server: ModelServer) -> AsyncIterator[AnthropicLLM]:
    """The real SDK, talking to the scripted server."""
    llm = AnthropicLLM(KEY, server.url, timeouts=SOON)
    yield llm
    await llm.aclose()


@pytest.fixture
async def chat_server() -> AsyncIterator[ModelServer]:
    async with ModelServer(ChatApi()) as running:
        yield running


@pytest.fixture
async def gpt(chat_server: ModelServer) -> AsyncIterator[OpenAILLM]:
    """The real SDK, talking to the scripted server."""
    llm = OpenAILLM(KEY, f"{chat_server.url}/v1", timeouts=SOON)
    yield llm
    await llm.aclose()


@pytest.fixture
async def responses_server() -> AsyncIterator[ModelServer]:
    async with ModelServer(ResponsesApi()) as running:
        yield running


@pytest.fixture
async def thinker(responses_server: ModelServer) -> AsyncIterator[OpenAILLM]:
    """The real SDK, talking to the scripted server over the Responses API."""
    llm = OpenAILLM(KEY, f"{responses_server.url}/v1", timeouts=SOON, api="responses")
    yield llm
    await llm.aclose()


# ---- OpenAI's two forms, for what is true of both ----------------------------------------------

FORMS: Mapping[Api, type[WireApi]] = {"chat": ChatApi, "responses": ResponsesApi}


@pytest.fixture(params=FORMS)
def api(request: pytest.FixtureRequest) -> Api:
    form: Api = request.param
    return form


@pytest.fixture
async def either_server(api: Api) -> AsyncIterator[ModelServer]:
    async with ModelServer(FORMS[api]()) as running:
        yield running


@pytest.fixture
async def either(either_server: ModelServer, api: Api) -> AsyncIterator[OpenAILLM]:
    llm = OpenAILLM(KEY, f"{either_server.url}/v1", timeouts=SOON, api=api)
    yield llm
    await llm.aclose()
