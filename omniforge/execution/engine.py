"""Skills strung together in this process: the SDK's way to run an agent without a platform."""

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from typing import Any, Literal

from pydantic import BaseModel

from omniforge.agents.config import AgentConfig, SkillReference
from omniforge.agents.plan import Plan, hand_on, with_config
from omniforge.execution.skill_tool import SkillTool
from omniforge.journal.steps import Json
from omniforge.skills.loader import SkillLoader
from omniforge.tools.protocol import ToolCallContext, ToolResult


class ExecutionEvent(BaseModel, frozen=True):
    """One skill began or ended. `data` holds `output` or `error`."""

    type: Literal["skill_started", "skill_completed", "skill_failed"]
    skill_name: str
    data: dict[str, Any] = {}


class OrchestrationEngine:
    """Follows an agent's plan: skills without a dependency on each other run side by side."""

    def __init__(self, skill_loader: SkillLoader, skill_tool: SkillTool) -> None:
        self._loader, self._skill_tool = skill_loader, skill_tool

    async def execute_agent(
        self, agent_config: AgentConfig, context: ToolCallContext, input_data: Json
    ) -> AsyncIterator[ExecutionEvent]:
        """Run all skills; the first failure ends the run, and skills under way are cancelled.

        Raises:
            PlanInvalid: The agent's skills do not make a graph that can run. Nothing was started.
        """
        plan = Plan.of(agent_config.skills)
        skills = {skill.id: skill for skill in agent_config.skills}
        on_demand = [skill.name for skill in agent_config.skills if skill.on_demand]
        outputs: dict[str, Json] = {}
        running: dict[str, asyncio.Task[ToolResult]] = {}
        started: set[str] = set()
        try:
            while len(outputs) < len(plan.depends_on):
                for node in plan.ready(dict.fromkeys(started), outputs):
                    handed_on = hand_on(plan, node, outputs, input_data)
                    work = self._run(skills[node], context, handed_on, on_demand)
                    running[node] = asyncio.create_task(work)
                    started.add(node)
                    yield ExecutionEvent(type="skill_started", skill_name=skills[node].name)
                await asyncio.wait(running.values(), return_when=asyncio.FIRST_COMPLETED)
                for node in [node for node, task in running.items() if task.done()]:
                    result = running.pop(node).result()
                    yield _ended(skills[node].name, result)
                    if not result.success:
                        return
                    outputs[node] = result.result
        finally:
            for task in running.values():
                task.cancel()
            # Whoever gets the last event may rely on it that nothing is at work any more.
            await asyncio.gather(*running.values(), return_exceptions=True)

    async def execute_single_skill(
        self,
        skill_name: str,
        context: ToolCallContext,
        input_data: Json,
        *,
        node: str = "",
        on_demand: Sequence[str] = (),
    ) -> ToolResult:
        """Run one skill by name. `node` is its id, where it is part of a plan and has another one;
        `on_demand` names skills that it may load."""
        arguments = {
            "skill_name": skill_name,
            "args": json.dumps(input_data),
            "node": node or skill_name,
            "on_demand": on_demand,
        }
        return await self._skill_tool.execute(context, arguments)

    async def _run(
        self,
        skill: SkillReference,
        context: ToolCallContext,
        handed_on: Json,
        on_demand: Sequence[str],
    ) -> ToolResult:
        skill_input = with_config(skill, handed_on)
        return await self.execute_single_skill(
            skill.name, context, skill_input, node=skill.id, on_demand=on_demand
        )


def _ended(skill_name: str, result: ToolResult) -> ExecutionEvent:
    if result.success:
        return ExecutionEvent(
            type="skill_completed", skill_name=skill_name, data={"output": result.result}
        )
    error = result.error.model_dump() if result.error else None
    return ExecutionEvent(
        type="skill_failed",
        skill_name=skill_name,
        data={"error": error, "output": result.result},
    )
