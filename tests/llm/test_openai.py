"""OpenAI's models through the real SDK, against a real server: what is true of both forms of the API."""

from decimal import Decimal

import pytest

from omniforge.agents.runs import TokenUsage
from omniforge.errors import AnswerUnusable, ModelAuthFailed, ModelRefused, ModelUnknown
from omniforge.llm.failures import spent
from omniforge.llm.openai.chat.form import Chat
from omniforge.llm.openai.form import Api, Form
from omniforge.llm.openai.provider import DEFAULT_MODEL, OpenAILLM
from omniforge.llm.openai.responses.form import Responses
from omniforge.llm.protocol import Author, Completion, Message, StopReason, ToolSchema
from omniforge.llm.tokens import estimate_tokens
from tests.llm.conftest import KEY, SOON
from tests.llm.test_anthropic import answered
from tests.support.chat_api import ChatApi, Quirks
from tests.support.messages_api import WireApi
from tests.support.model_server import ModelServer, Reply
from tests.support.requirements import requirement
from tests.support.responses_api import ResponsesApi, Ways

QUERY = ToolSchema("table_query", "Reads rows.", {"properties": {"table": {"type": "string"}}})
PATHS = {"chat": "/v1/chat/completions", "responses": "/v1/responses"}


def asked(*messages: Message, tools: tuple[ToolSchema, ...] = ()) -> Completion:
    spoken = messages or (Message(Author.USER, "How many tasks are late?"),)
    return Completion("gpt-6.1-sol", "You look after a task list.", spoken, tools)


@requirement("RAC-4")
async def test_a_tool_loop_with_several_calls_goes_to_its_final_answer(
    either_server: ModelServer, either: OpenAILLM, api: Api
) -> None:
    given = {"table": "tasks", "größe": [1, None]}
    either_server.several(("table_query", given), ("table_query", {}), text="Let me look.")
    either_server.answers("Three tasks are late.")
    question = Message(Author.USER, "How many tasks are late?")

    first = await either.complete(asked(question, tools=(QUERY,)))
    last = await either.complete(asked(question, *answered(first, '{"count": 3}'), tools=(QUERY,)))

    assert (first.text, first.stop) == ("Let me look.", StopReason.TOOL_CALLS)
    assert [call.arguments for call in first.calls] == [given, {}]
    assert (last.text, last.stop, last.calls) == ("Three tasks are late.", StopReason.END, ())
    asked_first, asked_last = either_server.requests
    assert (asked_first.path, asked_first.body["stream"]) == (PATHS[api], True)
    assert asked_first.system == "You look after a task list."
    assert [each["content"] for each in asked_last.answers] == ['{"count": 3}'] * 2


@requirement("RAC-1")
async def test_text_arrives_piece_by_piece(either_server: ModelServer, either: OpenAILLM) -> None:
    either_server.answers("Three tasks are late.")
    pieces: list[str] = []

    turn = await either.complete(asked(), pieces.append)

    assert pieces == ["Three ", "tasks ", "are ", "late."]
    assert "".join(pieces) == turn.text


@requirement("BUD-1")
async def test_usage_tells_cached_tokens_apart(
    either_server: ModelServer, either: OpenAILLM
) -> None:
    either_server.answers(
        "Done.",
        input_tokens=100,
        output_tokens=20,
        cache_read_input_tokens=4_000,
        cache_creation_input_tokens=500,
    )

    turn = await either.complete(asked())

    assert turn.usage.model_dump(exclude={"tool_calls"}) == {
        "input_tokens": 100,
        "output_tokens": 20,
        "cache_read_tokens": 4_000,
        "cache_write_tokens": 500,
        "model_calls": 1,
    }
    assert OpenAILLM(KEY).price("gpt-5", turn.usage) == Decimal("0.00145")


async def test_calls_of_an_answer_that_was_cut_do_not_count(
    either_server: ModelServer, either: OpenAILLM
) -> None:
    half = {"type": "tool_use", "name": "table_query", "input": '{"table": "ta'}
    either_server.replies(Reply(({"type": "text", "text": "I will"}, half), "max_tokens"))

    turn = await either.complete(asked(tools=(QUERY,)))

    assert (turn.text, turn.calls, turn.stop) == ("I will", (), StopReason.MAX_TOKENS)


async def test_an_empty_answer_is_an_empty_turn(
    either_server: ModelServer, either: OpenAILLM
) -> None:
    either_server.replies(Reply())

    turn = await either.complete(asked())

    assert (turn.text, turn.calls, turn.stop) == ("", (), StopReason.END)


@pytest.mark.parametrize("arguments", ["[1, 2]", '"tasks"', "3", '{"n": NaN}', '{"table": }'])
async def test_arguments_that_are_no_object_go_back_to_the_model(
    either_server: ModelServer, either: OpenAILLM, arguments: str
) -> None:
    block = {"type": "tool_use", "name": "table_query", "input": arguments}
    either_server.replies(Reply(({"type": "text", "text": "Hm."}, block), "tool_use"))

    with pytest.raises(AnswerUnusable, match="Make the call again") as caught:
        await either.complete(asked(tools=(QUERY,)))

    assert caught.value.text == "Hm."
    assert spent(caught.value).input_tokens == 25


async def test_a_refusal_is_told_with_its_reason_and_its_cost(
    either_server: ModelServer, either: OpenAILLM
) -> None:
    either_server.refuses("This could do harm.")

    with pytest.raises(ModelRefused, match="declined to answer: This could do harm") as caught:
        await either.complete(asked())

    assert spent(caught.value).output_tokens == 10


async def test_a_filtered_answer_is_a_refusal(
    either_server: ModelServer, either: OpenAILLM
) -> None:
    either_server.replies(Reply(({"type": "text", "text": "Half"},), "content_filter"))

    with pytest.raises(ModelRefused, match="content filter"):
        await either.complete(asked())


@pytest.mark.parametrize(
    ("api", "speaks"),
    [
        ("chat", ChatApi(Quirks(has_usage=False))),
        ("responses", ResponsesApi(Ways(has_usage=False))),
    ],
)
async def test_without_usage_it_is_estimated_rather_too_high(api: Api, speaks: WireApi) -> None:
    async with ModelServer(speaks) as server:
        server.answers("Three tasks are late.")
        llm = OpenAILLM(base_url=server.url, api=api)
        turn = await llm.complete(asked())
        await llm.aclose()

    assert turn.usage.input_tokens == estimate_tokens(asked())
    assert turn.usage.output_tokens == 11


async def test_the_key_travels_as_a_header_and_nowhere_else(
    either_server: ModelServer, either: OpenAILLM
) -> None:
    either_server.answers("Yes.")

    await either.complete(asked())

    request = either_server.requests[0]
    assert request.headers["authorization"] == f"Bearer {KEY}"
    assert KEY not in repr(request.body)
    assert KEY not in repr(either)


# ---- which form, which model, which price ------------------------------------------------------


@pytest.mark.parametrize(
    ("url", "api", "form"),
    [
        (None, "auto", Responses),
        ("https://api.openai.com/v1", "auto", Responses),
        ("https://eu.api.openai.com/v1/", "auto", Responses),
        ("https://api.openai.com/v1", "chat", Chat),
        ("https://openrouter.ai/api/v1", "auto", Chat),
        ("https://api.openai.com.example.org/v1", "auto", Chat),
        ("http://localhost:11434/v1", "auto", Chat),
        ("http://localhost:11434/v1", "responses", Responses),
    ],
)
def test_openais_own_address_is_asked_over_responses_and_others_over_chat(
    url: str | None, api: Api, form: type[Form]
) -> None:
    assert type(OpenAILLM(KEY, url, api=api)._form) is form


async def test_a_reasoning_effort_is_sent_as_it_is(either_server: ModelServer, api: Api) -> None:
    either_server.answers("Yes.", times=None)
    for effort in ("low", ""):
        llm = OpenAILLM(base_url=either_server.url, api=api, reasoning_effort=effort)
        await llm.complete(asked())
        await llm.aclose()

    told, untold = (request.body for request in either_server.requests)
    name, value = {
        "chat": ("reasoning_effort", "low"),
        "responses": ("reasoning", {"effort": "low"}),
    }[api]
    assert told[name] == value
    assert name not in untold


def test_only_openais_own_server_has_a_default_model_and_its_price_is_known() -> None:
    own = OpenAILLM(KEY)

    assert own.default_model == DEFAULT_MODEL
    assert own.price(DEFAULT_MODEL, TokenUsage(input_tokens=1)) is not None
    assert own.window(DEFAULT_MODEL) is not None
    assert OpenAILLM(KEY, "http://localhost:11434/v1", timeouts=SOON).default_model == ""


async def test_a_server_without_a_named_model_says_what_to_set(gpt: OpenAILLM) -> None:
    with pytest.raises(ModelUnknown, match="OMNIFORGE_LLM_MODEL"):
        await gpt.complete(Completion("", "", ()))


@pytest.mark.parametrize(
    ("url", "model", "costs"),
    [
        (None, "gpt-5", "0.00125"),
        ("https://openrouter.ai/api/v1", "openai/gpt-5", "0.00125"),
        ("http://localhost:11434/v1", "gpt-5", None),
    ],
)
def test_prices_are_those_of_the_server(url: str | None, model: str, costs: str | None) -> None:
    price = OpenAILLM(KEY, url).price(model, TokenUsage(input_tokens=1_000))

    assert price == (Decimal(costs) if costs else None)


@pytest.mark.parametrize("key", ["", "  ", "sk-\nx", "sk x", "schlüssel"])
def test_what_cannot_be_a_key_is_refused_at_once(key: str) -> None:
    with pytest.raises(ModelAuthFailed, match="OPENAI_API_KEY"):
        OpenAILLM(key)
