"""Planted secrets, looked for in everything that the system has written and said."""

import base64
import json
import logging
from pathlib import Path
from typing import Any

from google.protobuf import json_format
from temporalio.api.common.v1 import Payload

from tests.connections.connecting import CREATE, KEYS, LIST, Town, once, town
from tests.connections.service import PERSONAL
from tests.support.platform import skill, temporal_server
from tests.support.requirements import requirement
from workflows.codec import EncryptingCodec

OWN_SECRET = "secret-of-an-app-of-our-own"
HOOK_SECRET = "whsec_" + base64.b64encode(b"a planted secret of a hook").decode()


class Ear(logging.Handler):
    """All that was logged, as operators get it, tracebacks and all."""

    def __init__(self) -> None:
        super().__init__(0)
        self.said: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.said.append(self.format(record) + repr(record.__dict__))


@requirement("SEC-1")
async def test_no_secret_is_found_in_anything_the_system_wrote(tmp_path: Path) -> None:
    ear = Ear()
    logging.getLogger().addHandler(ear)
    try:
        async with temporal_server() as temporal, town(tmp_path, temporal) as place:
            answers = await _live(place)
            histories = await _histories(place)
            prompts = repr(place.platform.model.asked)
            key = place.api.headers["Authorization"].removeprefix("Bearer ")
            service = place.service
            secrets = {*service.access, *service._refresh, *_of_apps(place), PERSONAL, key}
    finally:
        logging.getLogger().removeHandler(ear)
    (tmp_path / "credentials.json").unlink()  # the owner's own copy of their key

    places = {
        "database and files": b"".join(
            path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()
        ),
        "histories": histories,
        "prompts": prompts.encode(),
        "logs": "\n".join(ear.said).encode(),
        "answers": "\n".join(answers).encode(),
    }
    assert len(secrets) > 6
    assert b"connection_id" in histories  # so they were decoded
    assert all(len(content) > 1_000 for content in places.values()), {
        name: len(content) for name, content in places.items()
    }
    found = [
        (name, secret[:12])
        for name, content in places.items()
        for secret in secrets
        if any(form in content for form in _forms(secret))
    ]
    assert found == []


def _forms(secret: str) -> list[bytes]:
    raw = secret.encode()
    return [raw, base64.b64encode(raw).rstrip(b"=")[:-1], raw.hex().encode()]


def _of_apps(place: Town) -> set[str]:
    return {place.service.settings["github"]["client_secret"], OWN_SECRET, HOOK_SECRET}


async def _live(place: Town) -> list[str]:
    """Everything that touches a secret, well and badly; what callers were answered."""
    said: list[str] = []

    async def call(method: str, path: str, body: Any = None) -> None:
        answer = await place.api.request(method, f"/api/v1/{path}", json=body)
        said.append(answer.text + repr(dict(answer.headers)))

    connection = await place.connect()
    await call("POST", "connections", {"integration_id": "github", "token": PERSONAL})
    wrong = {"integration_id": "github", "token": PERSONAL, "more": 1}
    await call("POST", "connections", wrong)
    app = {"client_id": "ours", "client_secret": OWN_SECRET}
    await call("PUT", "oauth/apps/slack", app)
    await call("PUT", "oauth/apps/slack", {**app, "client_id": 1})
    place.platform.model.decides(once(CREATE, LIST))
    pins = {"github": connection["id"]}
    agent = await place.platform.agent(skill("one"), integrations=["github"], connections=pins)
    hook = {"agent_id": agent, "provider": "custom", "secret": HOOK_SECRET}
    assert (await place.api.post("/api/v1/triggers", json=hook)).status_code == 201
    run = await place.platform.ended(await place.platform.start(agent))
    assert run["status"] == "completed", run
    place.service.refused |= set(place.service.access)
    place.service.faults.extend(["html", "500 after", "cut after", "refuse"])
    run = await place.platform.ended(await place.platform.start(agent))
    place.service.revoke_all()
    parked = await place.platform.start(agent)
    await place.platform.until(parked, {"waiting"})
    await call("POST", f"executions/{parked}/cancel")
    await place.platform.ended(parked)
    for path in ("connections", "oauth/apps", "integrations", "audit", "triggers", "executions"):
        await call("GET", path)
    for execution in (run["id"], parked):
        await call("GET", f"executions/{execution}")
        await call("GET", f"executions/{execution}/steps")
        said.append(repr(await place.platform.events(execution)))
    await call("DELETE", f"connections/{connection['id']}")
    return said


async def _histories(place: Town) -> bytes:
    """Each workflow as Temporal keeps it, and each of its payloads as a worker reads it."""
    client, codec, found = place.platform.temporal, EncryptingCodec(KEYS), list[bytes]()
    async for one in client.list_workflows():
        history = await client.get_workflow_handle(one.id, run_id=one.run_id).fetch_history()
        text = history.to_json()
        found.append(text.encode())
        found += [payload.data for payload in await codec.decode(_payloads(json.loads(text)))]
    return b"\n".join(found)


def _payloads(document: Any) -> list[Payload]:
    if isinstance(document, dict) and isinstance(document.get("metadata"), dict):
        return [json_format.ParseDict(document, Payload())]
    parts = document.values() if isinstance(document, dict) else document
    if not isinstance(document, dict | list):
        return []
    return [payload for part in parts for payload in _payloads(part)]
