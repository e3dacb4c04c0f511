"""Runs that ask people, and the people."""

import asyncio
from collections.abc import Mapping
from typing import Any

from omniforge.llm.protocol import Completion
from tests.support.platform import PATIENCE, Platform, skill
from tests.support.scripted import Reply, answer, calling

ASKS_FIRST: Mapping[str, Any] = {"permissions": [{"action": "ask", "tool": "post_*"}]}


def posting(platform: Platform, tool: str = "post_keyed", text: str = "hello") -> None:
    """A model that posts once and then says what came of it."""
    platform.model.decides(
        lambda request: (
            calling((tool, {"text": text}))
            if len(request.messages) == 1
            else answer(request.messages[-1].answers[0].content)
        )
    )


async def asking(platform: Platform, tool: str = "post_keyed", **more: Any) -> dict[str, Any]:
    """The question of a run that wants to post."""
    posting(platform, tool)
    agent = await platform.agent(skill("poster"), **{**ASKS_FIRST, **more})
    return await question_of(platform, await platform.start(agent))


async def question_of(platform: Platform, execution: str, after: str = "") -> dict[str, Any]:
    """What a run asks; with `after`, once it asks something else than that."""
    async with asyncio.timeout(PATIENCE):
        while True:
            for question in await listed(platform, execution_id=execution):
                if question["id"] != after:
                    return question
            await asyncio.sleep(0.03)


async def listed(platform: Platform, **filters: Any) -> list[dict[str, Any]]:
    response = await platform.api.get("/api/v1/approvals", params=filters)
    assert response.status_code == 200, response.text
    found: list[dict[str, Any]] = response.json()["approvals"]
    return found


async def decide(
    platform: Platform, question: Mapping[str, Any], decision: str, reason: str = "", **more: Any
) -> Any:
    body = {"decision": decision, "reason": reason, **more}
    return await platform.api.post(f"/api/v1/approvals/{question['id']}", json=body)


async def approval(platform: Platform, approval_id: str) -> dict[str, Any]:
    found: dict[str, Any] = (await platform.api.get(f"/api/v1/approvals/{approval_id}")).json()
    return found


async def tool_steps(platform: Platform, execution: str) -> list[dict[str, Any]]:
    return [step for step in await platform.steps(execution) if step["kind"] == "tool"]


def observed(request: Completion) -> str:
    """What the model was told of its last calls."""
    return request.messages[-1].answers[0].content


def said(text: str, post: str) -> Reply:
    return calling(("post_keyed", {"text": post}), text=text)
