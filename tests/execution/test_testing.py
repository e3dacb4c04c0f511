"""`AgentTestRunner`: agents tried out in one process."""

from collections.abc import Iterable, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from omniforge import clock
from omniforge.agents.config import AgentConfig, AgentLimits, SkillReference
from omniforge.agents.permissions import PermissionRule
from omniforge.errors import ModelRefused, PlanInvalid
from omniforge.execution import testing
from omniforge.llm.protocol import Completion
from omniforge.skills.loader import SkillLoader
from omniforge.skills.storage import SkillStorageManager, StorageConfig
from omniforge.tools.builtin.files import file_tools
from omniforge.tools.protocol import Tool
from tests.execution.making import echo
from tests.support.effects import CountingService
from tests.support.requirements import requirement
from tests.support.scripted import Reply, ScriptedLLM, answer, calling

READ = SkillReference(name="read", order=1)
SEND = SkillReference(name="send", order=2)
ASKS_FIRST = (PermissionRule.model_validate({"action": "ask", "tool": "post_*"}),)


class Stage:
    """Two skills on disk, a scripted model, and a service that counts what reaches it."""

    def __init__(self, root: Path) -> None:
        self.model, self.service = ScriptedLLM(), CountingService()
        self.model.decides(self._decide)
        self.credentials: list[Mapping[str, Any]] = []
        for name in ("read", "send"):
            text = f"---\nname: {name}\ndescription: Does {name}. Use when testing.\n---\n\nDo.\n"
            (root / name).mkdir()
            (root / name / "SKILL.md").write_text(text)
        loader = SkillLoader(SkillStorageManager(StorageConfig(agent_path=root)))
        self.runner = testing.AgentTestRunner(loader, self._tools, self.model)

    def _tools(self, credentials: Mapping[str, Any]) -> Iterable[Tool]:
        self.credentials.append(credentials)
        return [echo(), *file_tools(), *self.service.tools()]

    def _decide(self, asked: Completion) -> Reply:
        is_first = len(asked.messages) == 1
        if '<skill name="read">' in asked.system:
            look = calling(("echo", {"text": "x"}), ("write_file", {"path": "a", "content": "b"}))
            return (
                look
                if is_first
                else answer(f'{{"saw": "{asked.messages[-1].answers[0].content}"}}')
            )
        return calling(("post_ask", {"text": "hi"})) if is_first else answer('{"sent": true}')


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    return Stage(tmp_path)


def an_agent(*skills: SkillReference, **more: Any) -> AgentConfig:
    at = clock.now()
    return AgentConfig(
        id="ag_1", tenant_id="tn_1", name="weekly", skills=skills or (READ, SEND),
        created_by="us_anna", created_at=at, updated_at=at, **more,
    )  # fmt: skip


@requirement("EXE-3", "FR-5")
async def test_a_dry_run_sends_nothing_and_tells_what_it_would(stage: Stage) -> None:
    result = await stage.runner.dry_run(an_agent(), {}, files={"in.txt": b"x"})

    assert (result.mode, result.success) == ("dry_run", True)
    assert result.outputs == {"read": {"saw": "you said x"}, "send": {"sent": True}}
    assert stage.service.posts == []
    assert [(call.node, call.tool, call.arguments) for call in result.held] == [
        ("send", "post_ask", {"text": "hi"})
    ]
    assert [(call.tool, call.origin) for call in result.calls] == [
        ("echo", "real"),
        ("write_file", "real"),
        ("post_ask", "invented"),
    ]
    assert result.files == {"in.txt": b"x", "a": b"b"}
    assert (result.usage.model_calls, result.usage.tool_calls) == (4, 2)
    assert [event.body.type for event in result.events].count("skill_completed") == 2
    assert stage.credentials == [{}]


@requirement("EXE-3")
async def test_mock_data_stands_in_for_tools(stage: Stage) -> None:
    mocks = {"echo": "mocked", "send/post_ask": {"id": 7}, "read/post_ask": {"id": 8}}

    result = await stage.runner.dry_run(an_agent(), mocks)

    assert result.outputs["read"] == {"saw": "mocked"}
    assert [(call.answer, call.origin) for call in result.calls if call.tool != "write_file"] == [
        ("mocked", "recorded"),
        ({"id": 7}, "recorded"),
    ]
    assert stage.service.posts == []


@requirement("EXE-3")
async def test_an_integration_test_does_everything_with_the_test_credentials(stage: Stage) -> None:
    stage.model.costs("0.0001")

    result = await stage.runner.integration_test(an_agent(), {"slack": "token"})

    assert (result.mode, result.success, result.held) == ("integration", True, ())
    assert [text for _, text in stage.service.posts] == ["hi"]
    assert stage.credentials == [{"slack": "token"}]
    assert result.cost == Decimal("0.008")


async def test_a_dry_run_asks_nobody_and_an_integration_test_says_that_it_would(
    stage: Stage,
) -> None:
    agent = an_agent(permissions=ASKS_FIRST)

    dry = await stage.runner.dry_run(agent, {})
    real = await stage.runner.integration_test(agent, {})

    assert dry.success
    assert (real.success, real.errors["send"].code) == (False, "person_needed")
    assert stage.service.posts == []


async def test_a_failure_is_told_by_skill_and_keeps_what_came_before(stage: Stage) -> None:
    stage.model.decides(
        lambda asked: ModelRefused("no") if '"send"' in asked.system else answer('{"n": 1}')
    )

    result = await stage.runner.dry_run(an_agent(), {})

    assert (result.success, result.outputs) == (False, {"read": {"n": 1}})
    assert result.errors["send"].code == "model_refused"


async def test_a_budget_holds_in_a_test(stage: Stage) -> None:
    stage.model.costs("0.01")

    result = await stage.runner.dry_run(an_agent(limits=AgentLimits(budget_usd=Decimal("0.5"))), {})

    assert (result.success, result.errors["read"].code) == (False, "budget_exceeded")


async def test_one_skill_in_two_places_has_two_results(stage: Stage) -> None:
    again = SkillReference(name="read", id="again", depends_on=("read",))

    result = await stage.runner.dry_run(an_agent(READ, again), {"again/echo": "other"})

    assert result.outputs == {"read": {"saw": "you said x"}, "again": {"saw": "other"}}


async def test_an_agent_that_makes_no_graph_is_not_begun(stage: Stage) -> None:
    with pytest.raises(PlanInvalid):
        await stage.runner.dry_run(an_agent(SkillReference(name="read", depends_on=("read",))), {})


@requirement("EXE-3", "FR-12")
async def test_a_plan_is_tried_out_with_its_conditions_and_items(stage: Stage) -> None:
    read = READ.model_copy(update={"for_each": "input.rows"})
    send = SEND.model_copy(update={"when": "size(steps.read.output) > 2"})

    result = await stage.runner.dry_run(an_agent(read, send), {}, input_data={"rows": [1, 2]})

    assert result.success
    assert sorted(result.outputs) == ["read", "read[0]", "read[1]"]
    assert result.outputs["read"] == [result.outputs["read[0]"], result.outputs["read[1]"]]
    assert stage.service.posts == []
