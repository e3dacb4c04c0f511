"""What is true of the Responses API alone: its items, and thoughts that are sealed."""

from dataclasses import replace
from urllib.parse import urlsplit

import pytest

from omniforge.assembly import llm_from
from omniforge.errors import ModelRefused, ModelUnreachable
from omniforge.llm.failures import spent
from omniforge.llm.openai.provider import OpenAILLM
from omniforge.llm.protocol import Author, Message, Native, StopReason, ToolAnswer, ToolCall
from omniforge.settings import Settings
from tests.llm.conftest import KEY, SOON
from tests.llm.test_anthropic import answered
from tests.llm.test_openai import QUERY, asked
from tests.support.model_server import ModelServer, Reply
from tests.support.requirements import requirement
from tests.support.responses_api import ResponsesApi, Ways, calls_reply, thought

CALL = {"type": "tool_use", "name": "table_query", "input": {"table": "tasks"}}
OTHER = {"type": "tool_use", "name": "table_query", "input": {"table": "others"}}
GO = Message(Author.USER, "Go")


async def test_the_request_says_that_nothing_is_to_be_kept_and_asks_for_the_thoughts(
    responses_server: ModelServer, thinker: OpenAILLM
) -> None:
    responses_server.answers("Yes.")

    await thinker.complete(asked(tools=(QUERY,)))

    body = responses_server.requests[0].body
    assert (body["store"], body["include"]) == (False, ["reasoning.encrypted_content"])
    assert body["max_output_tokens"] == 8_192
    assert body["tools"] == [
        {
            "type": "function",
            "name": "table_query",
            "description": "Reads rows.",
            "strict": False,
            "parameters": {"type": "object", "properties": {"table": {"type": "string"}}},
        }
    ]


@pytest.mark.parametrize("model", ["gpt-4.1", "gpt-4o-mini", "ft:gpt-4o:acme", "chatgpt-4o-latest"])
async def test_models_that_cannot_reason_are_not_asked_for_thoughts(
    responses_server: ModelServer, thinker: OpenAILLM, model: str
) -> None:
    responses_server.answers("Yes.")

    await thinker.complete(replace(asked(), model=model))

    assert "include" not in responses_server.requests[0].body


@requirement("DUR-1")
async def test_a_thought_goes_back_as_it_was_done_with_the_calls_it_led_to(
    responses_server: ModelServer, thinker: OpenAILLM
) -> None:
    said = {"type": "text", "text": "Let me look.", "phase": "commentary"}
    responses_server.replies(Reply((thought("rs_a"), said, CALL, OTHER), "tool_use"))
    responses_server.answers("Done.")

    first = await thinker.complete(asked(GO, tools=(QUERY,)))
    await thinker.complete(asked(GO, *answered(first, "[]"), tools=(QUERY,)))

    asks, seal, message, *calls_and_answers = responses_server.requests[1].body["input"]
    assert asks == {"role": "user", "content": "Go"}
    assert seal == thought("rs_a")
    assert (message["content"][0]["text"], message["phase"]) == ("Let me look.", "commentary")
    assert [item["type"] for item in calls_and_answers] == [
        "function_call",
        "function_call",
        "function_call_output",
        "function_call_output",
    ]
    ids = [call.id for call in first.calls]
    assert [item["call_id"] for item in calls_and_answers] == ids * 2


TURN = [
    thought(),
    {
        "type": "function_call",
        "call_id": "toolu_1",
        "name": "table_query",
        "arguments": '{"größe":1}',
    },
]


@pytest.mark.parametrize(
    ("native", "is_own_server"),
    [
        (None, True),
        (Native("responses at api.openai.com", "gpt-6.1-sol", TURN), False),
        (Native("anthropic", "gpt-6.1-sol", TURN), False),
        (Native("", "gpt-5.6", TURN), True),
        (Native("", "gpt-6.1-sol", TURN[:1]), True),
    ],
    ids=["nothing", "another server", "another form", "another model", "other calls"],
)
async def test_what_another_thought_goes_back_in_plain_words(
    responses_server: ModelServer,
    thinker: OpenAILLM,
    native: Native | None,
    is_own_server: bool,
) -> None:
    responses_server.answers("Done.")
    if native and is_own_server:
        native = replace(native, provider=f"responses at {urlsplit(responses_server.url).netloc}")
    said = Message(
        Author.ASSISTANT, "Hm.", (ToolCall("toolu_1", "table_query", {"größe": 1}),), native=native
    )
    failed = Message(Author.USER, "And?", answers=(ToolAnswer("toolu_1", "no such table", True),))

    await thinker.complete(asked(GO, said, failed, tools=(QUERY,)))

    assert responses_server.requests[0].body["input"][1:] == [
        {"role": "assistant", "content": "Hm."},
        {
            "type": "function_call",
            "call_id": "toolu_1",
            "name": "table_query",
            "arguments": '{"größe": 1}',
        },
        {
            "type": "function_call_output",
            "call_id": "toolu_1",
            "output": "Error: no such table",
        },
        {"role": "user", "content": "And?"},
    ]


@pytest.mark.parametrize(
    ("content", "stop_reason"),
    [
        (({"type": "text", "text": "Yes."},), "end_turn"),
        ((CALL,), "tool_use"),
        (({**thought(), "encrypted_content": None}, CALL), "tool_use"),
        ((thought(),), "max_tokens"),
    ],
    ids=["no thought", "no thought before a call", "a thought kept back", "a cut turn"],
)
async def test_a_turn_that_plain_words_can_tell_is_recorded_in_plain_words(
    responses_server: ModelServer,
    thinker: OpenAILLM,
    content: tuple[dict[str, object], ...],
    stop_reason: str,
) -> None:
    responses_server.replies(Reply(content, stop_reason))

    assert (await thinker.complete(asked(tools=(QUERY,)))).native is None


async def test_two_messages_of_a_turn_are_two_paragraphs(
    responses_server: ModelServer, thinker: OpenAILLM
) -> None:
    texts = ("I will look.", "Three tasks are late.")
    responses_server.replies(Reply(tuple({"type": "text", "text": text} for text in texts)))
    pieces: list[str] = []

    turn = await thinker.complete(asked(), pieces.append)

    assert turn.text == "".join(pieces) == "\n\n".join(texts)


async def test_a_thought_that_leaves_no_tokens_for_an_answer_is_a_cut_turn_with_its_cost(
    responses_server: ModelServer, thinker: OpenAILLM
) -> None:
    usage = {"input_tokens": 25, "output_tokens": 8_192, "reasoning_tokens": 8_192}
    responses_server.replies(Reply((thought(),), "max_tokens", usage=usage))

    turn = await thinker.complete(asked())

    assert (turn.text, turn.stop) == ("", StopReason.MAX_TOKENS)
    assert turn.usage.output_tokens == 8_192


async def test_a_line_cut_in_the_middle_of_a_thought_counts_what_was_sent(
    responses_server: ModelServer, thinker: OpenAILLM
) -> None:
    responses_server.replies(Reply((thought(),), events=3, ending="closed"))

    with pytest.raises(ModelUnreachable, match="broke off") as caught:
        await thinker.complete(asked())

    assert spent(caught.value).input_tokens > 0


async def test_calls_without_ids_get_some() -> None:
    async with ModelServer(ResponsesApi(Ways(has_call_ids=False))) as server:
        server.replies(Reply((thought(), CALL, OTHER), "tool_use"))
        server.answers("Done.")
        llm = OpenAILLM(base_url=server.url, timeouts=SOON, api="responses")
        first = await llm.complete(asked(tools=(QUERY,)))
        await llm.complete(asked(GO, *answered(first, "[]"), tools=(QUERY,)))
        await llm.aclose()

    items = server.requests[1].body["input"]
    assert [item["call_id"] for item in items[1:]] == ["call_1", "call_2"] * 2


@pytest.mark.parametrize("fails_by", ["error", "nested", "failed"])
@pytest.mark.parametrize("code", ["invalid_prompt", "misalignment_policy_violation"])
async def test_what_a_policy_stops_is_a_refusal_and_not_tried_again(
    fails_by: str, code: str
) -> None:
    async with ModelServer(ResponsesApi(Ways(fails_by=fails_by))) as server:
        server.fails_midway(code, f"Not with {KEY}.")
        llm = OpenAILLM(KEY, server.url, timeouts=SOON, api="responses")
        with pytest.raises(ModelRefused, match="does not let this request pass") as caught:
            await llm.complete(asked())
        await llm.aclose()

    assert KEY not in f"{caught.value} {caught.value.details}"


async def test_an_answer_that_failed_without_a_word_is_tried_again(
    responses_server: ModelServer, thinker: OpenAILLM
) -> None:
    failed = b'data: {"type": "response.failed", "response": {"error": null}}\n\n'
    responses_server.replies(Reply(raw=failed, headers={"content-type": "text/event-stream"}))

    with pytest.raises(ModelUnreachable, match="gave up"):
        await thinker.complete(asked())


async def test_kinds_of_events_and_items_that_nobody_knew_are_passed_over(
    responses_server: ModelServer, thinker: OpenAILLM
) -> None:
    program = {"type": "program_of_tomorrow", "id": "x_1", "steps": [{"type": "leap"}]}
    responses_server.replies(Reply((program, *calls_reply(("table_query", {})).content)))

    turn = await thinker.complete(asked(tools=(QUERY,)))

    assert [call.name for call in turn.calls] == ["table_query"]


async def test_a_worker_speaks_it_to_another_server_when_its_settings_say_so(
    responses_server: ModelServer,
) -> None:
    responses_server.answers("Yes.")
    llm = llm_from(
        Settings(
            _env_file=None,
            llm_provider="openai",
            openai_base_url=responses_server.url,
            openai_api="responses",
        )
    )

    await llm.complete(asked())
    await llm.aclose()

    assert responses_server.requests[0].path == "/responses"
