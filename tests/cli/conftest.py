"""A command line that is signed in to the platform of the session."""

from pathlib import Path

import pytest

from tests.cli.driving import CommandLine
from tests.support.platform import Platform


@pytest.fixture
def cli(platform: Platform) -> CommandLine:
    return CommandLine(
        {
            "OMNIFORGE_API_URL": str(platform.api.base_url),
            "OMNIFORGE_API_KEY": platform.api.headers["Authorization"].removeprefix("Bearer "),
        }
    )


@pytest.fixture
def alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> CommandLine:
    """A command line in an empty folder, without any platform."""
    monkeypatch.chdir(tmp_path)
    return CommandLine()
