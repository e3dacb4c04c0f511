"""A skill, its tools and a model with a script: all that an executor needs, in memory."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from omniforge.execution.autonomous import AutonomousConfig, AutonomousSkillExecutor
from omniforge.execution.events import ExecutionResult
from omniforge.execution.factory import ExecutorFactory
from omniforge.journal.journal import Journal, never
from omniforge.journal.memory import MemoryBlobs, MemoryJournalStore
from omniforge.journal.steps import EffectClass, Fence, NodeKey, Step
from omniforge.llm.protocol import Completion, Message
from omniforge.skills.document import Skill
from omniforge.tools.functions import FunctionTool
from omniforge.tools.protocol import Tool, ToolCallContext, ToolSpec
from omniforge.tools.workspace import Workspace
from tests.support.scripted import ScriptedLLM

KEY = NodeKey("run-1", "report")
ANY_TEXT = {
    "type": "object",
    "properties": {"text": {"type": "string"}},
    "required": ["text"],
    "additionalProperties": False,
}


def a_skill(body: str = "Sum up the week.", **fields: Any) -> Skill:
    values: dict[str, Any] = {"name": "report", "description": "Sums up. Use when testing."}
    return Skill(**{**values, **fields}, body=body)


def a_tool(
    name: str,
    work: Callable[[str], Awaitable[Any]],
    effect: EffectClass = EffectClass.READ,
    **more: Any,
) -> Tool:
    """A tool of one text argument."""

    async def run(arguments: Mapping[str, Any], _: ToolCallContext) -> Any:
        return await work(arguments["text"])

    return FunctionTool(ToolSpec(name, f"Does {name}.", ANY_TEXT, effect, **more), run)


def echo(name: str = "echo") -> Tool:
    async def work(text: str) -> str:
        return f"you said {text}"

    return a_tool(name, work)


def failing(error: Exception, name: str = "fails", **more: Any) -> Tool:
    async def work(_: str) -> None:
        raise error

    return a_tool(name, work, **more)


def hanging(effect: EffectClass = EffectClass.READ) -> Tool:
    async def work(_: str) -> None:
        await asyncio.sleep(60)

    return a_tool("hangs", work, effect, timeout=timedelta(seconds=0.02))


def writing(name: str, then: Exception | None = None) -> Tool:
    """Writes its text to `<name>.txt`, and then raises when it is told to."""

    async def run(arguments: Mapping[str, Any], context: ToolCallContext) -> str:
        context.workspace.write(f"{name}.txt", str(arguments["text"]).encode())
        if then is not None:
            raise then
        return "written"

    return FunctionTool(writer_spec(name), run)


def writer_spec(name: str) -> ToolSpec:
    return ToolSpec(name, "Writes.", ANY_TEXT, EffectClass.READ, writes_workspace=True)


class Bench:
    """One node of a run whose workers come and go; model, tools and workspace at hand."""

    def __init__(self, folder: Path, cap: str | None = None) -> None:
        self.model, self.store, self.blobs = ScriptedLLM(), MemoryJournalStore(), MemoryBlobs()
        self.workspace = Workspace(folder / "work", self.blobs)
        self._attempt = 0
        self._has_cap = cap is not None
        self.stream = self.store.streams[KEY.stream_id]
        self.stream.cap = None if cap is None else Decimal(cap)

    async def executor(
        self, *tools: Tool, skill: Skill | None = None, should_stop: Any = never, **config: Any
    ) -> AutonomousSkillExecutor:
        """The executor of the node's next worker."""
        self._attempt += 1
        skill = skill or a_skill()
        fence = Fence(0, self._attempt)
        journal = await Journal.open(self.store, KEY, skill.name, fence, should_stop)
        await self.workspace.restore(journal.workspace or {})
        settings = AutonomousConfig(workspace=self.workspace, **config)
        return ExecutorFactory(tools, self.model).make(
            skill, settings, journal, has_cap=self._has_cap
        )

    async def run(
        self, *tools: Tool, request: str = "go", skill: Skill | None = None, **config: Any
    ) -> ExecutionResult:
        executor = await self.executor(*tools, skill=skill, **config)
        async with asyncio.timeout(20):
            return await executor.execute_sync(request, "task-1", "session-1", "tenant-1")

    @property
    def asked(self) -> int:
        return len(self.model.asked)

    @property
    def told(self) -> list[str]:
        """The types of the events of the run, in order."""
        return [event.body.type for event in self.stream.events]

    @property
    def steps(self) -> list[tuple[str, str]]:
        """(name, status) of the steps on record."""
        return [(step.name, step.status) for step in self.recorded]

    @property
    def recorded(self) -> list[Step]:
        """The steps on record, in order."""
        recorded = self.store._nodes[KEY].steps
        return [recorded[number] for number in sorted(recorded)]

    def observed(self) -> list[str]:
        """What the model was told of its calls, in its last question."""
        return observations(self.model.asked[-1])


def observations(completion: Completion) -> list[str]:
    return [answer.content for message in completion.messages for answer in message.answers]


def last_words(completion: Completion) -> Message:
    return completion.messages[-1]
