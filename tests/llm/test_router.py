"""Several providers in one process: whose a model is, says its name."""

import sys
from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Any

import pytest
from pydantic import ValidationError

from omniforge.agents.config import SkillReference
from omniforge.agents.runs import TokenUsage
from omniforge.assembly import llm_from
from omniforge.errors import AnswerUnusable, ModelAuthFailed, ModelUnknown, Rejected
from omniforge.llm.protocol import Author, Completion, Message, ToolSchema
from omniforge.llm.providers import Access, OpenAIAccess, make_llm
from omniforge.llm.router import Router
from omniforge.settings import Settings
from tests.llm.conftest import KEY
from tests.support.model_server import ModelServer, Reply
from tests.support.requirements import requirement

NOW = ToolSchema("now", "Tells the time.", {"type": "object"})


def asked(model: str, *tools: ToolSchema) -> Completion:
    return Completion(model, "", (Message(Author.USER, "Hello?"),), tools)


@pytest.fixture
async def router(server: ModelServer, chat_server: ModelServer) -> AsyncIterator[Router]:
    llm = make_llm(
        "anthropic",
        anthropic=Access(KEY, server.url),
        openai=OpenAIAccess(base_url=chat_server.url),
    )
    yield llm
    await llm.aclose()


@pytest.mark.parametrize(
    ("name", "is_claude", "sent", "told"),
    [
        ("", True, "claude-sonnet-5-5", "claude-sonnet-5-5"),
        ("claude-x", True, "claude-x", "claude-x"),
        ("anthropic/claude-x", True, "claude-x", "claude-x"),
        ("anthropic", True, "claude-sonnet-5-5", "claude-sonnet-5-5"),
        ("qwen/qwen3", True, "qwen/qwen3", "qwen/qwen3"),
        ("openai/gpt-x", False, "gpt-x", "openai/gpt-x"),
        ("openai/qwen/qwen3", False, "qwen/qwen3", "openai/qwen/qwen3"),
        ("openai/anthropic/claude-x", False, "anthropic/claude-x", "openai/anthropic/claude-x"),
    ],
)
async def test_a_models_name_leads_to_its_provider_and_back(
    router: Router,
    server: ModelServer,
    chat_server: ModelServer,
    name: str,
    is_claude: bool,
    sent: str,
    told: str,
) -> None:
    for each in (server, chat_server):
        each.answers("Hello.")

    turn = await router.complete(asked(name))

    (request,) = server.requests + chat_server.requests
    assert request in (server if is_claude else chat_server).requests
    assert (request.body["model"], turn.model) == (sent, told)


async def test_errors_name_the_model_in_the_same_way(
    router: Router, chat_server: ModelServer
) -> None:
    broken = {"type": "tool_use", "name": "now", "input": "{"}
    chat_server.replies(Reply((broken,), "tool_use"))

    with pytest.raises(AnswerUnusable) as caught:
        await router.complete(asked("openai/gpt-x", NOW))

    assert caught.value.details["model"] == "openai/gpt-x"


def test_each_model_costs_what_its_own_provider_takes() -> None:
    llm = make_llm("offline", anthropic=Access("sk-a"), openai=OpenAIAccess("sk-o"))
    used = TokenUsage(input_tokens=1_000)

    assert llm.price("anthropic/claude-sonnet-5-5", used) == Decimal("0.002")
    assert llm.price("openai/gpt-5", used) == Decimal("0.00125")
    assert llm.price("gpt-5", used) == 0
    assert llm.price("openai/no-such-model", used) is None


async def test_a_missing_key_is_missed_when_its_provider_is_asked() -> None:
    llm = make_llm("offline")

    for name, variable in (("anthropic/x", "ANTHROPIC_API_KEY"), ("openai/x", "OPENAI_API_KEY")):
        with pytest.raises(ModelAuthFailed, match=variable):
            await llm.complete(asked(name))
        assert llm.price(name, TokenUsage(input_tokens=1)) == 0


async def test_a_name_with_an_unknown_provider_says_which_are_known(
    router: Router, server: ModelServer
) -> None:
    server.fails(404, "not_found_error", "model: gogle/gem")

    with pytest.raises(ModelUnknown, match="anthropic, openai, offline"):
        await router.complete(asked("gogle/gem"))


@requirement("RAC-4")
async def test_models_without_native_tools_are_asked_in_text(chat_server: ModelServer) -> None:
    llm = make_llm("openai", openai=OpenAIAccess(base_url=chat_server.url, has_native_tools=False))
    chat_server.answers('{"thought": "Look.", "action": "now", "action_input": {}}')

    turn = await llm.complete(asked("llama", NOW))
    await llm.aclose()

    assert (turn.text, turn.calls[0].name) == ("Look.", "now")
    assert chat_server.requests[0].tools == []
    assert "Tells the time." in chat_server.requests[0].system


def test_the_default_provider_gives_the_default_model() -> None:
    claude = make_llm("anthropic", anthropic=Access("sk-x"), model="openai/gpt-x")

    assert claude.default_model == "openai/gpt-x"
    assert make_llm("anthropic", anthropic=Access("sk-x")).default_model == "claude-sonnet-5-5"
    assert make_llm("openai", openai=OpenAIAccess("sk-x")).default_model == "gpt-6.1-sol"
    assert make_llm("offline", pace=0.5).default_model == "offline"


def test_a_default_provider_that_cannot_be_used_is_told_at_once() -> None:
    with pytest.raises(ModelAuthFailed, match="ANTHROPIC_API_KEY"):
        make_llm("anthropic")
    with pytest.raises(ModelAuthFailed, match="OPENAI_API_KEY"):
        make_llm("openai")
    with pytest.raises(Rejected, match="known are anthropic, openai, offline"):
        make_llm("oracle")


# ---- from settings -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("chosen", "provider"),
    [
        ({}, "offline"),
        ({"openai_api_key": "sk-o"}, "openai"),
        ({"openai_api_key": "sk-o", "anthropic_api_key": "sk-a"}, "anthropic"),
        ({"openai_api_key": "sk-o", "llm_provider": "offline"}, "offline"),
        ({"openai_base_url": "http://localhost:11434/v1"}, "offline"),
        ({"openai_base_url": "http://localhost:11434/v1", "llm_provider": "openai"}, "openai"),
    ],
)
def test_the_first_provider_with_a_key_is_the_default(
    chosen: dict[str, Any], provider: str
) -> None:
    assert Settings(_env_file=None, **chosen).provider == provider


async def test_a_worker_has_the_providers_of_its_settings(chat_server: ModelServer) -> None:
    settings = Settings(
        _env_file=None,
        llm_provider="openai",
        llm_model="qwen3",
        openai_base_url=chat_server.url,
        openai_native_tools=False,
        openai_reasoning_effort="low",
    )
    chat_server.answers('{"thought": "", "final_answer": "Hello."}')
    llm = llm_from(settings)

    turn = await llm.complete(asked(llm.default_model, NOW))
    await llm.aclose()

    body = chat_server.requests[0].body
    assert turn.text == "Hello."
    assert (body["model"], body["reasoning_effort"]) == ("qwen3", "low")
    assert "tools" not in body


def test_an_agent_names_its_models_in_one_word_each() -> None:
    given = {"name": "report", "fallback_models": ["openai/gpt-x", "b"]}

    assert SkillReference.model_validate(given).fallback_models == ("openai/gpt-x", "b")
    for wrong in ({"model": "two words"}, {"model": ""}, {"fallback_models": ["a"] * 6}):
        with pytest.raises(ValidationError):
            SkillReference.model_validate({"name": "report", **wrong})


@requirement("RAC-5")
async def test_a_window_is_that_of_the_model_and_none_for_one_that_cannot_be_asked() -> None:
    router = make_llm("anthropic", anthropic=Access(KEY), openai=OpenAIAccess())

    assert router.window("") == router.window("anthropic/claude-sonnet-5-5") == 1_000_000
    assert router.window("claude-no-such") is None
    assert router.window("openai/gpt-5.4") == router.window("offline") == sys.maxsize
