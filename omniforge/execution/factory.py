"""Puts an executor together for one skill: its tools, its model, its journal."""

from collections.abc import Iterable

from omniforge.execution.autonomous import AutonomousConfig, AutonomousSkillExecutor
from omniforge.execution.reasoning import ReasoningEngine
from omniforge.execution.skill_files import ReadSkillFile
from omniforge.journal.journal import Journal
from omniforge.llm.protocol import LLM
from omniforge.skills.document import Skill
from omniforge.tools.executor import ToolExecutor
from omniforge.tools.protocol import Tool
from omniforge.tools.registry import ToolRegistry


class ExecutorFactory:
    """What all executors of a process share."""

    def __init__(self, tools: Iterable[Tool], llm: LLM) -> None:
        self._registry, self.llm = ToolRegistry(tools), llm

    def make(
        self,
        skill: Skill,
        config: AutonomousConfig,
        journal: Journal | None = None,
        *,
        has_cap: bool = False,
    ) -> AutonomousSkillExecutor:
        """An executor for one segment of one skill. Without a journal it works in memory."""
        registry = self._registry
        if skill.supporting_files:
            registry = registry.extended(ReadSkillFile(skill.files))
        reasoning = ReasoningEngine(self.llm, journal, has_cap=has_cap)
        return AutonomousSkillExecutor(
            skill, registry, ToolExecutor(registry), config, reasoning=reasoning
        )
