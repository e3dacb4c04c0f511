"""Claude through the real SDK, against a real server that speaks its protocol."""

import asyncio
import socket
import subprocess
import sys
from decimal import Decimal

import pytest

from omniforge.errors import AnswerUnusable, ModelAuthFailed, ModelRefused
from omniforge.llm.anthropic.provider import AnthropicLLM
from omniforge.llm.failures import spent
from omniforge.llm.protocol import (
    Author,
    Completion,
    Message,
    StopReason,
    ToolAnswer,
    ToolCall,
    ToolSchema,
    Turn,
)
from tests.llm.conftest import KEY
from tests.support.model_server import ModelServer, Reply
from tests.support.requirements import requirement

MODEL = "claude-sonnet-5-5"
QUERY = ToolSchema(
    "table_query",
    "Reads rows of a table.",
    {"type": "object", "properties": {"table": {"type": "string"}}},
)


def asked(*messages: Message, tools: tuple[ToolSchema, ...] = ()) -> Completion:
    spoken = messages or (Message(Author.USER, "How many tasks are late?"),)
    return Completion(MODEL, "You look after a task list.", spoken, tools)


def answered(turn: Turn, content: str, *, is_error: bool = False) -> tuple[Message, Message]:
    answers = tuple(ToolAnswer(call.id, content, is_error) for call in turn.calls)
    return (
        Message(Author.ASSISTANT, turn.text, turn.calls, native=turn.native),
        Message(Author.USER, answers=answers),
    )


@requirement("RAC-4")
async def test_a_tool_loop_goes_from_call_to_final_answer(
    server: ModelServer, claude: AnthropicLLM
) -> None:
    server.calls("table_query", {"table": "tasks", "größe": [1, None]}, text="Let me look.")
    server.answers("Three tasks are late.")
    question = Message(Author.USER, "How many tasks are late?")

    first = await claude.complete(asked(question, tools=(QUERY,)))
    last = await claude.complete(asked(question, *answered(first, '{"count": 3}'), tools=(QUERY,)))

    assert first.stop is StopReason.TOOL_CALLS
    assert first.text == "Let me look."
    assert [(call.name, call.arguments) for call in first.calls] == [
        ("table_query", {"table": "tasks", "größe": [1, None]})
    ]
    assert (last.text, last.stop, last.calls) == ("Three tasks are late.", StopReason.END, ())
    assert server.requests[0].tools == ["table_query"]
    assert server.requests[0].system == "You look after a task list."
    (result,) = server.requests[1].answers
    assert result["tool_use_id"] == first.calls[0].id
    assert (result["content"], result["is_error"]) == ('{"count": 3}', False)


async def test_several_calls_come_in_the_models_order(
    server: ModelServer, claude: AnthropicLLM
) -> None:
    server.several(("table_query", {"table": "a"}), ("table_query", {"table": "b"}))

    turn = await claude.complete(asked(tools=(QUERY,)))

    assert [call.arguments["table"] for call in turn.calls] == ["a", "b"]
    assert len({call.id for call in turn.calls}) == 2


async def test_a_failed_tool_is_told_as_an_error(server: ModelServer, claude: AnthropicLLM) -> None:
    server.calls("table_query", {})
    server.answers("It failed.")
    first = await claude.complete(asked(tools=(QUERY,)))

    await claude.complete(
        asked(Message(Author.USER, "Go"), *answered(first, "", is_error=True), tools=(QUERY,))
    )

    (result,) = server.requests[1].answers
    assert result["is_error"] is True
    assert result["content"] == "(nothing)"  # the API refuses an error without words


@requirement("RAC-1")
async def test_text_arrives_piece_by_piece(server: ModelServer, claude: AnthropicLLM) -> None:
    server.answers("Three tasks are late.")
    pieces: list[str] = []

    turn = await claude.complete(asked(), pieces.append)

    assert pieces == ["Three ", "tasks ", "are ", "late."]
    assert "".join(pieces) == turn.text


@requirement("BUD-1")
async def test_usage_tells_cached_tokens_apart(server: ModelServer, claude: AnthropicLLM) -> None:
    server.answers(
        "Done.",
        input_tokens=100,
        output_tokens=20,
        cache_read_input_tokens=4_000,
        cache_creation_input_tokens=500,
    )

    turn = await claude.complete(asked())

    assert turn.usage.model_dump() == {
        "input_tokens": 100,
        "output_tokens": 20,
        "cache_read_tokens": 4_000,
        "cache_write_tokens": 500,
        "model_calls": 1,
        "tool_calls": 0,
    }
    assert claude.price(turn.model, turn.usage) == Decimal("0.00205")


async def test_prompt_and_conversation_are_marked_for_the_cache(
    server: ModelServer, claude: AnthropicLLM
) -> None:
    server.answers("Done.")

    await claude.complete(asked(tools=(QUERY,)))

    body = server.requests[0].body
    assert body["system"][-1]["cache_control"] == {"type": "ephemeral"}
    assert body["messages"][-1]["content"][-1]["cache_control"] == {"type": "ephemeral"}


async def test_the_request_before_left_its_mark_where_this_one_can_find_it(
    server: ModelServer, claude: AnthropicLLM
) -> None:
    server.several(*(("table_query", {"n": n}) for n in range(15)))
    server.answers("Done.")
    first = await claude.complete(asked(tools=(QUERY,)))
    question = Message(Author.USER, "How many?")

    await claude.complete(asked(question, *answered(first, "[]"), tools=(QUERY,)))

    marked = [
        any("cache_control" in block for block in message["content"])
        for message in server.requests[1].body["messages"]
    ]
    assert marked == [True, False, True]


@pytest.mark.parametrize("reason", ["max_tokens", "pause_turn"])
async def test_calls_of_an_answer_that_broke_off_do_not_count(
    server: ModelServer, claude: AnthropicLLM, reason: str
) -> None:
    text = {"type": "text", "text": "I will"}
    half = {"type": "tool_use", "name": "table_query", "input": '{"table": "ta'}
    server.replies(Reply((text, half), stop_reason=reason))

    turn = await claude.complete(asked(tools=(QUERY,)))

    assert (turn.text, turn.calls, turn.stop) == ("I will", (), StopReason.MAX_TOKENS)


async def test_an_empty_answer_is_an_empty_turn(server: ModelServer, claude: AnthropicLLM) -> None:
    server.replies(Reply())

    turn = await claude.complete(asked())

    assert (turn.text, turn.calls, turn.stop) == ("", (), StopReason.END)


async def test_empty_messages_go_out_as_something_the_api_takes(
    server: ModelServer, claude: AnthropicLLM
) -> None:
    server.answers("Yes?")

    await claude.complete(asked(Message(Author.USER), Message(Author.ASSISTANT, "  ")))

    contents = [message["content"] for message in server.requests[0].body["messages"]]
    assert [block["text"] for content in contents for block in content] == ["(nothing)"] * 2


@pytest.mark.parametrize("arguments", ["[1, 2]", '"tasks"', "3", '{"n": NaN}', '{"table": }'])
async def test_arguments_that_are_no_object_go_back_to_the_model(
    server: ModelServer, claude: AnthropicLLM, arguments: str
) -> None:
    block = {"type": "tool_use", "name": "table_query", "input": arguments}
    server.replies(Reply(({"type": "text", "text": "Hm."}, block), "tool_use"))

    with pytest.raises(AnswerUnusable, match="Make the call again") as caught:
        await claude.complete(asked(tools=(QUERY,)))

    assert caught.value.text == "Hm."
    assert spent(caught.value).input_tokens == 25


async def test_a_call_without_arguments_has_none(server: ModelServer, claude: AnthropicLLM) -> None:
    server.replies(Reply(({"type": "tool_use", "name": "now", "input": ""},), "tool_use"))

    turn = await claude.complete(asked(tools=(QUERY,)))

    assert turn.calls[0].arguments == {}


async def test_a_refusal_is_told_with_its_reason_and_its_cost(
    server: ModelServer, claude: AnthropicLLM
) -> None:
    server.refuses("This could do harm.")

    with pytest.raises(ModelRefused, match="declined to answer: This could do harm") as caught:
        await claude.complete(asked())

    assert spent(caught.value).output_tokens == 10


THINKING = {"type": "thinking", "thinking": "Rows first.", "signature": "c2lnbmVk"}


async def test_thinking_goes_back_unchanged_with_the_answers_to_its_calls(
    server: ModelServer, claude: AnthropicLLM
) -> None:
    call = {"type": "tool_use", "name": "table_query", "input": {"table": "tasks"}}
    server.replies(Reply((THINKING, call), "tool_use"))
    server.answers("Done.")
    question = Message(Author.USER, "Go")

    first = await claude.complete(asked(question, tools=(QUERY,)))
    await claude.complete(asked(question, *answered(first, "[]"), tools=(QUERY,)))

    sent = server.requests[1].body["messages"][1]["content"]
    assert sent[0] == THINKING
    assert (sent[1]["id"], sent[1]["input"]) == (first.calls[0].id, {"table": "tasks"})


async def test_a_changed_call_goes_back_without_the_thinking_that_led_to_it(
    server: ModelServer, claude: AnthropicLLM
) -> None:
    call = {"type": "tool_use", "name": "table_query", "input": {"table": "tasks"}}
    server.replies(Reply((THINKING, call), "tool_use"))
    server.answers("Done.")
    first = await claude.complete(asked(tools=(QUERY,)))
    edited = ToolCall(first.calls[0].id, "table_query", {"table": "clients"})

    await claude.complete(
        asked(
            Message(Author.USER, "Go"),
            Message(Author.ASSISTANT, calls=(edited,), native=first.native),
            Message(Author.USER, answers=(ToolAnswer(edited.id, "[]"),)),
            tools=(QUERY,),
        )
    )

    (sent,) = server.requests[1].body["messages"][1]["content"]
    assert sent["input"] == {"table": "clients"}


async def test_one_connection_serves_calls_at_the_same_time_and_after_closing(
    server: ModelServer, claude: AnthropicLLM
) -> None:
    server.answers("Yes.", times=None)

    turns = await asyncio.gather(*(claude.complete(asked()) for _ in range(5)))
    await claude.aclose()
    again = await claude.complete(asked())

    assert {turn.text for turn in (*turns, again)} == {"Yes."}


async def test_the_key_travels_as_a_header_and_nowhere_else(
    server: ModelServer, claude: AnthropicLLM
) -> None:
    server.answers("Yes.")

    await claude.complete(asked())

    request = server.requests[0]
    assert any(KEY in value for value in request.headers.values())
    assert KEY not in repr(request.body)
    assert KEY not in repr(claude)


@pytest.mark.parametrize("key", ["", "  ", "sk-\nant", "sk ant", "schlüssel"])
def test_what_cannot_be_a_key_is_refused_at_once(key: str) -> None:
    with pytest.raises(ModelAuthFailed, match="ANTHROPIC_API_KEY"):
        AnthropicLLM(key)


async def test_a_wrong_address_is_told_with_its_host() -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    llm = AnthropicLLM(KEY, f"http://127.0.0.1:{port}")

    with pytest.raises(Exception, match=f"127.0.0.1:{port}: the connection failed"):
        await llm.complete(asked())

    await llm.aclose()


def test_the_sdk_is_not_loaded_before_it_is_used() -> None:
    program = (
        "import sys; from omniforge.llm.providers import make_llm;"
        "import omniforge.llm.react, omniforge.llm.offline, omniforge.llm.tokens;"
        "from omniforge.llm.providers import Access, OpenAIAccess;"
        "make_llm('anthropic', anthropic=Access('sk-x'));"
        "make_llm('openai', openai=OpenAIAccess('sk-x'));"
        "sys.exit(bool({'anthropic', 'openai', 'httpx2', 'genai_prices'} & set(sys.modules)))"
    )

    assert subprocess.run([sys.executable, "-c", program], check=False, timeout=30).returncode == 0
