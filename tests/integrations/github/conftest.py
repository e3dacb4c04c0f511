"""A small GitHub with something in it, and the tools that work on it."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.integrations.calling import OpenBox, toolboxes
from tests.integrations.github.samples import REPO
from tests.support.github_api import GitHubApi
from tests.support.integrations import Toolbox


@pytest.fixture
async def github() -> AsyncIterator[GitHubApi]:
    async with GitHubApi() as api:
        repository = api.repository(REPO, **{"README.md": b"# The shop\n"})
        api.issue(REPO, "The crash", body="It crashes.", labels=[{"name": "bug"}])
        api.pull_request(REPO, "A crash less", {"filename": "a.py", "patch": "+1", "additions": 1})
        repository.commits.append({"sha": "a" * 40, "commit": {"message": "Begin\n\nall of it"}})
        repository.runs.append({"id": 5, "name": "CI", "status": "completed"})
        yield api


@pytest.fixture
async def open_box(github: GitHubApi, tmp_path: Path) -> AsyncIterator[OpenBox]:
    async with toolboxes("github", github.url, tmp_path) as opened:
        yield opened


@pytest.fixture
def tools(open_box: OpenBox) -> Toolbox:
    return open_box()
