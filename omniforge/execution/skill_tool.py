"""Runs a skill by its name: the one interface the engine knows."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from omniforge.agents.runs import ErrorInfo
from omniforge.errors import BudgetExceeded, OmniForgeError
from omniforge.execution.autonomous import AutonomousConfig, AutonomousSkillExecutor
from omniforge.execution.factory import ExecutorFactory
from omniforge.journal.events import Wait
from omniforge.skills.document import Skill
from omniforge.skills.loader import SkillLoader
from omniforge.tools.protocol import ToolCallContext, ToolResult


class SkillTool:
    """Finds a skill in the layers and runs it with a journal in memory."""

    def __init__(
        self,
        loader: SkillLoader,
        executors: ExecutorFactory,
        config: AutonomousConfig | None = None,
    ) -> None:
        self._loader, self._executors = loader, executors
        self._config = config or AutonomousConfig()

    async def execute(self, context: ToolCallContext, arguments: Mapping[str, Any]) -> ToolResult:
        """Run `arguments["skill_name"]` on `arguments["args"]`, the text of a JSON object or plain words.

        `arguments["node"]` is its id in an agent's plan, where it is part of one, and
        `arguments["on_demand"]` names further skills that it may load; `model`, `fallback_models` and
        `timeout_s` in it win over what the tool was made with. A skill that is missing, broken or fails
        is a result without success, not an exception.
        """
        try:
            skill = self._loader.resolve(arguments["skill_name"])
            others = [self._loader.resolve(name) for name in arguments.get("on_demand", ())]
        except OmniForgeError as error:
            return ToolResult(False, error=ErrorInfo(code=error.code, message=error.message))
        config = replace(
            self._config,
            model=arguments.get("model") or self._config.model or skill.model or "",
            fallback_models=arguments.get("fallback_models") or self._config.fallback_models,
            timeout_s=arguments.get("timeout_s") or self._config.timeout_s,
            workspace=context.workspace,
            user_id=context.user_id,
            on_demand=tuple(others),
        )
        executor = await self.make(skill, config, arguments.get("node", skill.name))
        result = await executor.execute_sync(
            arguments["args"], context.task_id, context.session_id, context.tenant_id
        )
        return ToolResult(result.success, result.output, result.error or _undecided(result.waits))

    async def make(
        self, skill: Skill, config: AutonomousConfig, node: str
    ) -> AutonomousSkillExecutor:
        """The executor of one skill; `node` is its id in the agent's plan."""
        return self._executors.make(skill, config)


def _undecided(waits: tuple[Wait, ...]) -> ErrorInfo | None:
    """Without a platform there is nobody to ask, so the question is the result."""
    if not waits:
        return None
    if (short := waits[0].short) is not None:
        advice = "Raise `limits.budget_usd` of the agent, or choose a cheaper model."
        return ErrorInfo(code=BudgetExceeded.code, message=f"{short.sentence()} {advice}")
    return ErrorInfo(code="person_needed", message=" ".join(wait.question for wait in waits))
