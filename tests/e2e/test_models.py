"""Models over their real wire protocols, through the whole product."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from omniforge.execution.model_call import live_text
from omniforge.llm.providers import Access, OpenAIAccess, make_llm
from omniforge.llm.router import Router
from omniforge.llm.sections import outside_text
from tests.support.chat_api import ChatApi
from tests.support.model_server import ModelServer, Reply, calls_reply, text_reply
from tests.support.platform import PATIENCE, Platform, skill
from tests.support.requirements import requirement

AT_ONCE = {"retry-after-ms": "1"}


@pytest.fixture
async def claude() -> AsyncIterator[ModelServer]:
    async with ModelServer() as server:
        yield server


@pytest.fixture
async def gpt() -> AsyncIterator[ModelServer]:
    async with ModelServer(ChatApi()) as server:
        yield server


@pytest.fixture
async def router(
    platform: Platform, claude: ModelServer, gpt: ModelServer
) -> AsyncIterator[Router]:
    """The platform's model from here on: the real SDKs, talking to the scripted servers."""
    llm = make_llm(
        "anthropic", anthropic=Access("sk-a", claude.url), openai=OpenAIAccess("sk-o", gpt.url)
    )
    platform.model.becomes(llm)
    yield llm
    platform.model.forget()
    await llm.aclose()


pytestmark = pytest.mark.usefixtures("router")


@pytest.fixture(params=["anthropic/claude-x", "openai/gpt-x"])
def model(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def server(model: str, claude: ModelServer, gpt: ModelServer) -> ModelServer:
    return claude if model.startswith("anthropic") else gpt


def told(events: list[dict[str, Any]], kind: str) -> list[dict[str, Any]]:
    return [event["body"] for event in events if event["body"]["type"] == kind]


@requirement("RAC-4", "BUD-1")
async def test_a_skill_calls_tools_and_pays_for_its_turns(
    platform: Platform, server: ModelServer, model: str
) -> None:
    server.several(
        ("write_file", {"path": "a.txt", "content": "hi"}), ("read_file", {"path": "a.txt"})
    )
    server.answers('{"said": "hi"}')

    run = await platform.run(skill("greet", "Greet.", model=model))

    assert run["result"] == {"said": "hi"}
    assert run["usage"]["model_calls"] == 2
    told = [json.loads(outside_text(each["content"])) for each in server.requests[1].answers]
    assert [each["path"] for each in told] == ["a.txt", "a.txt"]
    names = [step["name"] for step in await platform.steps(run["id"])]
    assert names == ["preamble", "model", "write_file", "read_file", "model"]


@requirement("RAC-3")
async def test_wrong_calls_are_told_to_the_model_and_mended(
    platform: Platform, server: ModelServer, model: str
) -> None:
    broken = {"type": "tool_use", "name": "write_file", "input": '{"path": '}
    server.calls("no_such_tool", {})
    server.replies(Reply((broken,), "tool_use"))
    server.answers("Done.")

    run = await platform.run(skill("mends", "Do it.", model=model))

    assert run["status"] == "completed"
    assert "no_such_tool" in server.requests[1].answers[0]["content"]
    assert "not valid JSON" in server.requests[2].text


@requirement("RAC-3")
async def test_trouble_that_passes_is_waited_out(
    platform: Platform, server: ModelServer, model: str
) -> None:
    server.fails(429, "rate_limit_error", headers=AT_ONCE)
    server.fails(503, "server_error")
    server.cuts_stream_after(4)
    server.answers("Done.")

    run = await platform.run(skill("waits", "Do it.", model=model))

    assert (run["status"], len(server.requests)) == ("completed", 4)


@requirement("RAC-3")
@pytest.mark.parametrize(
    ("status", "name", "message", "code"),
    [
        (401, "authentication_error", "bad key", "model_auth_failed"),
        (404, "not_found_error", "no such model", "model_unknown"),
        (400, "invalid_request_error", "prompt is too long: 9 > 8", "context_too_long"),
        (400, "invalid_request_error", "bad schema", "model_request_invalid"),
    ],
)
async def test_trouble_that_does_not_pass_ends_the_run_with_its_own_code(
    platform: Platform,
    server: ModelServer,
    model: str,
    status: int,
    name: str,
    message: str,
    code: str,
) -> None:
    server.fails(status, name, message)

    run = await platform.run(skill("fails", "Do it.", model=model))

    assert (run["status"], run["error_code"]) == ("failed", code)
    assert len(server.requests) == 1
    assert "sk-" not in json.dumps(run)


async def test_a_refusal_ends_the_run_and_no_other_model_is_asked(
    platform: Platform, claude: ModelServer, gpt: ModelServer
) -> None:
    claude.refuses("This could do harm.")

    run = await platform.run(
        skill("refused", "Do it.", model="claude-x", fallback_models=["openai/gpt-x"])
    )

    assert run["error_code"] == "model_refused"
    assert gpt.requests == []


@requirement("EXE-4")
async def test_a_model_that_never_stops_calling_ends_by_its_limit(
    platform: Platform, server: ModelServer, model: str
) -> None:
    numbers = iter(range(100))
    server.decides(
        lambda _: calls_reply(("write_file", {"path": "n.txt", "content": str(next(numbers))}))
    )

    run = await platform.run(skill("endless", "Do it.", model=model), limits={"max_iterations": 6})

    assert (run["status"], run["error_code"]) == ("failed", "max_iterations")
    assert len(server.requests) == 6


@requirement("RAC-3")
async def test_a_provider_that_is_down_is_passed_over_for_the_next_and_people_see_it(
    platform: Platform, claude: ModelServer, gpt: ModelServer
) -> None:
    claude.fails(429, "rate_limit_error", "busy", headers=AT_ONCE, times=None)
    gpt.calls("write_file", {"path": "a.txt", "content": "x"})
    gpt.answers("Done.")

    run = await platform.run(
        skill("falls", "Do it.", model="claude-x", fallback_models=["openai/gpt-x"])
    )

    first, second = told(await platform.events(run["id"]), "model_answered")
    assert run["status"] == "completed"
    assert [one["model"] for one in first["passed_over"]] == ["claude-x"]
    assert first["passed_over"][0]["error"]["code"] == "model_rate_limited"
    assert (first["model"], second["passed_over"]) == ("openai/gpt-x", [])
    assert len(claude.requests) == 5
    models = [step["model"] for step in await platform.steps(run["id"])]
    assert models == [None, "openai/gpt-x", None, "openai/gpt-x"]


# ---- text as it comes --------------------------------------------------------------------------


@pytest.fixture
def often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live_text, "INTERVAL", 0.01)


class Watching:
    """Someone on the event stream from the first event to the last."""

    def __init__(self, platform: Platform, execution_id: str) -> None:
        self._platform, self._id = platform, execution_id
        self.events: list[dict[str, Any]] = []

    async def until_the_end(self) -> None:
        path = f"/api/v1/executions/{self._id}/events"
        async with asyncio.timeout(PATIENCE), self._platform.api.stream("GET", path) as answer:
            async for line in answer.aiter_lines():
                if line.startswith("data: "):
                    self.events.append(json.loads(line.removeprefix("data: ")))

    @property
    def text(self) -> str:
        return "".join(body["text"] for body in told(self.events, "text_delta"))


def pieces_of(text: str) -> Reply:
    """A word every 20 milliseconds."""
    reply = text_reply(text)
    return Reply(reply.content, pace=0.02)


@requirement("RAC-1")
@pytest.mark.usefixtures("often")
async def test_text_streams_to_watchers_and_leaves_nothing_behind(
    platform: Platform, server: ModelServer, model: str
) -> None:
    words = " ".join(f"word{n}" for n in range(30))
    server.replies(pieces_of(words))
    execution = await platform.start(await platform.agent(skill("talks", "Talk.", model=model)))
    watching = Watching(platform, execution)

    await watching.until_the_end()

    late = await platform.events(execution)
    seen = [event["seq"] for event in watching.events]
    assert words.startswith(watching.text)
    assert len(told(watching.events, "text_delta")) > 2
    assert seen == sorted(seen)
    assert told(late, "text_delta") == []
    assert told(late, "model_answered")[0]["text"] == words
    lasting = [event for event in watching.events if event["body"]["type"] != "text_delta"]
    assert lasting == late
    assert await platform.events(execution, after=seen[-2]) == late[-1:]


@requirement("RAC-3")
@pytest.mark.usefixtures("often")
async def test_watchers_drop_half_a_message_when_the_line_was_cut(
    platform: Platform, claude: ModelServer
) -> None:
    replies = _cut_then_whole()
    claude.decides(lambda _: next(replies))
    execution = await platform.start(await platform.agent(skill("cut", "Talk.", model="claude-x")))
    watching = Watching(platform, execution)

    await watching.until_the_end()

    kinds = [event["body"]["type"] for event in watching.events]
    assert kinds.index("text_delta") < kinds.index("text_reset") < kinds.index("model_answered")
    assert told(await platform.events(execution), "text_reset") == []


def _cut_then_whole() -> Iterator[Reply]:
    half = pieces_of("half an answer " * 10)
    yield Reply(half.content, pace=half.pace, events=20, ending="cut")
    yield text_reply("Done.")
