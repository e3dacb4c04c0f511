"""The tool with which a skill has another agent do a part of its work."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from omniforge.agents.runs import Run, RunStatus
from omniforge.errors import TryAgain
from omniforge.execution.work import SkillWork
from omniforge.journal.asking import child_run_id
from omniforge.journal.journal import Journal
from omniforge.journal.steps import EffectClass, Json
from omniforge.skills.document import Skill
from omniforge.tools.parameters import parameters
from omniforge.tools.protocol import Tool, ToolCallContext, ToolSpec


class ChildRuns(Protocol):
    """What the tool has to know of agents, and of the runs that the platform started for it."""

    async def names(self, tenant_id: str, agent_ids: Sequence[str]) -> Mapping[str, str]:
        """The names of those that are there, by id."""
        ...

    async def result(self, tenant_id: str, run_id: str) -> Run:
        """
        Raises:
            ExecutionNotFound: It was never begun.
        """
        ...


class SubAgents:
    """Gives the tool to the skills of agents whose owner lets them run others."""

    def __init__(self, children: ChildRuns) -> None:
        self._children = children

    async def tools(self, work: SkillWork, skill: Skill, journal: Journal) -> Sequence[Tool]:
        if not work.sub_agents:
            return ()
        names = await self._children.names(work.tenant_id, work.sub_agents)
        return (RunAgent(names, self._children),) if names else ()


class RunAgent:
    """Waits as a segment's end, so a child that works for days holds no worker of its parent's."""

    def __init__(self, agents: Mapping[str, str], children: ChildRuns) -> None:
        """`agents` are names by id: those that the calling agent's owner allows."""
        self._children = children
        known = "; ".join(f"{agent_id}: {name}" for agent_id, name in sorted(agents.items()))
        self.spec = ToolSpec(
            name="run_agent",
            description=(
                "Have another agent do a part of the work, and get its result. It sees nothing but the"
                f" input you give. Agents: {known}"
            ),
            parameters=parameters(
                required=("agent", "input"),
                agent={"type": "string", "enum": sorted(agents)},
                input={"type": "object", "description": "All that the agent needs to know."},
            ),
            waits_for="child",
            is_outside=True,
            effect=EffectClass.READ,
        )

    def effect_of(self, arguments: Mapping[str, Any]) -> EffectClass:
        return EffectClass.READ  # its own run keeps account of what it does outside

    async def run(self, arguments: Mapping[str, Any], context: ToolCallContext) -> Json:
        child = await self._children.result(context.tenant_id, child_run_id(context.effect_id))
        if child.status is RunStatus.COMPLETED:
            return {"run": child.id, "result": child.result}
        why = child.error.message if child.error else "It came to no end."
        raise TryAgain(f"The agent's run {child.id} ended as {child.status}. {why}")
