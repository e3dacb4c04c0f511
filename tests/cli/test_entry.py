"""The command line as a whole: signing in, leaving, loading, and its page in the docs."""

import asyncio
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer.main

from omniforge.cli.app import app
from omniforge.cli.exits import ExitCode
from tests.cli.driving import CommandLine
from tests.support.platform import Platform, skill
from tests.support.requirements import requirement
from tests.support.scripted import answer, later

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "cli.md").read_text()


# ---- signing in ------------------------------------------------------------------------------


def credentials(platform: Platform, folder: Path, url: str = "") -> Path:
    key = platform.api.headers["Authorization"].removeprefix("Bearer ")
    file = folder / "credentials.json"
    file.parent.mkdir(parents=True)
    file.write_text(
        f'{{"api_url": "{url or platform.api.base_url}", "api_key": "{key}", "tenant_id": "t"}}'
    )
    file.chmod(0o600)
    return file


@requirement("SDK-3")
async def test_the_credentials_of_a_folder_above_are_found(
    alone: CommandLine, platform: Platform, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    credentials(platform, tmp_path / ".omniforge")
    below = tmp_path / "a" / "b"
    below.mkdir(parents=True)
    monkeypatch.chdir(below)

    assert (await alone("agents", "list")).status == 0


async def test_an_option_counts_more_than_the_credentials(
    alone: CommandLine, platform: Platform, tmp_path: Path
) -> None:
    credentials(platform, tmp_path / ".omniforge", url="http://127.0.0.1:1")
    url = str(platform.api.base_url)

    assert (await alone("agents", "list", "--api-url", url)).status == 0
    assert (await alone("agents", "list", OMNIFORGE_API_URL=url)).status == 0
    assert (await alone("agents", "list")).status == ExitCode.NO_PLATFORM


@requirement("SDK-3")
async def test_without_a_platform_the_way_to_one_is_told(alone: CommandLine) -> None:
    nobody = await alone("runs", "list")
    there = {"OMNIFORGE_API_URL": "http://127.0.0.1:1", "OMNIFORGE_API_KEY": "of_sk_x"}
    nothing = await alone("runs", "list", **there)
    as_json = await alone("runs", "list", "--json", **there)

    assert (nobody.status, nothing.status, as_json.status) == (3, 3, 3)
    assert "make up" in nobody.err
    assert "http://127.0.0.1:1" in nothing.err
    assert len(nothing.err.splitlines()) == 2
    assert as_json.document["error"]["code"] == "platform_unreachable"


async def test_an_unknown_key_is_told_as_not_signed_in(cli: CommandLine) -> None:
    refused = await cli("agents", "list", "--api-key", "of_sk_nobody")

    assert refused.status == ExitCode.NO_PLATFORM
    assert "not known" in refused.err


# ---- leaving ---------------------------------------------------------------------------------


@requirement("SDK-3")
async def test_ctrl_c_ends_the_watching_and_not_the_run(
    cli: CommandLine, platform: Platform
) -> None:
    platform.model.decides(lambda _: later(30, answer("late")))
    run = await platform.start(await platform.agent(skill("slow")))
    watching = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "omniforge.cli", "runs", "watch", run),
        cwd=ROOT,
        env={"PATH": os.defpath, **cli.variables},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    assert watching.stdout is not None
    async with asyncio.timeout(20):
        assert b"starts" in await watching.stdout.readline()
        watching.send_signal(signal.SIGINT)
        _, err = await watching.communicate()

    assert watching.returncode == ExitCode.INTERRUPTED
    assert f"The run {run} goes on. Watch it again: omniforge runs watch {run}" in err.decode()
    assert (await cli("runs", "cancel", run)).status == 0


# ---- loading ---------------------------------------------------------------------------------


@requirement("SDK-3")
def test_nothing_large_is_loaded_before_a_command_needs_it() -> None:
    command = [sys.executable, "-X", "importtime", "-c", "import omniforge.cli"]
    loaded = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stderr
    modules = {line.rpartition("|")[2].strip().partition(".")[0] for line in loaded.splitlines()}

    assert "typer" in modules
    assert not modules & {"pydantic", "rich", "httpx2", "sqlalchemy", "temporalio", "yaml"}


# ---- the page --------------------------------------------------------------------------------


def commands() -> Iterator[tuple[str, list[str]]]:
    """Every command with the options of its own."""
    for name, command in typer.main.get_command(app).commands.items():  # type: ignore[attr-defined]  # typer gives its group as a command
        for path, leaf in [
            (name, command),
            *((f"{name} {n}", c) for n, c in getattr(command, "commands", {}).items()),
        ]:
            if not hasattr(leaf, "commands"):
                yield (
                    path,
                    [option for one in leaf.params for option in one.opts if option[:2] == "--"],
                )


@requirement("SDK-3")
def test_the_page_names_every_command_and_option() -> None:
    for path, options in commands():
        assert f"`omniforge {path}" in PAGE, path
        for option in options:
            assert re.search(rf"[`\s\[|]{option}\b", PAGE), (path, option)


def test_the_page_lists_the_exit_statuses_that_there_are() -> None:
    listed = {int(number) for number in re.findall(r"^\| (\d+) \|", PAGE, re.MULTILINE)}

    assert listed == {int(code) for code in ExitCode}


def test_the_page_names_no_command_that_is_not_there() -> None:
    known = {path for path, _ in commands()}
    groups = (
        "agents|runs|approvals|budgets|mcp|connections|schedules|triggers|workspace|keys|members"
    )
    named = re.findall(rf"`omniforge ((?:{groups}) [a-z-]+|run|test|validate|doctor|audit)\b", PAGE)

    assert set(named) == known
