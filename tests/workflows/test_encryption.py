"""Runs whose payloads are encrypted: what Temporal knows of them, and what a change of keys does to them."""

import asyncio
import base64
import contextlib
import gc
import json
import logging
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import httpx2
import pytest
from temporalio.api.enums.v1 import EventType
from temporalio.client import WorkflowHandle, WorkflowHistory
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import Replayer, UnsandboxedWorkflowRunner

from omniforge.errors import ModelAuthFailed
from omniforge.keys import KeyRing, new_key
from omniforge.llm.protocol import Completion, Turn
from omniforge.settings import Settings
from omniforge.store.store import open_store
from tests.support.platform import (
    Platform,
    running_platform,
    skill,
    temporal_server,
    with_keys,
)
from tests.support.requirements import requirement
from tests.support.scripted import ScriptedLLM, answer, calling
from worker.main import make_worker
from workflows.agent_run import AgentRunWorkflow
from workflows.codec import ENCODING
from workflows.wire import data_converter

OLD, NEW = new_key(), new_key()
CANARY = "canary-7f3a91"
ASKS_FIRST = {"permissions": [{"action": "ask", "tool": "post_*"}]}

# A workflow that waits when its worker ends is collected as garbage, with a wait in its `finally`.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")

Start = Callable[..., contextlib.AbstractAsyncContextManager[Platform]]


@pytest.fixture(scope="module")
async def own_temporal() -> AsyncIterator[WorkflowEnvironment]:
    """Not the session's: a server takes one worker a process for a queue."""
    async with temporal_server() as environment:
        yield environment


@pytest.fixture
def start(own_temporal: WorkflowEnvironment, tmp_path: Path) -> Start:
    """Starts the platform with some keys, each time in the same home folder."""

    @contextlib.asynccontextmanager
    async def started(*keys: str) -> AsyncIterator[Platform]:
        async with running_platform(tmp_path, own_temporal, credential_keys=keys) as platform:
            platform.model.decides(posts_and_asks)
            yield platform
        gc.collect()  # what waiting workflows say to that belongs to this test

    return started


def posts_and_asks(request: Completion) -> Turn:
    """A call that needs leave, then a question, then the answer."""
    turns = (
        calling(("post_keyed", {"text": "hello"})),
        calling(("ask_user", {"question": "Which quarter?"})),
        answer('{"done": true}'),
    )
    return turns[len(request.messages) // 2]


async def waiting_run(platform: Platform) -> str:
    """A run that waits for leave to post."""
    execution = await platform.start(await platform.agent(skill("poster"), **ASKS_FIRST))
    await question(platform, execution, "tool_call")
    return execution


async def question(platform: Platform, execution: str, kind: str) -> str:
    """The id of the run's open question of that kind, once it is there."""
    async with asyncio.timeout(20):
        while True:
            listed = (await platform.api.get("/api/v1/approvals")).json()["approvals"]
            for one in listed:
                if (one["execution_id"], one["kind"]) == (execution, kind):
                    return str(one["id"])
            await asyncio.sleep(0.03)


async def decided_to_its_end(platform: Platform, execution: str, words: str = "") -> Any:
    """Both questions of a waiting run, decided with `words`; the run when it has ended."""
    leave = await question(platform, execution, "tool_call")
    body = {"decision": "approve", "reason": f"{words} as a reason"}
    async with asyncio.timeout(60):
        # 503 while the workflow's next try is still to come
        while (allowed := await allow(platform, leave, body)).status_code == 503:
            pass
    await question(platform, execution, "input")
    said = await platform.api.post(
        f"/api/v1/executions/{execution}/answer", json={"answer": f"{words} as an answer"}
    )
    assert (allowed.status_code, said.status_code) == (200, 200), allowed.text + said.text
    return await platform.ended(execution)


async def allow(platform: Platform, leave: str, body: dict[str, str]) -> httpx2.Response:
    return await platform.api.post(f"/api/v1/approvals/{leave}", json=body)


def handle_of(platform: Platform, execution: str) -> WorkflowHandle[Any, Any]:
    return platform.temporal.get_workflow_handle(platform.workflow_id(execution))


def payloads_in(part: Any) -> list[dict[str, Any]]:
    if isinstance(part, list):
        return [found for each in part for found in payloads_in(each)]
    if not isinstance(part, dict):
        return []
    if "encoding" in (part.get("metadata") or {}):
        return [part]
    return [found for each in part.values() for found in payloads_in(each)]


def readable(history: str) -> str:
    """Everything in a history that can be read without a key."""
    return history + "".join(
        base64.b64decode(payload.get("data", "")).decode(errors="replace")
        for payload in payloads_in(json.loads(history))
    )


def encodings(history: str) -> set[bytes]:
    """Search attributes are always plain, and so are the SDK's own notes on local activities."""
    payloads = payloads_in(json.loads(history))
    return {base64.b64decode(payload["metadata"]["encoding"]) for payload in payloads}


@requirement("SEC-6")
async def test_what_people_say_cannot_be_read_in_temporal(start: Start) -> None:
    async with start(OLD) as platform:
        agent = await platform.agent(
            skill("poster", config={"tone": f"{CANARY} as wiring"}),
            name=f"{CANARY} as a name",
            **ASKS_FIRST,
        )
        execution = await platform.start(agent, {"goal": f"{CANARY} as input"})
        await question(platform, execution, "tool_call")
        for wish in ("pause", "resume"):
            body = {"reason": f"{CANARY} as a note"}
            asked = await platform.api.post(f"/api/v1/executions/{execution}/{wish}", json=body)
            assert asked.status_code == 200, asked.text

        ended = await decided_to_its_end(platform, execution, CANARY)
        history = (await handle_of(platform, execution).fetch_history()).to_json()

    assert ended["status"] == "completed"
    assert ENCODING in encodings(history)
    assert CANARY not in readable(history)


@requirement("SEC-6")
async def test_errors_cannot_be_read_in_temporal(start: Start) -> None:
    async with start(OLD) as platform:
        platform.model.decides(lambda _: ModelAuthFailed(f"{CANARY} as an error"))
        run = await platform.run(skill("one"))
        history = (await handle_of(platform, run["id"]).fetch_history()).to_json()

    assert CANARY in json.dumps(run)
    assert ENCODING in encodings(history)
    assert CANARY not in readable(history)


async def test_the_look_into_histories_sees_what_is_not_encrypted(start: Start) -> None:
    async with start() as platform:
        execution = await waiting_run(platform)
        await decided_to_its_end(platform, execution, CANARY)
        history = (await handle_of(platform, execution).fetch_history()).to_json()

    assert f"{CANARY} as a reason" in readable(history)


@requirement("SEC-6")
async def test_a_run_goes_on_when_encryption_is_switched_on_and_when_the_key_is_changed(
    start: Start,
) -> None:
    async with start() as platform:
        execution = await waiting_run(platform)
    async with start(OLD) as platform:
        await question(platform, execution, "tool_call")
        leave = await question(platform, execution, "tool_call")
        await platform.api.post(f"/api/v1/approvals/{leave}", json={"decision": "approve"})
        await question(platform, execution, "input")
    async with start(NEW, OLD) as platform:
        said = {"answer": "the third"}
        await platform.api.post(f"/api/v1/executions/{execution}/answer", json=said)
        run = await platform.ended(execution)
        history = (await handle_of(platform, execution).fetch_history()).to_json()

    assert run["status"] == "completed"
    assert encodings(history) > {ENCODING}
    for text in (OLD, NEW):
        assert f'"{b64(KeyRing.of([text]).newest)}"' in history


def b64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


@pytest.mark.long
@requirement("SEC-6")
async def test_a_worker_without_the_key_leaves_the_run_to_those_who_have_it(
    start: Start,
    own_temporal: WorkflowEnvironment,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with start(NEW) as platform:
        execution = await waiting_run(platform)

    run = handle_of(platform, execution)
    with caplog.at_level(logging.ERROR):
        async with worker_with(OLD, own_temporal, tmp_path):
            await run.signal(AgentRunWorkflow.look_for_money)
            await failed_task(run)
    async with start(NEW) as platform:
        ended = await decided_to_its_end(platform, execution)

    assert ended["status"] == "completed"
    assert KeyRing.of([NEW]).newest in caplog.text
    assert OLD not in caplog.text


@contextlib.asynccontextmanager
async def worker_with(key: str, temporal: WorkflowEnvironment, home: Path) -> AsyncIterator[None]:
    """A worker that nobody kept from starting."""
    settings = Settings(_env_file=None, home=home, llm_provider="offline")
    store = open_store(settings.database, settings.storage_path)
    client = with_keys(temporal.client, KeyRing.of([key]))
    async with make_worker(client, store, ScriptedLLM(), settings):
        yield
    await store.close()


async def failed_task(run: WorkflowHandle[Any, Any]) -> None:
    async with asyncio.timeout(20):
        while not any(
            event.event_type == EventType.EVENT_TYPE_WORKFLOW_TASK_FAILED
            for event in (await run.fetch_history()).events
        ):
            await asyncio.sleep(0.05)


@requirement("SEC-6")
async def test_an_encrypted_history_replays_for_whoever_has_its_key(start: Start) -> None:
    async with start(OLD) as platform:
        execution = await waiting_run(platform)
        await decided_to_its_end(platform, execution)
        history = await handle_of(platform, execution).fetch_history()

    assert await replayed(history, KeyRing.of([NEW, OLD])) is None
    assert "KeyMissing" in str(await replayed(history, KeyRing.of([NEW])))


async def replayed(history: WorkflowHistory, keys: KeyRing) -> Exception | None:
    replayer = Replayer(
        workflows=[AgentRunWorkflow],
        workflow_runner=UnsandboxedWorkflowRunner(),
        data_converter=data_converter(keys),
    )
    result = await replayer.replay_workflow(history, raise_on_replay_failure=False)
    return result.replay_failure


async def test_words_that_are_too_long_are_refused_and_the_run_waits_on(start: Start) -> None:
    async with start(OLD) as platform:
        execution = await waiting_run(platform)
        leave = await question(platform, execution, "tool_call")

        refused = await allow(platform, leave, {"decision": "approve", "reason": "x" * 20_001})
        ended = await decided_to_its_end(platform, execution)

    assert (refused.status_code, refused.json()["code"]) == (422, "malformed_request")
    assert ended["status"] == "completed"


@requirement("SEC-6")
async def test_what_is_said_to_a_skill_at_work_cannot_be_read_in_temporal(start: Start) -> None:
    at_work, said = asyncio.Event(), asyncio.Event()

    async def thinks_until_told(_: Completion) -> Turn:
        at_work.set()
        await said.wait()
        return answer('{"done": true}')

    async with start(OLD) as platform, asyncio.timeout(40):
        platform.model.decides(thinks_until_told)
        execution = await platform.start(await platform.agent(skill("one")))
        await at_work.wait()
        steered = await platform.api.post(
            f"/api/v1/executions/{execution}/steer", json={"message": f"{CANARY} as a message"}
        )
        said.set()
        ended = await platform.ended(execution)
        history = (await handle_of(platform, execution).fetch_history()).to_json()

    assert (steered.status_code, ended["status"]) == (202, "completed")
    assert CANARY not in readable(history)
