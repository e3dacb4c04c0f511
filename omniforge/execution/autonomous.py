"""The ReAct loop of one skill: think, act, observe, until there is an answer or a limit."""

import asyncio
import contextlib
import json
import tempfile
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from omniforge import clock
from omniforge.agents.permissions import PermissionRule
from omniforge.agents.runs import ErrorInfo
from omniforge.errors import AnswerUnusable, BudgetExceeded, Ended, GaveUp
from omniforge.execution.events import (
    Ending,
    ExecutionResult,
    TaskDoneEvent,
    TaskErrorEvent,
    TaskEvent,
    TaskMessageEvent,
    TaskStatusEvent,
)
from omniforge.execution.policy import CallPolicy
from omniforge.execution.prompt import output_of, system_prompt
from omniforge.execution.reasoning import ModelFailed, ReasoningEngine
from omniforge.journal.asking import PersonNeeded
from omniforge.journal.events import EventBody, SkillCompleted, SkillFailed, SkillWaiting
from omniforge.journal.journal import Interrupted, Journal
from omniforge.journal.memory import MemoryBlobs
from omniforge.journal.ports import NodeStatus, Outcome
from omniforge.journal.steps import StepStatus
from omniforge.llm.protocol import Author, Completion, Message, ToolAnswer, ToolSchema, Turn
from omniforge.llm.sections import input_block
from omniforge.skills.allowed_tools import AllowedTools
from omniforge.skills.document import Skill
from omniforge.skills.preprocessing import (
    Arguments,
    ContextLoader,
    DynamicInjector,
    StringSubstitutor,
    standard_variables,
)
from omniforge.tools.executor import Call, ToolExecutor
from omniforge.tools.protocol import ToolCallContext, ToolResult
from omniforge.tools.registry import ToolRegistry
from omniforge.tools.workspace import Workspace

LOOP_VERSION = 1

# The same call with the same answer teaches a model nothing; the third time it is going in circles.
MAX_REPEATS = 3
# A model that cannot keep to a form it was told twice will not learn it in this run.
MAX_MALFORMED = 3


@dataclass(frozen=True, slots=True)
class AutonomousConfig:
    """Limits of one skill. `timeout_s` counts working time over all segments, not time spent waiting."""

    max_iterations: int = 40
    timeout_s: float = 600
    model: str = ""
    max_tokens: int = 8_192
    workspace: Workspace | None = None
    user_id: str = ""
    permissions: tuple[PermissionRule, ...] = ()


@dataclass(slots=True)
class _Progress:
    """Where the loop is, for the one who watches and for a result that comes early."""

    task_id: str
    events: asyncio.Queue[TaskEvent]
    iterations: int = 0
    text: str = ""
    malformed: int = 0
    repeats: Counter[str] = field(default_factory=Counter)

    def say(self, text: str) -> None:
        if text:
            self.events.put_nowait(TaskMessageEvent(self.task_id, self.iterations, text))


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
        progress = _Progress(task_id, events)
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
        progress = _Progress(task_id, asyncio.Queue())
        return await self._work(user_request, progress, session_id or task_id, tenant_id)

    # ---- one segment -------------------------------------------------------------------------

    async def _work(
        self, user_request: str, progress: _Progress, session_id: str, tenant_id: str
    ) -> ExecutionResult:
        journal = await self._reasoning.journal(self._skill.name)
        if journal.outcome is not None:
            return _recorded(journal.outcome, journal)
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
        self, user_request: str, journal: Journal, context: ToolCallContext, progress: _Progress
    ) -> ExecutionResult:
        """The loop inside its limits: each way out of it becomes a result that keeps what there is."""
        left = self._config.timeout_s - journal.active_seconds
        try:
            async with asyncio.timeout(max(0.0, left)):
                return await self._loop(user_request, journal, context, progress)
        except TimeoutError:
            message = f"The skill used up its {self._config.timeout_s:g} seconds."
            return _early(Ending.TIMED_OUT, progress, "skill_timed_out", message)
        except PersonNeeded as needed:
            return ExecutionResult(
                Ending.WAITING, waits=needed.waits, iterations=progress.iterations
            )
        except Interrupted as stop:
            return ExecutionResult(
                Ending.INTERRUPTED, interruption=stop.reason, iterations=progress.iterations
            )
        except ModelFailed as failed:
            return _early(Ending.FAILED, progress, failed.info.code, failed.info.message)
        except (Ended, GaveUp, BudgetExceeded) as error:
            return _early(Ending.FAILED, progress, error.code, error.message)

    async def _loop(
        self, user_request: str, journal: Journal, context: ToolCallContext, progress: _Progress
    ) -> ExecutionResult:
        preamble = await journal.preamble(lambda: self._preamble(user_request, context))
        messages = [Message(Author.USER, text=preamble["task"])]
        while progress.iterations < self._config.max_iterations:
            progress.iterations += 1
            try:
                turn = await self._reasoning.call_llm(_completion(preamble, messages), journal)
            except AnswerUnusable as problem:
                messages += _correction(problem, progress)
                continue
            progress.text = turn.text or progress.text
            progress.say(turn.text)
            if not turn.calls:
                return _final(turn, progress)
            results = await self._act(turn, context, journal, progress)
            messages += _exchange(turn, results)
        message = f"The skill used up its {self._config.max_iterations} turns without an answer."
        return _early(Ending.FAILED, progress, "max_iterations", message)

    async def _act(
        self, turn: Turn, context: ToolCallContext, journal: Journal, progress: _Progress
    ) -> list[ToolResult]:
        calls = [Call(call.name, call.arguments) for call in turn.calls]
        results = await self._tools.execute(calls, context, journal, self._policy)
        for call, result in zip(calls, results, strict=True):
            progress.say(f"{call.name}: {'ok' if result.success else _sentence(result)}")
            if result.error is not None and result.error.code == GaveUp.code:
                raise GaveUp(f"{call.name}: {result.error.message}")
            _refuse_circles(call, result, progress)
        return results

    async def _record(self, ended: ExecutionResult, journal: Journal) -> ExecutionResult:
        """Put the ending on record, except an interruption: the next segment simply goes on."""
        if ended.ending is not Ending.INTERRUPTED:
            outcome, event = _outcome(ended, self._skill.name, journal)
            await journal.finish(outcome, event)
            ended = replace(ended, error=outcome.error)
        return replace(ended, usage=journal.usage, cost=journal.cost)

    # ---- what it starts from -----------------------------------------------------------------

    async def _preamble(self, user_request: str, context: ToolCallContext) -> dict[str, Any]:
        body, skill_input, at = self._skill.body, _as_input(user_request), clock.now()
        if self._injector is not None:
            body = await self._injector.inject(body)
        arguments = Arguments.of(skill_input, self._skill.arguments)
        variables = standard_variables(".", context.session_id, at.date())
        body = self._substitutor.substitute(body, arguments, variables)
        files = self._context_loader.listing(self._skill)
        system = system_prompt(self._skill.name, body, files, self._config.max_iterations)
        return {
            "loop": LOOP_VERSION,
            "date": at.isoformat(),
            "model": self._config.model or self._reasoning.llm.default_model,
            "max_tokens": self._config.max_tokens,
            "system": system,
            "task": input_block(skill_input),
            "tools": self._offered(),
        }

    def _offered(self) -> list[dict[str, Any]]:
        return [
            {"name": spec.name, "description": spec.description, "parameters": spec.parameters}
            for spec in self._registry.specs
            if self._policy.offers(spec.name)
        ]


def _completion(preamble: dict[str, Any], messages: list[Message]) -> Completion:
    return Completion(
        model=preamble["model"],
        system=preamble["system"],
        messages=tuple(messages),
        tools=tuple(ToolSchema(**tool) for tool in preamble["tools"]),
        max_tokens=preamble["max_tokens"],
    )


def _as_input(user_request: str) -> dict[str, Any]:
    try:
        parsed = json.loads(user_request)
    except ValueError:
        return {"request": user_request}
    return parsed if isinstance(parsed, dict) else {"request": parsed}


def _correction(problem: AnswerUnusable, progress: _Progress) -> list[Message]:
    """Hands an unusable answer back to the model with what was wrong with it."""
    progress.malformed += 1
    progress.text = problem.text or progress.text
    if progress.malformed >= MAX_MALFORMED:
        raise ModelFailed(ErrorInfo(code="model_answer_invalid", message=problem.message))
    said = problem.text or "(nothing)"
    progress.say(problem.message)
    return [Message(Author.ASSISTANT, text=said), Message(Author.USER, text=problem.message)]


def _exchange(turn: Turn, results: list[ToolResult]) -> list[Message]:
    answers = tuple(
        ToolAnswer(call.id, _sentence(result), is_error=not result.success)
        for call, result in zip(turn.calls, results, strict=True)
    )
    return [
        Message(Author.ASSISTANT, text=turn.text, calls=turn.calls),
        Message(Author.USER, answers=answers),
    ]


def _sentence(result: ToolResult) -> str:
    if result.error is not None:
        return result.error.message
    if isinstance(result.result, str):
        return result.result
    return json.dumps(result.result, ensure_ascii=False)


def _refuse_circles(call: Call, result: ToolResult, progress: _Progress) -> None:
    key = json.dumps([call.name, dict(call.arguments), _sentence(result)], sort_keys=True)
    progress.repeats[key] += 1
    if progress.repeats[key] >= MAX_REPEATS:
        message = f"{call.name} was called {MAX_REPEATS} times with the same arguments and the same answer."
        raise ModelFailed(ErrorInfo(code="repetition", message=message))


def _final(turn: Turn, progress: _Progress) -> ExecutionResult:
    return ExecutionResult(
        Ending.COMPLETED, output_of(turn.text), turn.text, iterations=progress.iterations
    )


def _early(ending: Ending, progress: _Progress, code: str, message: str) -> ExecutionResult:
    partial = {"partial": progress.text} if progress.text else None
    error = ErrorInfo(code=code, message=message)
    return ExecutionResult(
        ending, partial, progress.text, error=error, iterations=progress.iterations
    )


def _recorded(outcome: Outcome, journal: Journal) -> ExecutionResult:
    """The result of a node that had ended before; nothing of it is done again."""
    ending = Ending(outcome.status) if outcome.status in _ENDINGS else Ending.FAILED
    return ExecutionResult(ending, outcome.output, error=outcome.error, usage=journal.usage)


_ENDINGS = {NodeStatus.COMPLETED, NodeStatus.FAILED, NodeStatus.TIMED_OUT}


def _outcome(
    ended: ExecutionResult, skill_name: str, journal: Journal
) -> tuple[Outcome, EventBody]:
    if ended.ending is Ending.WAITING:
        waiting = SkillWaiting(skill_name=skill_name, waits=ended.waits)
        return Outcome(NodeStatus.WAITING, waits=ended.waits), waiting
    if ended.error is None:
        done = SkillCompleted(skill_name=skill_name, output=ended.output, cost_usd=journal.cost)
        return Outcome(NodeStatus.COMPLETED, ended.output), done
    error = _with_doubts(ended.error, journal)
    failed = SkillFailed(skill_name=skill_name, error=error, output=ended.output)
    return Outcome(NodeStatus(ended.ending), ended.output, error), failed


def _with_doubts(error: ErrorInfo, journal: Journal) -> ErrorInfo:
    """A skill that ends with an effect in the air says so, or nobody would look."""
    doubtful = [
        step.name
        for step in journal.recorded
        if step.status in {StepStatus.SENT, StepStatus.UNKNOWN}
    ]
    if not doubtful:
        return error
    note = f" It is not known whether these calls took effect: {', '.join(doubtful)}."
    return error.model_copy(update={"message": error.message + note})
