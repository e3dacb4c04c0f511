"""`omniforge connections`, as a person uses it."""

import asyncio
import io
from pathlib import Path

import pytest

from api.main import main as api
from omniforge.keys import new_key
from omniforge.store.rotation import count_under
from tests.cli.driving import CommandLine
from tests.connections.connecting import KEY, KEYS, Town, town
from tests.support.oauth_server import CLIENT
from tests.support.platform import temporal_server
from tests.support.requirements import requirement


@pytest.fixture
def cli(at_home: Town) -> CommandLine:
    key = at_home.api.headers["Authorization"].removeprefix("Bearer ")
    url = str(at_home.api.base_url)
    return CommandLine({"OMNIFORGE_API_URL": url, "OMNIFORGE_API_KEY": key})


@requirement("SDK-3", "INT-1")
async def test_what_is_connected_is_listed_and_ended(cli: CommandLine, at_home: Town) -> None:
    connection = await at_home.connect()
    listed = await cli("connections", "list")
    services = await cli("connections", "services")
    ended = await cli("connections", "disconnect", connection["id"])
    none = await cli("connections", "list")

    assert listed.lines[0][:4] == [connection["id"], "github", "anna at GitHub", "active"]
    assert ["github", "platform", "True", "12"] in services.lines
    assert ended.status == 0, ended.err
    assert (none.out, "No connections yet" in none.err) == ("", True)


@requirement("INT-1")
async def test_connect_prints_a_link_and_waits_until_somebody_has_gone_through(
    cli: CommandLine, at_home: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    printed: asyncio.Queue[str] = asyncio.Queue()
    loop = asyncio.get_running_loop()
    monkeypatch.setattr(
        "omniforge.cli.connections.accounts.typer.echo",
        lambda text, **_: loop.call_soon_threadsafe(printed.put_nowait, str(text)),
    )
    waiting = asyncio.create_task(cli("connections", "connect", "github"))
    async with asyncio.timeout(20):
        while "/oauth/start/" not in (link := await printed.get()):
            pass
    await at_home.back(await at_home.through(link))
    said = await waiting

    (connection,) = await at_home.connections()
    assert said.status == 0, said.err
    assert connection["status"] == "active"


@requirement("SDK-3", "INT-1")
async def test_a_workspace_sets_its_own_app(
    cli: CommandLine, at_home: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("omniforge.cli.connections.accounts.sys", _Piped("our-own-secret\n"))
    put = await cli("connections", "set-app", "github", "our-own-app")
    listed = await cli("connections", "apps")
    removed = await cli("connections", "remove-app", "github")

    assert put.status == 0, put.err
    assert listed.lines[0][:2] == ["github", "our-own-app"]
    assert removed.status == 0
    assert "our-own-secret" not in put.out + put.err + listed.out


class _Piped:
    def __init__(self, text: str) -> None:
        self.stdin = io.StringIO(text)


@requirement("SEC-1", "SEC-7")
async def test_keys_are_rotated_while_the_platform_works(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    newer = new_key()
    async with temporal_server() as temporal, town(tmp_path, temporal) as first:
        await first.connect()
        body = {"client_id": CLIENT[0], "client_secret": CLIENT[1]}
        await first.api.put("/api/v1/oauth/apps/slack", json=body)
        await first.sent()
        database = first.platform.store.database
        before = await database.read(lambda c: count_under(c, KEYS.newest))

        url = f"sqlite:///{tmp_path / 'omniforge.db'}"
        monkeypatch.setenv("OMNIFORGE_DATABASE_URL", url)
        monkeypatch.setenv("OMNIFORGE_CREDENTIAL_KEYS", f'["{newer}", "{KEY}"]')
        refused = await asyncio.to_thread(api, ["retire-key", KEYS.newest])
        rotated = await CommandLine()("connections", "rotate-keys", "--json")
        again = await CommandLine()("connections", "rotate-keys")
        left = await database.read(lambda c: count_under(c, KEYS.newest))
        retired = await asyncio.to_thread(api, ["retire-key", KEYS.newest])

    assert before >= 4
    assert refused == 1
    assert rotated.document["rewrapped"] == before
    assert rotated.document["left"] == {KEYS.newest: 0}
    assert "put under the newest" in again.out
    assert (left, retired) == (0, 0)
