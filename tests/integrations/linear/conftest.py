"""A small Linear with something in it, and the tools that work on it."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.integrations.calling import OpenBox, toolboxes
from tests.support.integrations import Toolbox
from tests.support.linear_api import LinearApi


@pytest.fixture
async def linear() -> AsyncIterator[LinearApi]:
    async with LinearApi() as api:
        api.issue("The crash", description="It crashes.")
        api.projects.append(
            {
                "id": "project-1",
                "name": "Launch",
                "progress": 0.254,
                "status": {"name": "Planned"},
                "teams": {"nodes": [api.teams[0]]},
            }
        )
        yield api


@pytest.fixture
async def open_box(linear: LinearApi, tmp_path: Path) -> AsyncIterator[OpenBox]:
    async with toolboxes("linear", linear.url, tmp_path) as opened:
        yield opened


@pytest.fixture
def tools(open_box: OpenBox) -> Toolbox:
    return open_box()
