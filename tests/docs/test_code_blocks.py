"""What the pages tell people to run can be run."""

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.docs.pages import ROOT, Block, blocks
from tests.docs.shell import problems
from tests.support.platform import Platform

PYTHON = blocks("python", "py")
SHELL = blocks("sh", "bash", "shell", "console")

# Whatever talks to a platform gets one; the rest runs by itself.
NEEDS_A_PLATFORM = "OmniForgeClient"


@pytest.mark.parametrize("block", SHELL, ids=lambda block: block.place)
def test_a_shell_block_uses_commands_that_exist(block: Block) -> None:
    assert list(problems(block.text)) == []


def test_what_does_not_exist_would_be_found() -> None:
    text = "make up nonsense\nomniforge runs fly\nomniforge run x --fast; python -m nowhere\nfoo | jq ."

    assert [problem.split(":")[0] for problem in problems(text)] == [
        "make nonsense",
        "omniforge fly",
        "omniforge run x --fast",
        "python -m nowhere",
        "foo",
    ]


@pytest.mark.parametrize(
    "block",
    [block for block in PYTHON if NEEDS_A_PLATFORM not in block.text],
    ids=lambda block: block.place,
)
def test_a_python_block_runs(block: Block, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)

    execute(block)


@pytest.mark.parametrize(
    "block",
    [block for block in PYTHON if NEEDS_A_PLATFORM in block.text],
    ids=lambda block: block.place,
)
async def test_a_python_block_runs_against_a_platform(
    block: Block, platform: Platform, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sign_in_from(tmp_path, platform)
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    monkeypatch.chdir(tmp_path)

    await asyncio.to_thread(execute, block)


def execute(block: Block) -> None:
    """Run a block as a program of its own would run, in this process."""
    names: dict[str, Any] = {"__name__": "__main__"}
    # Lines before it, so that a traceback names the line of the page.
    padding = "\n" * int(block.place.rpartition(":")[2])
    exec(compile(padding + block.text, block.place, "exec"), names)  # noqa: S102  # our own pages
    sys.stdout.flush()


def sign_in_from(folder: Path, platform: Platform) -> None:
    """What `make up` leaves behind for whoever works in this folder."""
    home = folder / ".omniforge"
    home.mkdir()
    key = platform.api.headers["Authorization"].removeprefix("Bearer ")
    credentials = {"api_url": str(platform.api.base_url), "api_key": key}
    (home / "credentials.json").write_text(
        json.dumps(credentials | {"tenant_id": platform.tenant_id})
    )
