"""An agent's skills on a disk, and the engine that runs them."""

import asyncio
import json
from pathlib import Path
from typing import Any

from omniforge import clock
from omniforge.agents.config import AgentConfig, SkillReference
from omniforge.execution.autonomous import AutonomousConfig
from omniforge.execution.engine import ExecutionEvent, OrchestrationEngine
from omniforge.execution.factory import ExecutorFactory
from omniforge.execution.skill_tool import SkillTool
from omniforge.journal.memory import MemoryBlobs
from omniforge.llm.protocol import Completion
from omniforge.skills.loader import SkillLoader
from omniforge.skills.storage import SkillStorageManager, create_builder_storage_config
from omniforge.tools.protocol import ToolCallContext
from omniforge.tools.workspace import Workspace
from tests.execution.making import echo
from tests.support.effects import CountingService
from tests.support.scripted import Reply, ScriptedLLM, answer


class Office:
    """An agent's skills on disk, and a model that answers for each of them."""

    def __init__(self, root: Path) -> None:
        self.root, self.model = root, ScriptedLLM()
        self.service = CountingService()
        self._answers: dict[str, Any] = {}
        self.model.decides(self._answer)
        config = create_builder_storage_config("tn_1", "ag_1", root)
        loader = SkillLoader(SkillStorageManager(config))
        tools = [echo(), *self.service.tools()]
        executors = ExecutorFactory(tools, self.model)
        self.tool = SkillTool(loader, executors, AutonomousConfig(max_iterations=5))
        self.engine = OrchestrationEngine(loader, self.tool)
        workspace = Workspace(root / "work", MemoryBlobs())
        self.context = ToolCallContext("tn_1", "task-1", "session-1", workspace, "us_anna")

    def skill(self, name: str, reply: Any, text: str | None = None) -> None:
        """A skill in the agent's layer and what the model says when it is run."""
        folder = self.root / "tenants" / "tn_1" / "agents" / "ag_1" / "skills" / name
        folder.mkdir(parents=True)
        front = f"---\nname: {name}\ndescription: Does {name}. Use when testing.\n---\n"
        (folder / "SKILL.md").write_text(text if text is not None else f"{front}\nDo {name}.\n")
        self._answers[name] = reply

    def _answer(self, asked: Completion) -> Reply:
        name = asked.system.split('<skill name="')[1].split('"')[0]
        reply = self._answers[name]
        return reply(asked) if callable(reply) else answer(json.dumps(reply))

    async def run(self, *skills: SkillReference, input_data: Any = None) -> list[ExecutionEvent]:
        agent = an_agent(*skills)
        async with asyncio.timeout(20):
            events = self.engine.execute_agent(agent, self.context, input_data or {})
            return [event async for event in events]

    def input_of(self, name: str) -> Any:
        """What the model was shown as a skill's input."""
        (asked,) = [each for each in self.model.asked if f'<skill name="{name}">' in each.system]
        text = asked.messages[0].text
        return json.loads(text.removeprefix("<input>\n").removesuffix("\n</input>"))


def an_agent(*skills: SkillReference) -> AgentConfig:
    at = clock.now()
    return AgentConfig(
        id="ag_1", tenant_id="tn_1", name="weekly", skills=skills, created_by="us_anna",
        created_at=at, updated_at=at,
    )  # fmt: skip
