"""Agents tried out in this process: rehearsed with given answers, or for real with test credentials.

The same journal, gateway and rehearsal as on the platform, with everything kept in memory.
"""

import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

from omniforge.agents.config import AgentConfig
from omniforge.agents.modes import RunMode
from omniforge.agents.runs import ErrorInfo, TokenUsage
from omniforge.execution.autonomous import AutonomousConfig, AutonomousSkillExecutor
from omniforge.execution.engine import ExecutionEvent, OrchestrationEngine
from omniforge.execution.factory import ExecutorFactory
from omniforge.execution.rehearsal import Rehearsal
from omniforge.execution.skill_tool import SkillTool
from omniforge.execution.work import Script
from omniforge.identity import new_id
from omniforge.journal.blobs import BlobStore
from omniforge.journal.events import Event
from omniforge.journal.journal import Journal
from omniforge.journal.memory import MemoryBlobs, MemoryJournalStore
from omniforge.journal.steps import EffectClass, Json, NodeKey, Origin, Step, StepKind
from omniforge.llm.protocol import LLM
from omniforge.skills.document import Skill
from omniforge.skills.loader import SkillLoader
from omniforge.tools.protocol import Tool, ToolCallContext
from omniforge.tools.workspace import Workspace

ToolMaker = Callable[[Mapping[str, Any]], Iterable[Tool]]
"""Makes an agent's tools from credentials; for a dry run from none."""


@dataclass(frozen=True, slots=True)
class TestedCall:
    """One call of a tool, and where its answer came from. Held calls were never sent."""

    node: str
    step: int
    tool: str
    arguments: Json
    answer: Json
    error: ErrorInfo | None
    origin: Origin
    effect_class: EffectClass | None
    is_held: bool


@dataclass(frozen=True, slots=True)
class TestResult:
    """What came of trying an agent out. `outputs` and `errors` are by skill, and by item of a `for_each`.

    A test whose failures the plan goes on after is a success.
    """

    mode: RunMode
    success: bool
    outputs: Mapping[str, Json]
    errors: Mapping[str, ErrorInfo]
    calls: tuple[TestedCall, ...]
    files: Mapping[str, bytes]
    usage: TokenUsage
    cost: Decimal
    events: tuple[Event, ...]

    @property
    def held(self) -> tuple[TestedCall, ...]:
        """What would have been sent, call by call."""
        return tuple(call for call in self.calls if call.is_held)


class AgentTestRunner:
    """Tries agents out before they are switched on."""

    def __init__(self, skill_loader: SkillLoader, make_tools: ToolMaker, llm: LLM) -> None:
        self._loader, self._make_tools, self._llm = skill_loader, make_tools, llm

    async def dry_run(
        self,
        agent_config: AgentConfig,
        mock_data: Mapping[str, Json],
        *,
        input_data: Json = None,
        files: Mapping[str, bytes] | None = None,
    ) -> TestResult:
        """Run an agent without sending anything.

        `mock_data` is what tools answer instead of being called, by `tool` or `skill/tool`; a list is
        one answer a call, and its last one serves all further calls. Other calls that change nothing
        are made; those that would are held back.
        """
        stage = _Stage(self._loader, self._factory({}), agent_config, Script(mock_data))
        return await self._run(stage, agent_config, input_data, files or {})

    async def integration_test(
        self,
        agent_config: AgentConfig,
        test_credentials: Mapping[str, Any],
        *,
        input_data: Json = None,
        files: Mapping[str, bytes] | None = None,
    ) -> TestResult:
        """Run an agent for real, with tools made from these credentials."""
        stage = _Stage(self._loader, self._factory(test_credentials), agent_config, None)
        return await self._run(stage, agent_config, input_data, files or {})

    def _factory(self, credentials: Mapping[str, Any]) -> ExecutorFactory:
        return ExecutorFactory(self._make_tools(credentials), self._llm)

    async def _run(
        self, stage: "_Stage", agent: AgentConfig, input_data: Json, files: Mapping[str, bytes]
    ) -> TestResult:
        with tempfile.TemporaryDirectory(prefix="omniforge-test-") as folder:
            context = await _context(agent, Path(folder) / "files", MemoryBlobs(), files)
            engine = OrchestrationEngine(self._loader, stage)
            events = engine.execute_agent(agent, context, input_data or {})
            told = [event async for event in events]
            left = {name: context.workspace.read(name) for name in context.workspace.files()}
        return stage.result(told, left)


class _Stage(SkillTool):
    """An agent's skills with journals that the test keeps, and who answers in the place of tools."""

    def __init__(
        self,
        loader: SkillLoader,
        executors: ExecutorFactory,
        agent: AgentConfig,
        script: Script | None,
    ) -> None:
        limits = agent.limits
        config = AutonomousConfig(
            max_iterations=limits.max_iterations,
            timeout_s=limits.skill_timeout_s,
            permissions=agent.permissions,
        )
        super().__init__(loader, executors, config)
        self._agent, self._script = agent, script
        self._id, self._store = new_id("ex"), MemoryJournalStore()
        self._store.streams[self._id].cap = limits.budget_usd
        self._journals: dict[str, Journal] = {}

    async def make(
        self, skill: Skill, config: AutonomousConfig, node: str
    ) -> AutonomousSkillExecutor:
        journal = await Journal.open(self._store, NodeKey(self._id, node), skill.name)
        self._journals[node] = journal
        return self._executors.make(
            skill,
            config,
            journal,
            has_cap=self._agent.limits.budget_usd is not None,
            rehearsal=None if self._script is None else Rehearsal(node, self._script),
        )

    def result(self, told: Sequence[ExecutionEvent], files: Mapping[str, bytes]) -> TestResult:
        journals = self._journals.values()
        return TestResult(
            mode=RunMode.INTEGRATION if self._script is None else RunMode.DRY_RUN,
            success=not any(event.ends_run for event in told),
            outputs={
                event.node: event.data["output"]
                for event in told
                if event.type == "skill_completed"
            },
            errors={
                event.node: ErrorInfo.model_validate(event.data["error"])
                for event in told
                if event.type == "skill_failed" and event.data["error"] is not None
            },
            calls=tuple(self._calls()),
            files=files,
            usage=sum((journal.usage for journal in journals), TokenUsage()),
            cost=sum((journal.cost for journal in journals), Decimal(0)),
            events=tuple(self._store.streams[self._id].events),
        )

    def _calls(self) -> Iterator[TestedCall]:
        for node, journal in self._journals.items():
            for step in journal.recorded:
                if step.kind is StepKind.TOOL:
                    yield _call(node, step, is_rehearsal=self._script is not None)


def _call(node: str, step: Step, *, is_rehearsal: bool) -> TestedCall:
    return TestedCall(
        node=node,
        step=step.number,
        tool=step.name,
        arguments=step.arguments,
        answer=step.answer,
        error=step.error,
        origin=step.origin,
        effect_class=step.effect_class,
        is_held=is_rehearsal and step.effect_class is not None,
    )


async def _context(
    agent: AgentConfig, folder: Path, blobs: BlobStore, files: Mapping[str, bytes]
) -> ToolCallContext:
    workspace = Workspace(folder, blobs)
    await workspace.restore({path: await blobs.put(content) for path, content in files.items()})
    return ToolCallContext(agent.tenant_id, "test", "test", workspace, agent.created_by)
