"""A write whose answer is lost, on its way through the gateway and the journal."""

from collections.abc import AsyncIterator, Mapping
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from omniforge.agents.permissions import Action
from omniforge.execution.rehearsal import Rehearsal
from omniforge.execution.work import Script
from omniforge.integrations.operations import FindableTool
from omniforge.integrations.slack.writing import post_message
from omniforge.journal.journal import Journal
from omniforge.journal.memory import MemoryBlobs, MemoryJournalStore
from omniforge.journal.steps import Fence, NodeKey
from omniforge.tools.executor import Call, Ruling, ToolExecutor
from omniforge.tools.protocol import Casting, Tool, ToolCallContext, ToolResult
from omniforge.tools.registry import ToolRegistry
from omniforge.tools.workspace import Workspace
from tests.support.integrations import Toolbox
from tests.support.requirements import requirement
from tests.support.slack_api import SlackApi


class Everything:
    def ruling(self, tool: str, arguments: Mapping[str, Any], schema: Mapping[str, Any]) -> Ruling:
        return Ruling(Action.ALLOW)


@pytest.fixture
async def slack() -> AsyncIterator[SlackApi]:
    async with SlackApi() as service:
        yield service


@pytest.fixture
async def tool(slack: SlackApi, tmp_path: Path) -> AsyncIterator[Tool]:
    """Posts in Slack; a lookup waits a moment only."""
    box = Toolbox("slack", slack.url, tmp_path)
    found = box.tool("slack_post_message")
    assert isinstance(found, FindableTool)
    spec = replace(post_message.spec, visible_after=timedelta(milliseconds=10))
    yield replace(found, operation=replace(found.operation, spec=spec))
    await box.http.aclose()


async def post(tool: Tool, tmp_path: Path, casting: Casting | None = None) -> ToolResult:
    journal = await Journal.open(
        MemoryJournalStore(), NodeKey("run-1", "poster"), "poster", Fence(0, 1)
    )
    context = ToolCallContext("t1", "run-1", "s1", Workspace(tmp_path, MemoryBlobs()))
    call = Call("slack_post_message", {"channel": "C0GENERAL0", "text": "Once"})
    executor = ToolExecutor(ToolRegistry([tool]), casting)
    (result,) = await executor.execute([call], context, journal, Everything())
    return result


@requirement("INT-2")
async def test_what_arrived_is_found_and_not_sent_again(
    slack: SlackApi, tool: Tool, tmp_path: Path
) -> None:
    slack.cuts_next(has_acted=True)

    result = await post(tool, tmp_path)

    (message,) = slack.messages[slack.general]
    assert result.success
    assert result.result == {"channel": slack.general, "ts": message["ts"]}
    assert len(slack.writes) == 1


async def test_what_never_arrived_is_sent_again(
    slack: SlackApi, tool: Tool, tmp_path: Path
) -> None:
    slack.cuts_next(has_acted=False)

    result = await post(tool, tmp_path)

    assert result.success
    assert len(slack.messages[slack.general]) == 1
    assert len(slack.writes) == 2


@requirement("DRY-1")
async def test_a_rehearsal_shows_the_request_and_sends_nothing(
    slack: SlackApi, tool: Tool, tmp_path: Path
) -> None:
    result = await post(tool, tmp_path, Rehearsal("poster", Script()))

    assert result.success
    assert isinstance(result.result, dict)
    assert result.result["request"]["body"]["text"] == "Once"
    assert slack.requests == []
