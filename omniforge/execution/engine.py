"""Skills strung together in this process: the SDK's way to run an agent without a platform."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from pydantic import BaseModel

from omniforge.agents.config import AgentConfig, SkillReference
from omniforge.agents.plan import (
    NodeEnd,
    Plan,
    hand_on,
    index_of,
    item_node,
    skill_of,
    with_config,
)
from omniforge.agents.runs import ErrorInfo
from omniforge.agents.strategies import StrategyName, wire
from omniforge.errors import ConditionFailed
from omniforge.execution.plans.conditions import Facts, StepFacts, holds, items, value
from omniforge.execution.skill_tool import SkillTool
from omniforge.journal.steps import Json
from omniforge.skills.loader import SkillLoader
from omniforge.tools.protocol import ToolCallContext, ToolResult


class ExecutionEvent(BaseModel, frozen=True):
    """One skill, or one item of a `for_each`, began or ended. `data` holds `output`, `error` or `reason`.

    `node` is the skill's id in the plan, for an item with its place: `send[3]`. With `ends_run`, nothing
    follows, because the plan does not go on after this failure.
    """

    type: Literal["skill_started", "skill_completed", "skill_failed", "skill_skipped"]
    skill_name: str
    data: dict[str, Any] = {}
    node: str = ""
    ends_run: bool = False


class OrchestrationEngine:
    """Follows an agent's plan by the rules that the platform follows it by."""

    def __init__(self, skill_loader: SkillLoader, skill_tool: SkillTool) -> None:
        self._loader, self._skill_tool = skill_loader, skill_tool

    async def execute_agent(
        self,
        agent_config: AgentConfig,
        context: ToolCallContext,
        input_data: Json,
        *,
        strategy: StrategyName | None = None,
    ) -> AsyncIterator[ExecutionEvent]:
        """Run all skills, `limits.max_parallel` at once, wired by `strategy` where one is given.

        A failure that the plan does not go on after ends the run, and skills under way are cancelled.

        Raises:
            PlanInvalid: The agent's skills do not make a graph that can run. Nothing was started.
        """
        skills = wire(strategy, agent_config.skills).skills if strategy else agent_config.skills
        course = _Course(Plan.of(skills), {skill.id: skill for skill in skills}, input_data)
        on_demand = [skill.name for skill in skills if skill.on_demand]
        running: dict[str, asyncio.Task[ToolResult]] = {}
        try:
            while not course.is_done:
                while node := course.next_due(running, agent_config.limits.max_parallel):
                    event = course.decide(node)
                    if event.type == "skill_started" and node not in course.items:
                        work = self._run(course, node, context, on_demand)
                        running[node] = asyncio.create_task(work)
                    yield event
                    if event.ends_run:
                        return
                if running:
                    await asyncio.wait(running.values(), return_when=asyncio.FIRST_COMPLETED)
                for node in [node for node, task in running.items() if task.done()]:
                    event = course.end(node, running.pop(node).result())
                    yield event
                    if event.ends_run:
                        return
        finally:
            for task in running.values():
                task.cancel()
            # Whoever gets the last event may rely on it that nothing is at work any more.
            await asyncio.gather(*running.values(), return_exceptions=True)

    async def execute_single_skill(
        self, skill_name: str, context: ToolCallContext, input_data: Json
    ) -> ToolResult:
        """Run one skill by name."""
        arguments = {"skill_name": skill_name, "args": json.dumps(input_data), "node": skill_name}
        return await self._skill_tool.execute(context, arguments)

    async def _run(
        self, course: "_Course", node: str, context: ToolCallContext, on_demand: Sequence[str]
    ) -> ToolResult:
        skill = course.skill(node)
        try:
            given = course.input_of(node)
        except ConditionFailed as failed:
            return ToolResult(False, error=_told(failed))
        arguments = {
            "skill_name": skill.name,
            "args": json.dumps(given),
            "node": node,
            "on_demand": on_demand,
            "model": skill.model,
            "fallback_models": skill.fallback_models,
            "timeout_s": skill.timeout_s,
        }
        return await self._skill_tool.execute(context, arguments)


@dataclass(slots=True)
class _Course:
    """Where a run stands in its plan. Nodes are skills, and the items of those that have a `for_each`."""

    plan: Plan
    skills: Mapping[str, SkillReference]
    input: Json
    ends: dict[str, NodeEnd] = field(default_factory=dict)
    outputs: dict[str, Json] = field(default_factory=dict)
    failures: dict[str, ToolResult] = field(default_factory=dict)
    items: dict[str, list[Json]] = field(default_factory=dict)

    @property
    def is_done(self) -> bool:
        return all(node in self.ends for node in self.plan.depends_on)

    def skill(self, node: str) -> SkillReference:
        return self.skills[skill_of(node)]

    def next_due(self, running: Mapping[str, object], at_once: int) -> str | None:
        """The next node whose turn it is, if there is one and room for it."""
        return next(self._due(running), None) if len(running) < at_once else None

    def decide(self, node: str) -> ExecutionEvent:
        """What becomes of a node that is due: it starts, is skipped, or ends with its items."""
        skill = self.skill(node)
        if node in self.items:
            found = range(len(self.items[node]))
            return self._done(node, [self.outputs.get(item_node(node, place)) for place in found])
        if node != skill.id:
            return self._event("skill_started", node)
        if self.plan.is_passed_over(node, self.ends):
            return self._skipped(node, "Nothing before it calls for it.")
        try:
            if skill.when is not None and not holds(skill.when, self._facts(node)):
                return self._skipped(node, f"Its condition does not hold: {skill.when}")
            if skill.for_each is not None:
                self.items[node] = items(skill.for_each, self._facts(node))
        except ConditionFailed as failed:
            return self.end(node, ToolResult(False, error=_told(failed)))
        return self._event("skill_started", node)

    def end(self, node: str, result: ToolResult) -> ExecutionEvent:
        """Keep what a node came to."""
        if result.success:
            return self._done(node, result.result)
        self.ends[node], self.failures[node] = NodeEnd.FAILED, result
        error = result.error.model_dump() if result.error else None
        return ExecutionEvent(
            type="skill_failed",
            skill_name=self.skill(node).name,
            data={"error": error, "output": result.result},
            node=node,
            ends_run=self.skill(node).on_failure == "stop",
        )

    def input_of(self, node: str) -> Json:
        """
        Raises:
            ConditionFailed: Its `input` cannot be worked out.
        """
        return with_config(self.skill(node), self._given(node))

    # ---- inside ------------------------------------------------------------------------------

    def _due(self, running: Mapping[str, object]) -> Iterator[str]:
        at_work = {**running, **self.ends}
        for node in self.plan.ready(at_work, self.ends):
            if node not in self.items:
                yield node
                continue
            nodes = [item_node(node, place) for place in range(len(self.items[node]))]
            yield from (item for item in nodes if item not in at_work)
            if all(item in self.ends for item in nodes):
                yield node

    def _given(self, node: str) -> Json:
        skill, facts = self.skill(node), self._facts(node)
        if skill.input is not None:
            return value(skill.input, facts)
        if facts.index is not None:
            return facts.item if isinstance(facts.item, dict) else {"item": facts.item}
        return hand_on(self.plan, node, self.outputs, self.input)

    def _facts(self, node: str) -> Facts:
        steps = {name: self._facts_of(name) for name in self.plan.depends_on}
        index = index_of(node)
        if index is None:
            return Facts(self.input, steps)
        return Facts(self.input, steps, self.items[skill_of(node)][index], index)

    def _facts_of(self, node: str) -> StepFacts:
        """A skill that failed and whose place was taken has the output of the one that took it."""
        end = self.ends.get(node)
        output = self.plan.output_of(node, self.outputs)
        failure = self.failures.get(node)
        if failure is None:
            return StepFacts(output, end.value if end else "pending")
        error = failure.error.message if failure.error else None
        return StepFacts(failure.result if output is None else output, NodeEnd.FAILED, error)

    def _done(self, node: str, output: Json) -> ExecutionEvent:
        self.ends[node], self.outputs[node] = NodeEnd.DONE, output
        return self._event("skill_completed", node, output=output)

    def _skipped(self, node: str, reason: str) -> ExecutionEvent:
        self.ends[node] = NodeEnd.SKIPPED
        return self._event("skill_skipped", node, reason=reason)

    def _event(
        self,
        kind: Literal["skill_started", "skill_completed", "skill_skipped"],
        node: str,
        **data: Any,
    ) -> ExecutionEvent:
        return ExecutionEvent(type=kind, skill_name=self.skill(node).name, data=data, node=node)


def _told(failed: ConditionFailed) -> ErrorInfo:
    return ErrorInfo(code=failed.code, message=failed.message)
