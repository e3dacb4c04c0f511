"""One skill, carried out by a model with tools: its limits, its files, its beginning and its end."""

import asyncio
import contextlib
import json
import secrets
import tempfile
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from omniforge import clock
from omniforge.agents.permissions import PermissionRule
from omniforge.agents.runs import ErrorInfo
from omniforge.errors import BudgetExceeded, Ended, GaveUp
from omniforge.execution.disclosure import LOAD_SKILL, READ_SKILL_FILE
from omniforge.execution.disclosure.loading import catalogue
from omniforge.execution.disclosure.preparing import Occasion, prepared
from omniforge.execution.events import (
    Ending,
    ExecutionResult,
    TaskDoneEvent,
    TaskErrorEvent,
    TaskEvent,
    TaskStatusEvent,
)
from omniforge.execution.loop.answers import schema_of
from omniforge.execution.loop.endings import (
    early,
    explained,
    outcome_of,
    parked,
    played,
    recorded,
)
from omniforge.execution.loop.policy import CallPolicy
from omniforge.execution.loop.preamble import USUAL, Preamble, Rules, compaction_point
from omniforge.execution.loop.progress import Progress
from omniforge.execution.loop.prompt import Brief
from omniforge.execution.loop.turns import Turns
from omniforge.execution.model_call.reasoning import ModelFailed, ReasoningEngine
from omniforge.journal.asking import PersonNeeded
from omniforge.journal.journal import Interrupted, Journal
from omniforge.journal.memory import MemoryBlobs
from omniforge.journal.recording import RecordEnded
from omniforge.llm.sections import input_block
from omniforge.skills.allowed_tools import AllowedTools
from omniforge.skills.document import Skill
from omniforge.skills.preprocessing import (
    Arguments,
    ContextLoader,
    DynamicInjector,
    StringSubstitutor,
)
from omniforge.tools.executor import ToolExecutor
from omniforge.tools.protocol import ToolCallContext
from omniforge.tools.registry import ToolRegistry
from omniforge.tools.workspace import Workspace


@dataclass(frozen=True, slots=True)
class AutonomousConfig:
    """Limits of one skill. `timeout_s` counts working time over all segments, not time spent waiting."""

    max_iterations: int = 40
    timeout_s: float = 600
    model: str = ""
    fallback_models: tuple[str, ...] = ()
    max_tokens: int = 8_192
    workspace: Workspace | None = None
    user_id: str = ""
    permissions: tuple[PermissionRule, ...] = ()
    on_demand: tuple[Skill, ...] = ()
    """Further skills that it may load."""
    rules: Rules = USUAL


class AutonomousSkillExecutor:
    """Runs one skill. Everything it does goes through the journal, so a second executor on the same
    journal takes up where the first one was lost."""

    def __init__(
        self,
        skill: Skill,
        tool_registry: ToolRegistry,
        tool_executor: ToolExecutor,
        config: AutonomousConfig | None = None,
        context_loader: ContextLoader | None = None,
        dynamic_injector: DynamicInjector | None = None,
        string_substitutor: StringSubstitutor | None = None,
        *,
        reasoning: ReasoningEngine | None = None,
    ) -> None:
        self._skill, self._registry, self._tools = skill, tool_registry, tool_executor
        self._config = config or AutonomousConfig()
        self._context_loader = context_loader or ContextLoader()
        self._injector = dynamic_injector
        self._substitutor = string_substitutor or StringSubstitutor()
        self._reasoning = reasoning or ReasoningEngine()
        self._policy = CallPolicy(AllowedTools(skill.allowed_tools), self._config.permissions)

    async def execute(
        self, user_request: str, task_id: str = "", session_id: str = "", tenant_id: str = ""
    ) -> AsyncIterator[TaskEvent]:
        """Run the skill and tell what happens; the last event is a `TaskDoneEvent`.

        `user_request` is the skill's input: the text of a JSON object, or plain words. Closing the
        iterator cancels the work; what is on record stays.
        """
        events: asyncio.Queue[TaskEvent] = asyncio.Queue()
        progress = Progress(task_id, events)
        context = (session_id or task_id, tenant_id)
        work = asyncio.create_task(self._work(user_request, progress, *context))
        work.add_done_callback(lambda _: events.put_nowait(TaskStatusEvent(task_id, "ended")))
        try:
            yield TaskStatusEvent(task_id, "started")
            while not (work.done() and events.empty()):
                yield await events.get()
            result = await work
            if result.error is not None:
                yield TaskErrorEvent(task_id, result.error)
            yield TaskDoneEvent(task_id, result)
        finally:
            work.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await work

    async def execute_sync(
        self, user_request: str, task_id: str = "", session_id: str = "", tenant_id: str = ""
    ) -> ExecutionResult:
        """Run the skill to the end of this segment and return what it came to."""
        progress = Progress(task_id)
        return await self._work(user_request, progress, session_id or task_id, tenant_id)

    # ---- one segment -------------------------------------------------------------------------

    async def _work(
        self, user_request: str, progress: Progress, session_id: str, tenant_id: str
    ) -> ExecutionResult:
        journal = await self._reasoning.journal(self._skill.name)
        if journal.outcome is not None:
            return recorded(journal.outcome, journal)
        async with self._workspace() as workspace:
            context = ToolCallContext(
                tenant_id, progress.task_id, session_id, workspace, self._config.user_id
            )
            ended = await self._limited(user_request, journal, context, progress)
        return await self._record(ended, journal)

    @contextlib.asynccontextmanager
    async def _workspace(self) -> AsyncIterator[Workspace]:
        if self._config.workspace is not None:
            yield self._config.workspace
            return
        with tempfile.TemporaryDirectory(prefix="omniforge-") as folder:
            workspace = Workspace(Path(folder) / "files", MemoryBlobs())
            await workspace.restore({})
            yield workspace

    async def _limited(
        self, user_request: str, journal: Journal, context: ToolCallContext, progress: Progress
    ) -> ExecutionResult:
        """The turns inside their limits: each way out becomes a result that keeps what there is."""
        left = self._config.timeout_s - journal.active_seconds
        try:
            async with asyncio.timeout(max(0.0, left)):
                return await self._turns(user_request, journal, context, progress)
        except TimeoutError:
            message = (
                f"The skill used up its {self._config.timeout_s:g} seconds. Allow it more (timeout_s),"
                " or split it."
            )
            error = ErrorInfo(code="skill_timed_out", message=message)
            return early(Ending.TIMED_OUT, progress, error)
        except PersonNeeded as needed:
            return ExecutionResult(
                Ending.WAITING, waits=needed.waits, iterations=progress.iterations
            )
        except Interrupted as stop:
            return ExecutionResult(
                Ending.INTERRUPTED, interruption=stop.reason, iterations=progress.iterations
            )
        except RecordEnded as record:
            return played(record.outcome, progress)
        except ModelFailed as failed:
            return early(Ending.FAILED, progress, explained(failed.info))
        except BudgetExceeded as error:
            return parked(error, journal, progress)
        except (Ended, GaveUp) as error:
            info = ErrorInfo(code=error.code, message=error.message)
            return early(Ending.FAILED, progress, info)

    async def _turns(
        self, user_request: str, journal: Journal, context: ToolCallContext, progress: Progress
    ) -> ExecutionResult:
        preamble = Preamble.of(
            await journal.preamble(lambda: self._preamble(user_request, context.session_id))
        )
        turns = Turns(preamble, journal, self._reasoning, self._tools, self._policy, progress)
        limit = self._config.max_iterations + journal.spent_turns
        return await turns.take(limit, context)

    async def _record(self, ended: ExecutionResult, journal: Journal) -> ExecutionResult:
        """Put the ending on record, except an interruption: the next segment simply goes on."""
        if ended.ending is not Ending.INTERRUPTED:
            outcome, event = outcome_of(ended, self._skill.name, journal)
            try:
                await journal.finish(outcome, event)
                ended = replace(ended, error=outcome.error)
            except Interrupted as stop:
                ended = ExecutionResult(
                    Ending.INTERRUPTED, interruption=stop.reason, iterations=ended.iterations
                )
        return replace(ended, usage=journal.usage, cost=journal.cost)

    # ---- what it starts from -----------------------------------------------------------------

    async def _preamble(self, user_request: str, session_id: str) -> dict[str, Any]:
        at, mark = clock.now(), secrets.token_hex(8)
        skill_input, arguments = _given(user_request, self._skill)
        occasion = Occasion(session_id, at.date())
        body = await prepared(self._skill, arguments, occasion, self._injector, self._substitutor)
        model = self._config.model or self._reasoning.llm.default_model
        fallbacks = self._config.fallback_models or self._reasoning.fallbacks
        window, max_tokens = self._room_of([model, *fallbacks])
        rules = self._config.rules
        made = Preamble(
            system=self._brief(body, mark).prompt(),
            task=input_block(skill_input),
            model=model,
            max_tokens=max_tokens,
            tools=self._offered(),
            fallbacks=list(fallbacks),
            date=at.isoformat(),
            mark=mark,
            compact_at=compaction_point(window, max_tokens, rules.compact_at),
            max_failures=rules.max_failures,
            output_schema=schema_of(self._skill),
        )
        return made.document()

    def _brief(self, body: str, mark: str) -> Brief:
        can_read, can_load = (
            self._registry.get(name) is not None and self._policy.offers(name)
            for name in (READ_SKILL_FILE, LOAD_SKILL)
        )
        return Brief(
            name=self._skill.name,
            body=body,
            max_iterations=self._config.max_iterations,
            mark=mark,
            files=self._context_loader.listing(self._skill) if can_read else "",
            catalogue=catalogue(self._config.on_demand) if can_load else "",
            output_schema=schema_of(self._skill),
        )

    def _room_of(self, models: list[str]) -> tuple[int, int]:
        """The smallest window of the models, and how long an answer in it may be."""
        first, *others = (self._reasoning.llm.window(model) for model in models)
        known = [window for window in (first, *others) if window is not None]
        longest = min([self._config.max_tokens, *(window // 4 for window in known)])
        return min([first or self._config.rules.context_window, *known]), longest

    def _offered(self) -> list[dict[str, Any]]:
        return [
            {"name": spec.name, "description": spec.description, "parameters": spec.parameters}
            for spec in self._registry.specs
            if self._policy.offers(spec.name)
        ]


def _given(user_request: str, skill: Skill) -> tuple[dict[str, Any], Arguments]:
    """The skill's input, and the same as its placeholders reach it."""
    try:
        parsed = json.loads(user_request)
    except (ValueError, RecursionError):
        parsed = user_request
    if isinstance(parsed, dict):
        return parsed, Arguments.of(parsed)
    return {"request": parsed}, Arguments.of(user_request, skill.arguments)
