"""Payloads as they travel: sealed whole, opened whole, refused when something was changed or is too large."""

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from temporalio import activity, workflow
from temporalio.api.common.v1 import Payload
from temporalio.api.failure.v1 import Failure
from temporalio.client import WorkflowFailureError
from temporalio.exceptions import ActivityError, ApplicationError
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

from omniforge.errors import CiphertextInvalid, KeyMissing, OmniForgeError, PayloadTooLarge
from omniforge.identity import new_id
from omniforge.keys import NO_KEYS, KeyRing, new_key
from tests.support.platform import with_keys
from tests.support.requirements import requirement
from workflows.codec import ENCODING, KEY_ID, MAX_BYTES, EncryptingCodec
from workflows.wire import data_converter

OLD, NEW = new_key(), new_key()
BEFORE, AFTER = KeyRing.of([OLD]), KeyRing.of([NEW, OLD])

payloads = st.builds(
    Payload,
    metadata=st.dictionaries(st.text(max_size=10), st.binary(max_size=20), max_size=4).filter(
        lambda metadata: metadata.get("encoding") != ENCODING
    ),
    data=st.binary(),
)


async def sealed(payload: Payload, keys: KeyRing = BEFORE) -> Payload:
    (found,) = await EncryptingCodec(keys).encode([payload])
    return found


async def opened(payload: Payload, keys: KeyRing = BEFORE) -> Payload:
    (found,) = await EncryptingCodec(keys).decode([payload])
    return found


@requirement("SEC-6")
@given(payload=payloads)
async def test_any_payload_comes_back_and_shows_nothing_on_its_way(payload: Payload) -> None:
    travelling = await sealed(payload)

    assert dict(travelling.metadata) == {"encoding": ENCODING, KEY_ID: BEFORE.newest.encode()}
    assert len(payload.data) < 8 or payload.data not in travelling.data
    assert await opened(travelling) == payload
    assert await opened(travelling, AFTER) == payload


@given(payload=payloads)
async def test_what_was_never_encrypted_is_read_and_without_a_key_stays_as_it_is(
    payload: Payload,
) -> None:
    assert await opened(payload, AFTER) == payload
    assert await opened(payload, NO_KEYS) == payload
    assert await sealed(payload, NO_KEYS) == payload


@requirement("SEC-6")
@given(payload=payloads, other=st.binary(max_size=20))
async def test_a_payload_that_was_changed_in_any_field_does_not_open(
    payload: Payload, other: bytes
) -> None:
    travelling = await sealed(payload)
    changes: list[dict[str, Any]] = [
        {"data": other},
        {"data": travelling.data[::-1]},
        {"data": travelling.data + b"\0"},
        {"metadata": {"encoding": ENCODING, KEY_ID: AFTER.newest.encode()}},
        {"metadata": {"encoding": ENCODING, KEY_ID: other}},
        {"metadata": {"encoding": ENCODING}},
    ]

    for change in changes:
        whole = {"metadata": dict(travelling.metadata), "data": travelling.data} | change
        with pytest.raises((CiphertextInvalid, KeyMissing)):
            await opened(Payload(**whole), AFTER)


async def test_under_another_encoding_a_payload_stays_closed() -> None:
    travelling = await sealed(Payload(data=b"canary"))
    travelling.metadata["encoding"] = b"binary/plain"

    assert (await opened(travelling)).data == travelling.data


async def test_what_was_sealed_as_something_else_is_no_payload() -> None:
    key_id, data = BEFORE.seal("payloads of Temporal", b"\xff not a payload", ENCODING)

    with pytest.raises(CiphertextInvalid, match="not a payload"):
        await opened(Payload(metadata={"encoding": ENCODING, KEY_ID: key_id.encode()}, data=data))


@requirement("SEC-6")
async def test_the_words_of_a_failure_are_sealed_and_come_back() -> None:
    converter, failure = data_converter(AFTER), Failure()

    await converter.encode_failure(ApplicationError("canary", {"more": "canary"}), failure)
    seen = failure.SerializeToString()
    error = await converter.decode_failure(failure)

    assert b"canary" not in seen
    assert isinstance(error, ApplicationError)
    assert (error.message, error.details) == ("canary", ({"more": "canary"},))


# ---- too large -------------------------------------------------------------------------------


async def test_a_caller_is_told_at_once_that_a_payload_is_too_large() -> None:
    converter = data_converter(BEFORE)

    assert await converter.encode(["x" * (MAX_BYTES - 1_000)])
    with pytest.raises(PayloadTooLarge) as refused:
        await converter.encode(["x" * MAX_BYTES])
    assert "2,000,000 are allowed" in refused.value.message
    assert isinstance(refused.value, OmniForgeError)


@activity.defn
async def answers(size: int) -> str:
    return "x" * size


@activity.defn
async def takes(text: str) -> None:
    return None


OPTIONS: Any = {"start_to_close_timeout": timedelta(seconds=20)}


@workflow.defn
class Large:
    """Has a large payload travel in one of three places."""

    @workflow.run
    async def run(self, where: str) -> str:
        size = 3_000_000
        if where == "answer of an activity":
            await workflow.execute_activity(answers, size, **OPTIONS)
        if where == "argument of an activity":
            await workflow.execute_activity(takes, "x" * size, **OPTIONS)
        return "x" * size


@requirement("SEC-6")
@pytest.mark.parametrize(
    "where", ["answer of an activity", "argument of an activity", "answer of the workflow"]
)
async def test_a_payload_that_is_too_large_ends_its_run_at_once(
    temporal: WorkflowEnvironment, where: str
) -> None:
    client, queue = with_keys(temporal.client, BEFORE), new_id("q")
    async with Worker(
        client,
        task_queue=queue,
        workflows=[Large],
        activities=[answers, takes],
        workflow_runner=UnsandboxedWorkflowRunner(),
    ):
        with pytest.raises(WorkflowFailureError) as ended:
            await client.execute_workflow(Large.run, where, id=queue, task_queue=queue)

    cause: BaseException | None = ended.value.cause
    cause = cause.cause if isinstance(cause, ActivityError) else cause
    assert isinstance(cause, ApplicationError)
    assert (cause.type, cause.non_retryable) == ("payload_too_large", True)


async def test_a_payload_close_to_the_limit_arrives_encrypted(
    temporal: WorkflowEnvironment,
) -> None:
    client, queue = with_keys(temporal.client, BEFORE), new_id("q")

    handle = await client.start_workflow(
        "Large", "x" * (MAX_BYTES - 200), id=queue, task_queue=queue
    )

    assert (await handle.describe()).id == queue
    await handle.terminate()
