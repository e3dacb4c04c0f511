"""Wherever a stream is cut into pieces, and however its server goes about it, the turn is the same."""

import asyncio
import json

from hypothesis import given, settings
from hypothesis import strategies as st

from omniforge.llm.openai.form import Api
from omniforge.llm.openai.provider import OpenAILLM
from omniforge.llm.protocol import Turn
from tests.llm.test_openai import QUERY, asked
from tests.support.chat_api import ChatApi, Quirks
from tests.support.model_server import ModelServer, Reply, calls_reply
from tests.support.responses_api import ResponsesApi, Ways

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
arguments = st.dictionaries(texts, texts | st.integers() | st.none(), max_size=3)
pieces = st.lists(st.integers(0, 200), min_size=1, max_size=8).map(tuple)
quirks = st.builds(
    Quirks,
    index=st.sampled_from(["counted", "absent", "zero"]),
    has_ids=st.booleans(),
    has_done=st.booleans(),
    says_stop_after_calls=st.booleans(),
    pieces=pieces,
)
ways = st.builds(Ways, has_call_ids=st.booleans(), pieces=pieces)
forms = st.builds(ChatApi, quirks) | st.builds(ResponsesApi, ways)


async def heard(reply: Reply, form: ChatApi | ResponsesApi) -> Turn:
    api: Api = "chat" if isinstance(form, ChatApi) else "responses"
    async with ModelServer(form) as server:
        server.replies(reply)
        llm = OpenAILLM(base_url=server.url, api=api)
        try:
            return await llm.complete(asked(tools=(QUERY,)))
        finally:
            await llm.aclose()


@settings(max_examples=50, deadline=None)
@given(text=texts, calls=st.lists(arguments, max_size=3), form=forms)
def test_the_turn_does_not_depend_on_the_pieces(
    text: str, calls: list[dict[str, object]], form: ChatApi | ResponsesApi
) -> None:
    reply = calls_reply(*(("table_query", each) for each in calls), text=text)

    turn = asyncio.run(heard(reply, form))

    assert turn.text == text
    assert [json.dumps(dict(call.arguments)) for call in turn.calls] == [
        json.dumps(each) for each in calls
    ]
    assert len({call.id for call in turn.calls}) == len(calls)
