"""The codec endpoint: for operators and for Temporal's own Web UI, and for nobody else."""

import asyncio
import base64
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from pydantic import SecretStr

from api.app import create_app
from dev.temporal_server import find_binary
from omniforge.keys import KeyRing, new_key
from omniforge.settings import Settings
from tests.support.platform import running_platform, skill, temporal_server
from tests.support.requirements import requirement
from workflows.codec import EncryptingCodec
from workflows.wire import data_converter

KEY, TOKEN = new_key(), new_key()
UI = "http://localhost:8233"
PLACE = "/api/v1/codec"
OPERATOR = {"Authorization": f"Bearer {TOKEN}", "X-Namespace": "default"}


def app_with(home: Path, **more: Any) -> httpx2.AsyncClient:
    settings = Settings(_env_file=None, home=home, credential_keys=(SecretStr(KEY),), **more)
    transport = httpx2.ASGITransport(app=create_app(settings))
    return httpx2.AsyncClient(transport=transport, base_url="http://api")


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[httpx2.AsyncClient]:
    async with app_with(tmp_path, codec_token=SecretStr(TOKEN)) as client:
        yield client


async def travelling(value: Any, key: str = KEY) -> dict[str, Any]:
    """A value as Temporal's Web UI sees it, in the JSON form of payloads."""
    (payload,) = await data_converter(KeyRing.of([key])).encode([value])
    metadata = {name: b64(part) for name, part in payload.metadata.items()}
    return {"payloads": [{"metadata": metadata, "data": b64(payload.data)}]}


def b64(part: bytes) -> str:
    return base64.b64encode(part).decode()


def values_in(answer: httpx2.Response) -> list[Any]:
    return [json.loads(base64.b64decode(one["data"])) for one in answer.json()["payloads"]]


@requirement("SEC-6")
async def test_an_operator_reads_payloads_by_header_and_the_web_ui_by_its_address(
    api: httpx2.AsyncClient,
) -> None:
    body = await travelling({"note": "not on a Sunday"})

    by_header = await api.post(f"{PLACE}/decode", json=body, headers=OPERATOR)
    by_address = await api.post(f"{PLACE}/{TOKEN}/decode", json=body, headers={"Origin": UI})

    assert values_in(by_header) == values_in(by_address) == [{"note": "not on a Sunday"}]
    assert by_address.headers["Access-Control-Allow-Origin"] == UI
    assert by_header.headers["Cache-Control"] == "no-store"


async def test_what_the_web_ui_sends_can_be_encrypted_first(api: httpx2.AsyncClient) -> None:
    plain = {"payloads": [{"metadata": {"encoding": b64(b"json/plain")}, "data": b64(b'"hi"')}]}

    encoded = await api.post(f"{PLACE}/encode", json=plain, headers=OPERATOR)
    decoded = await api.post(f"{PLACE}/decode", json=encoded.json(), headers=OPERATOR)

    assert encoded.json()["payloads"][0]["metadata"]["encoding"] == b64(b"binary/encrypted")
    assert decoded.json() == plain


@requirement("SEC-6")
@pytest.mark.parametrize(
    ("path", "headers"),
    [
        ("decode", {}),
        ("encode", {}),
        ("decode", {"Authorization": "Bearer of_sk_of_a_tenant"}),
        ("decode", {"Authorization": "Basic TOKEN"}),
        ("decode", {"Authorization": "Bearer \xfc"}),
        ("decode?token=TOKEN", {}),
        ("TOKENx/decode", {}),
        ("x/encode", {}),
    ],
)
async def test_nobody_else_reads_them(
    api: httpx2.AsyncClient, path: str, headers: dict[str, str]
) -> None:
    raw = [
        (name.encode(), value.replace("TOKEN", TOKEN).encode("latin-1"))
        for name, value in headers.items()
    ]
    path = path.replace("TOKEN", TOKEN)

    answer = await api.post(f"{PLACE}/{path}", json=await travelling("canary"), headers=raw)

    assert (answer.status_code, answer.json()["code"]) == (401, "unauthenticated")
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert TOKEN not in answer.text


@requirement("SEC-6")
async def test_without_a_token_there_is_no_such_endpoint(tmp_path: Path) -> None:
    async with app_with(tmp_path) as api:
        for path in ("decode", "encode", "/decode", "None/decode"):
            answer = await api.post(
                f"{PLACE}/{path}", json={}, headers={"Authorization": "Bearer "}
            )
            assert (answer.status_code, answer.json()["code"]) == (404, "no_such_route")


@requirement("SEC-6")
async def test_only_pages_of_the_web_ui_may_ask(api: httpx2.AsyncClient) -> None:
    ask = {
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "content-type,x-namespace",
    }

    allowed = await api.options(f"{PLACE}/{TOKEN}/decode", headers={"Origin": UI, **ask})
    answers = [
        await api.options(f"{PLACE}/{TOKEN}/decode", headers={"Origin": origin, **ask})
        for origin in ("http://localhost:8000", "https://evil.example", "null")
    ]
    elsewhere = await api.options("/api/v1/agents", headers={"Origin": UI, **ask})

    assert allowed.status_code == 200
    assert allowed.headers["Access-Control-Allow-Origin"] == UI
    assert "x-namespace" in allowed.headers["Access-Control-Allow-Headers"].lower()
    assert "Access-Control-Allow-Credentials" not in allowed.headers
    for refused in [*answers, elsewhere]:
        assert refused.status_code >= 400
        assert "Access-Control-Allow-Origin" not in refused.headers


async def test_the_web_ui_is_known_as_browsers_call_it(tmp_path: Path) -> None:
    place = "https://Temporal.example:443/ui"
    async with app_with(tmp_path, codec_token=SecretStr(TOKEN), temporal_ui_url=place) as api:
        origin = {"Origin": "https://temporal.example"}
        answer = await api.post(f"{PLACE}/{TOKEN}/decode", json={}, headers=origin)

    assert answer.headers["Access-Control-Allow-Origin"] == "https://temporal.example"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"not json",
        b"\xff\xfe",
        b'{"payloads": 1}',
        b'{"payloads": [{"data": 1}]}',
        b'{"payloads": [{"metadata": {"encoding": {}}}]}',
        b'{"payloads": ' + b"[" * 100_000,
    ],
)
async def test_what_is_no_list_of_payloads_is_refused(api: httpx2.AsyncClient, body: bytes) -> None:
    answer = await api.post(f"{PLACE}/decode", content=body, headers=OPERATOR)

    assert (answer.status_code, answer.json()["code"]) == (400, "payload_invalid")


@requirement("SEC-6")
async def test_a_changed_payload_is_refused_and_one_under_an_unknown_key_named(
    api: httpx2.AsyncClient, caplog: pytest.LogCaptureFixture
) -> None:
    changed, foreign = await travelling("canary"), await travelling("canary", new_key())
    changed["payloads"][0]["data"] = b64(b"something else entirely")

    broken = await api.post(f"{PLACE}/decode", json=changed, headers=OPERATOR)
    unknown = await api.post(f"{PLACE}/decode", json=foreign, headers=OPERATOR)
    read = await api.post(f"{PLACE}/decode", json=await travelling("canary"), headers=OPERATOR)

    assert (broken.status_code, broken.json()["code"]) == (400, "ciphertext_invalid")
    assert (unknown.status_code, unknown.json()["code"]) == (503, "key_missing")
    assert values_in(read) == ["canary"]
    assert "canary" not in caplog.text
    assert KEY not in caplog.text + broken.text + unknown.text


async def test_more_than_a_page_of_history_is_refused(api: httpx2.AsyncClient) -> None:
    answer = await api.post(f"{PLACE}/decode", content=b" " * 9_000_000, headers=OPERATOR)

    assert (answer.status_code, answer.json()["code"]) == (413, "upload_too_large")


@requirement("SEC-6")
async def test_temporals_own_command_line_shows_a_run_through_it(tmp_path: Path) -> None:
    keys: dict[str, Any] = {"credential_keys": (KEY,), "codec_token": TOKEN}
    # Not the session's server: it takes one worker a process for a queue.
    async with (
        temporal_server() as temporal,
        running_platform(tmp_path, temporal, **keys) as platform,
    ):
        run = await platform.run(skill("one"), name="canary of a name")
        options = (
            *("workflow", "show", "--workflow-id", platform.workflow_id(run["id"])),
            *("--address", platform.temporal.service_client.config.target_host),
            *("--output", "json"),
        )
        codec = ("--codec-endpoint", str(platform.api.base_url.join(PLACE)))
        sealed = await said(*options)
        shown = await said(*options, *codec, "--codec-auth", f"Bearer {TOKEN}")
        tenant = await platform.api.post(f"{PLACE}/decode", json={"payloads": []})

    assert run["status"] == "completed"
    assert b64(b'"canary of a name"') not in sealed
    assert "canary of a name" not in sealed
    assert "binary/encrypted" not in shown
    assert b64(b'"canary of a name"') in shown
    assert tenant.status_code == 401


async def said(*arguments: str) -> str:
    process = await asyncio.create_subprocess_exec(
        find_binary(), *arguments, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    async with asyncio.timeout(30):
        output, _ = await process.communicate()
    return output.decode()


async def test_the_endpoint_without_keys_passes_plain_payloads_on() -> None:
    (payload,) = await data_converter().encode(["hi"])

    assert await EncryptingCodec(KeyRing()).decode([payload]) == [payload]
