"""`omniforge doctor`."""

import json
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from omniforge.cli.doctor import machine
from omniforge.settings import Settings
from omniforge.store import bootstrap
from omniforge.store.database import open_database
from tests.cli.driving import CommandLine, Said
from tests.client.wire import Reply, Wire, answers, wire_server
from tests.support.platform import Platform
from tests.support.requirements import requirement

KEY = "sk-ant-very-secret"


def checks(said: Said) -> dict[str, dict[str, Any]]:
    return {check["name"]: check for check in said.document["checks"]}


def home_of(platform: Platform) -> str:
    return str(Path(platform.store.database.url.removeprefix("sqlite:///")).parent)


@requirement("OPS-3")
async def test_a_platform_in_order_has_nothing_but_ok(
    alone: CommandLine, platform: Platform
) -> None:
    said = await alone("doctor", "--json", OMNIFORGE_HOME=home_of(platform))

    assert said.status == 0, said.out
    assert [check for check in checks(said).values() if check["state"] != "ok"] == []
    assert {"API", "API:temporal", "API key", "Database", "Storage", "Clock", "Model"} <= set(
        checks(said)
    )


@requirement("OPS-3")
async def test_where_nothing_runs_each_failure_says_what_to_do(
    alone: CommandLine, tmp_path: Path
) -> None:
    said = await alone("doctor", TEMPORAL_ADDRESS="127.0.0.1:1")

    assert said.status == 1
    assert f"fail Credentials  there is no {tmp_path}/.omniforge/credentials.json" in said.out
    assert "-> Start a platform with `make up`" in said.out
    assert "fail Temporal" in said.out
    assert "2 of" in said.err


async def test_an_api_that_is_down_is_told_from_one_that_is_somebody_else(
    alone: CommandLine,
) -> None:
    async with wire_server() as wire:
        wire.says(Reply(b"<html/>", kind="text/html"))
        other = await alone("doctor", "--api-url", wire.url, "--api-key", "of_sk_x", "--json")
    down = await alone("doctor", "--api-url", wire.url, "--api-key", "of_sk_x", "--json")

    assert "not as OmniForge does" in checks(other)["API"]["found"]
    assert "does not answer" in checks(down)["API"]["found"]


@requirement("OPS-3")
async def test_what_the_api_says_of_its_parts_is_passed_on(alone: CommandLine) -> None:
    async with wire_server() as wire:
        wire.says(answers({"database": "ok", "temporal": "does not answer: no"}, 503))
        said = await alone("doctor", "--api-url", wire.url, "--api-key", "of_sk_x", "--json")

    found = checks(said)
    assert (found["API:database"]["state"], found["API:temporal"]["state"]) == ("ok", "fail")
    assert found["Clock"]["state"] == "warn"
    assert found["API key"]["state"] == "fail"


async def test_a_key_that_is_not_accepted_is_told(alone: CommandLine, platform: Platform) -> None:
    url = str(platform.api.base_url)
    said = await alone("doctor", "--api-url", url, "--api-key", "of_sk_no", "--json")

    assert checks(said)["API key"]["state"] == "fail"


@requirement("OPS-3")
@pytest.mark.parametrize(("status", "state"), [(200, "ok"), (401, "fail"), (404, "warn")])
async def test_the_key_of_the_model_is_tried_and_never_shown(
    alone: CommandLine, status: int, state: str
) -> None:
    async with wire_server() as wire:
        wire.says(answers({}, status))
        said = await alone("doctor", "--json", **_anthropic(wire))

    assert checks(said)["Model"]["state"] == state
    assert wire.received[0].headers["x-api-key"] == KEY
    assert KEY not in said.out + said.err


def _anthropic(wire: Wire) -> dict[str, str]:
    return {"ANTHROPIC_API_KEY": KEY, "ANTHROPIC_BASE_URL": wire.url}


@requirement("OPS-3")
@pytest.mark.parametrize(("status", "state"), [(200, "ok"), (401, "fail"), (404, "warn")])
async def test_a_server_of_the_other_kind_is_tried_too(
    alone: CommandLine, status: int, state: str
) -> None:
    async with wire_server() as wire:
        wire.says(answers({}, status))
        own = {"OPENAI_BASE_URL": f"{wire.url}/v1", "OMNIFORGE_LLM_MODEL": "llama3.2"}
        said = await alone("doctor", "--json", OPENAI_API_KEY=KEY, **own)

    assert checks(said)["Model"]["state"] == state
    assert wire.received[0].headers["authorization"] == f"Bearer {KEY}"
    assert KEY not in said.out + said.err


async def test_a_server_without_a_model_named_is_a_warning(alone: CommandLine) -> None:
    chosen = {"OMNIFORGE_LLM_PROVIDER": "openai", "OPENAI_BASE_URL": "http://localhost:9/v1"}
    said = await alone("doctor", "--json", **chosen)

    assert checks(said)["Model"]["state"] == "warn"
    assert "OMNIFORGE_LLM_MODEL" in checks(said)["Model"]["advice"]


async def test_a_model_without_its_key_fails(alone: CommandLine) -> None:
    said = await alone("doctor", "--json", OMNIFORGE_LLM_PROVIDER="anthropic")

    assert checks(said)["Model"]["state"] == "fail"
    assert "ANTHROPIC_API_KEY" in checks(said)["Model"]["advice"]

    said = await alone("doctor", "--json", OMNIFORGE_LLM_PROVIDER="openai")

    assert "OPENAI_API_KEY" in checks(said)["Model"]["advice"]


async def test_a_setting_that_cannot_be_used_is_named(alone: CommandLine) -> None:
    said = await alone("doctor", "--json", OMNIFORGE_PORT="many")

    assert "OMNIFORGE_PORT" in checks(said)["Settings"]["found"]


@requirement("OPS-3")
@pytest.mark.parametrize(
    ("statement", "words"),
    [
        ("UPDATE alembic_version SET version_num = 'zzzz'", "made by a newer OmniForge"),
        ("DELETE FROM alembic_version", "is at revision none"),
    ],
)
async def test_a_database_of_another_version_is_told(
    alone: CommandLine, tmp_path: Path, statement: str, words: str
) -> None:
    url = f"sqlite:///{tmp_path / 'test.db'}"
    await bootstrap.prepare(url)
    database = open_database(url)
    await database.write(lambda connection: connection.execute(text(statement)))
    await database.close()

    said = await alone("doctor", "--json", OMNIFORGE_DATABASE_URL=url)

    assert words in checks(said)["Database"]["found"]
    assert checks(said)["Database"]["state"] == "fail"


async def test_a_database_that_does_not_answer_is_told_without_its_password(
    alone: CommandLine,
) -> None:
    url = "postgresql://me:hidden@127.0.0.1:1/omniforge"
    said = await alone("doctor", "--json", OMNIFORGE_DATABASE_URL=url)

    assert checks(said)["Database"]["state"] == "fail"
    assert "hidden" not in said.out


@requirement("OPS-3")
async def test_a_storage_that_is_not_the_shared_one_is_told(
    alone: CommandLine, platform: Platform, tmp_path: Path
) -> None:
    said = await alone(
        "doctor",
        "--json",
        OMNIFORGE_DATABASE_URL=platform.store.database.url,
        OMNIFORGE_STORAGE=str(tmp_path / "other"),
    )

    assert checks(said)["Storage"]["state"] == "fail"
    assert "OMNIFORGE_STORAGE" in checks(said)["Storage"]["advice"]


async def test_credentials_that_others_can_read_are_a_warning(
    alone: CommandLine, tmp_path: Path
) -> None:
    file = tmp_path / ".omniforge" / "credentials.json"
    file.parent.mkdir()
    known = {"api_url": "http://127.0.0.1:1", "api_key": "of_sk_x", "tenant_id": "t"}
    file.write_text(json.dumps(known))
    file.chmod(0o644)

    said = await alone("doctor", "--json")

    assert checks(said)["Credentials"] == {
        "name": "Credentials",
        "state": "warn",
        "found": f"others can read {file} (mode 644)",
        "advice": f"chmod 600 {file}",
    }


def test_a_home_that_cannot_be_a_folder_fails(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    assert machine.home_folder(tmp_path / "file" / "home").state == "fail"
    assert machine.home_folder(tmp_path / "home").state == "ok"


def test_looking_changes_nothing(tmp_path: Path, alone: CommandLine) -> None:
    alone.run("doctor")

    assert list(tmp_path.iterdir()) == []
    assert not Settings(_env_file=None).home.exists()
