"""The platform as a whole, with stand-ins for the worker and the API."""

import asyncio
import json
import stat
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import httpx2
import pytest
from rich.console import Console

from dev import environment
from dev.errors import AlreadyRunning, StartFailed
from dev.platform import Platform
from dev.supervisor import Pace
from dev.up import overview
from omniforge.settings import Settings
from omniforge.store import bootstrap
from tests.dev.programs import alive, eventually, text_of
from tests.support.requirements import requirement

WORKER = """
import os, time
print(os.environ["TEMPORAL_ADDRESS"], os.environ["OMNIFORGE_HOME"], flush=True)
time.sleep(60)
"""

API = """
import http.server, os

class Ready(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200 if self.path == "/readyz" else 404)
        self.end_headers()

http.server.HTTPServer(("127.0.0.1", int(os.environ["OMNIFORGE_PORT"])), Ready).serve_forever()
"""

QUICK = Pace(first_pause=0.02, longest_pause=0.1)


@pytest.fixture(scope="module", autouse=True)
def stand_ins(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    folder = tmp_path_factory.mktemp("programs")
    (folder / "worker.py").write_text(WORKER)
    (folder / "api.py").write_text(API)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(environment, "ROOT", folder)
        patch.delenv("TEMPORAL_ADDRESS", raising=False)
        yield


def settings_in(folder: Path) -> Settings:
    return Settings(_env_file=None, home=folder / "home", llm_provider="offline")


@pytest.fixture(scope="module")
async def platform(
    stand_ins: None, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Platform]:
    settings = settings_in(tmp_path_factory.mktemp("platform"))
    async with Platform.start(settings, pace=QUICK) as running:
        yield running


def shown(platform: Platform) -> str:
    console = Console(width=40, force_terminal=False)
    with console.capture() as captured:
        console.print(overview(platform), soft_wrap=True)
    return captured.get()


@requirement("DUR-1")
async def test_every_part_can_be_killed_and_comes_back(platform: Platform) -> None:
    for name in platform.parts:
        await kill(platform, name)

    async with httpx2.AsyncClient(base_url=platform.api_url) as client:
        await eventually_ready(client)
    assert platform.parts == ("temporal", "worker", "api")


async def kill(platform: Platform, name: str) -> None:
    killed = platform.pid(name)
    platform.kill(name)
    await eventually(lambda: platform.pid(name) != killed)


async def eventually_ready(client: httpx2.AsyncClient, path: str = "/readyz") -> None:
    async with asyncio.timeout(20):
        while True:
            try:
                (await client.get(path)).raise_for_status()
            except httpx2.TransportError:
                await asyncio.sleep(0.01)
            else:
                return


async def test_what_is_printed_tells_where_everything_is(platform: Platform) -> None:
    text = shown(platform)

    assert platform.api_url in text
    assert platform.temporal_ui_url in text
    assert str(platform.credentials_file) in text
    assert "offline" in text
    assert "ANTHROPIC_API_KEY" in text
    assert "agents create examples/overdue-tasks" in text


async def test_the_credentials_are_for_this_person_only_and_name_the_api(
    platform: Platform,
) -> None:
    written = json.loads(platform.credentials_file.read_text())

    assert written == platform.credentials.model_dump()
    assert written["api_url"] == platform.api_url
    assert stat.S_IMODE(platform.credentials_file.stat().st_mode) == 0o600


@requirement("SEC-6")
async def test_temporals_web_ui_knows_where_its_payloads_are_decoded(platform: Platform) -> None:
    kept = json.loads((platform.home / "keys.json").read_text())

    async with httpx2.AsyncClient(base_url=platform.temporal_ui_url) as ui:
        await eventually_ready(ui, "/api/v1/settings")
        known = (await ui.get("/api/v1/settings")).json()["Codec"]

    assert known["Endpoint"] == f"{platform.api_url}/api/v1/codec/{kept['codec_token']}"
    assert kept["codec_token"] not in shown(platform)
    assert kept["credential_keys"][0] not in shown(platform)


async def test_the_worker_is_told_of_temporal_and_the_home(platform: Platform) -> None:
    expected = f"{platform.temporal_address} {platform.home}\n"

    await eventually(lambda: expected in text_of(platform.log("worker")))

    assert expected in text_of(platform.log("worker"))


async def test_a_second_platform_in_the_same_home_is_refused(
    platform: Platform,
) -> None:
    with pytest.raises(AlreadyRunning, match=platform.api_url):
        await Platform.start(platform.settings).__aenter__()


async def test_nothing_is_left_running_and_an_earlier_key_is_kept(tmp_path: Path) -> None:
    settings = settings_in(tmp_path)
    await bootstrap.prepare(settings.database)
    earlier = await bootstrap.first_credentials(
        settings.database, "http://localhost:1", settings.home / "credentials.json"
    )

    async with Platform.start(settings) as platform:
        pids = [platform.pid(name) for name in platform.parts]

    assert platform.credentials.api_key == earlier.api_key
    assert platform.credentials.api_url == platform.api_url
    assert not any(alive(pid) for pid in pids)


@requirement("OPS-3")
async def test_a_temporal_elsewhere_that_does_not_answer_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TEMPORAL_ADDRESS", "127.0.0.1:1")

    with pytest.raises(StartFailed, match=r"127\.0\.0\.1:1 \(TEMPORAL_ADDRESS\) cannot be used"):
        await Platform.start(settings_in(tmp_path)).__aenter__()
