"""A workspace in Slack, and the tools that work in it."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.support.integrations import Toolbox
from tests.support.slack_api import SlackApi


@pytest.fixture
async def slack() -> AsyncIterator[SlackApi]:
    async with SlackApi() as service:
        yield service


@pytest.fixture
async def tools(slack: SlackApi, tmp_path: Path) -> AsyncIterator[Toolbox]:
    toolbox = Toolbox("slack", slack.url, tmp_path)
    yield toolbox
    await toolbox.http.aclose()
