"""What is true of Chat Completions alone: its words, and the dialects of those who imitate it."""

from typing import Any

import pytest

from omniforge.llm.openai.provider import OpenAILLM
from omniforge.llm.protocol import Author, Message, StopReason, ToolAnswer
from tests.llm.conftest import KEY, SOON
from tests.llm.test_anthropic import answered
from tests.llm.test_openai import QUERY, asked
from tests.support.chat_api import ChatApi, Quirks
from tests.support.model_server import ModelServer, Reply
from tests.support.requirements import requirement


async def test_what_the_model_said_goes_back_as_it_was(
    chat_server: ModelServer, gpt: OpenAILLM
) -> None:
    chat_server.calls("table_query", {"table": "tasks"})
    chat_server.answers("Done.")
    first = await gpt.complete(asked(tools=(QUERY,)))

    failed = Message(Author.USER, answers=(ToolAnswer(first.calls[0].id, "no such table", True),))
    said = Message(Author.ASSISTANT, first.text, first.calls)
    await gpt.complete(asked(Message(Author.USER, "Go"), said, failed, tools=(QUERY,)))

    (_, _, call, answer) = chat_server.requests[1].body["messages"]
    assert chat_server.requests[0].tools == ["table_query"]
    assert call["tool_calls"][0]["function"]["arguments"] == '{"table": "tasks"}'
    assert answer["tool_call_id"] == call["tool_calls"][0]["id"] == first.calls[0].id
    assert answer["content"] == "Error: no such table"


CALL = {"type": "tool_use", "name": "table_query", "input": {"table": "a"}}
OTHER = {"type": "tool_use", "name": "table_query", "input": {"table": "b"}}


@pytest.mark.parametrize(
    "quirks",
    [
        Quirks(),
        Quirks(index="zero", calls_in_one_piece=True, says_stop_after_calls=True),
        Quirks(index="zero"),
        Quirks(index="absent", calls_in_one_piece=True),
        Quirks(index="absent", has_ids=False, calls_in_one_piece=True),
        Quirks(index="zero", has_ids=False),
        Quirks(has_ids=False, calls_in_one_piece=True, arguments_as_object=True),
        Quirks(has_usage=False, has_done=False),
    ],
)
@requirement("RAC-4")
async def test_calls_are_told_apart_however_a_server_numbers_them(quirks: Quirks) -> None:
    async with ModelServer(ChatApi(quirks)) as server:
        server.replies(Reply((CALL, OTHER), "tool_use"))
        server.replies(Reply((CALL,), "tool_use"))
        llm = OpenAILLM(base_url=server.url, timeouts=SOON)
        first = await llm.complete(asked(tools=(QUERY,)))
        second = await llm.complete(asked(*answered(first, "[]"), tools=(QUERY,)))
        await llm.aclose()

    assert [call.arguments for call in first.calls] == [{"table": "a"}, {"table": "b"}]
    assert first.stop is StopReason.TOOL_CALLS
    assert len({call.id for call in (*first.calls, *second.calls)}) == 3


async def test_a_server_of_ones_own_needs_no_key_and_knows_the_older_limit(
    chat_server: ModelServer,
) -> None:
    chat_server.answers("Yes.")
    llm = OpenAILLM(base_url=f"{chat_server.url}/v1")

    await llm.complete(asked())
    await llm.aclose()

    body: dict[str, Any] = dict(chat_server.requests[0].body)
    assert body["max_tokens"] == 8_192
    assert "max_completion_tokens" not in body
    assert body["stream_options"] == {"include_usage": True}


def test_openais_own_models_get_the_newer_limit() -> None:
    payload = OpenAILLM(KEY, api="chat")._form.payload(asked())

    assert payload["max_completion_tokens"] == 8_192
    assert "max_tokens" not in payload
