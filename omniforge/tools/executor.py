"""The gateway: every tool call passes here, on its way to the journal and the tool."""

import asyncio
import json
import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol, cast

from omniforge.agents.permissions import Action
from omniforge.agents.runs import ErrorInfo, TokenUsage
from omniforge.errors import (
    CallRefused,
    ConnectionBroken,
    Observation,
    OmniForgeError,
    OutcomeUnknown,
    TryAgain,
)
from omniforge.journal.asking import PersonNeeded
from omniforge.journal.events import Edit, EventBody, NeededConnection, ToolAnswered, Wait
from omniforge.journal.journal import Journal
from omniforge.journal.steps import (
    Effect,
    EffectClass,
    Json,
    Perform,
    Performed,
    Question,
    Request,
    Sending,
    Slot,
    Step,
    StepKind,
    StepStatus,
    is_nested_too_deep,
)
from omniforge.tools.protocol import (
    Casting,
    Findable,
    StandIn,
    Tool,
    ToolCallContext,
    ToolResult,
    WithFiles,
)
from omniforge.tools.registry import ToolRegistry

log = logging.getLogger(__name__)

# About 15,000 tokens: room for a page of data, too little to drown the conversation.
MAX_RESULT_CHARS = 50_000
SUMMARY_CHARS = 240
MAX_NAME = 64


@dataclass(frozen=True, slots=True)
class Ruling:
    """Whether a call may be made; `reason` is what the model is told of a denial, of kind `refusal`."""

    action: Action
    reason: str = ""
    refusal: type[CallRefused] = CallRefused


class Policy(Protocol):
    """Which calls a skill may make."""

    def ruling(
        self, tool: str, arguments: Mapping[str, Any], schema: Mapping[str, Any]
    ) -> Ruling: ...


@dataclass(frozen=True, slots=True)
class Call:
    """What a model asks for; `said` is what it says with it."""

    name: str
    arguments: Mapping[str, Any]
    said: str = ""


class ToolExecutor:
    """Checks a call (known? allowed? well-formed?), runs it within its limits and records its answer.

    The calls of one turn run side by side; those that write the workspace go one after another.
    """

    def __init__(self, registry: ToolRegistry, casting: Casting | None = None) -> None:
        """With a casting it is a rehearsal: no call with an effect reaches its tool."""
        self.registry, self._casting = registry, casting

    async def execute(
        self, calls: Sequence[Call], context: ToolCallContext, journal: Journal, policy: Policy
    ) -> list[ToolResult]:
        """The answers to the calls of one turn, in their order.

        Raises:
            PersonNeeded: People must allow, answer or settle some; all other calls are on record.
        """
        planned = [self._plan(call, context, policy) for call in calls]
        slots = journal.take([request for request, _ in planned])
        works = []
        for call, slot, (_, perform) in zip(calls, slots, planned, strict=True):
            edit = journal.edit_of(slot)
            edited = edit and self._edited(slot, edit, call, context, policy)
            works.append(edited or (slot, perform))
        outcomes = await asyncio.gather(
            *(journal.run(slot, perform) for slot, perform in works), return_exceptions=True
        )
        return [_result(step) for step in _all_settled(outcomes)]

    def _edited(
        self, slot: Slot, edit: Edit, call: Call, context: ToolCallContext, policy: Policy
    ) -> tuple[Slot, Perform]:
        """The same step, done with what a person made of its arguments. The leave for it is given."""
        planned, perform = self._plan(replace(call, arguments=edit.arguments), context, policy)
        leave = [one for one in slot.request.questions if one.kind == "approval"]
        others = [one for one in planned.questions if one.kind != "approval"]
        request = replace(
            slot.request, effect=planned.effect, questions=(*leave, *others), edit=edit
        )
        return replace(slot, request=request), perform

    def _plan(
        self, call: Call, context: ToolCallContext, policy: Policy
    ) -> tuple[Request, Perform]:
        tool = self.registry.get(call.name)
        if tool is None:
            name = _plain(call.name)
            known = ", ".join(self.registry.names)
            request = Request(StepKind.TOOL, name, dict(call.arguments), tell=_told)
            return request, _refusing(CallRefused(f"There is no tool {name!r}. Known: {known}."))
        request = Request(StepKind.TOOL, call.name, dict(call.arguments), tell=_told)
        ruling = policy.ruling(call.name, call.arguments, tool.spec.parameters)
        if (refusal := self._refusal(call, ruling)) is not None:
            return request, _refusing(refusal)
        effect, questions = _effect(tool, call, context), tuple(_questions(tool, call, ruling))
        if self._casting is not None:
            is_harmless = effect is None and not questions
            chosen = self._casting.stand_in(tool, call.arguments, is_harmless=is_harmless)
            if chosen is not None:
                held = replace(request, effect=effect, is_held=True)
                return held, _rehearsing(chosen, self._running(chosen, call, context, None))
        request = replace(request, effect=effect, questions=questions)
        return request, self._running(tool, call, context, effect)

    def _refusal(self, call: Call, ruling: Ruling) -> Observation | None:
        if ruling.action is Action.DENY:
            return ruling.refusal(ruling.reason)
        try:
            self.registry.schema_of(call.name).check(call.arguments)
        except TryAgain as problem:
            return CallRefused(problem.message)
        except Observation as problem:
            return problem
        return None

    def _running(
        self, tool: Tool, call: Call, context: ToolCallContext, effect: Effect | None
    ) -> Perform:
        async def perform(sending: Sending) -> Performed:
            mine = replace(context, effect_id=sending.effect_id)
            try:
                if tool.spec.writes_workspace:
                    return await self._write(tool, call, mine)
                return await _run(tool, call, mine)
            except ConnectionBroken as broken:
                raise PersonNeeded((_reconnection(broken, sending.effect_id, call),)) from broken
            except OutcomeUnknown as unknown:
                if effect is not None:
                    raise
                return _failed(unknown)
            except Observation as observation:
                return _failed(observation)
            except OmniForgeError:
                raise  # our own store or disk: the segment is retried, the model cannot mend it
            except Exception as error:
                log.exception("tool_crashed", extra={"tool": call.name})
                if effect is not None:
                    raise OutcomeUnknown(f"{call.name} crashed: {type(error).__name__}") from error
                return _failed(
                    TryAgain(f"{call.name} crashed ({type(error).__name__}). Try another way.")
                )

        return perform

    async def _write(self, tool: Tool, call: Call, context: ToolCallContext) -> Performed:
        async with context.workspace.writing:
            before = context.workspace.manifest
            try:
                performed = await _run(tool, call, context)
                return replace(performed, workspace=await context.workspace.snapshot())
            except Exception as error:
                if isinstance(error, Observation) or not isinstance(error, OmniForgeError):
                    await context.workspace.restore(before)  # a failed write leaves nothing behind
                raise


def _class_of(tool: Tool, call: Call) -> EffectClass:
    """A class that is none, or that a tool cannot say, is the one with which nothing goes wrong."""
    try:
        return EffectClass(tool.effect_of(call.arguments))
    except Exception:
        log.exception("tool_without_class", extra={"tool": call.name})
        return EffectClass.ASK


def _effect(tool: Tool, call: Call, context: ToolCallContext) -> Effect | None:
    kind = _class_of(tool, call)
    if kind is EffectClass.READ:
        return None

    async def find(effect_id: str) -> Performed | None:
        mine = replace(context, effect_id=effect_id)
        try:
            answer = await cast(Findable, tool).find(effect_id, call.arguments, mine)
            return None if answer is None else _answered(answer)
        except ConnectionBroken as broken:
            raise PersonNeeded((_reconnection(broken, effect_id, call),)) from broken
        except Observation as observation:
            raise OutcomeUnknown(observation.message) from observation
        except OmniForgeError:
            raise
        except Exception as error:
            log.exception("lookup_crashed", extra={"tool": call.name})
            raise OutcomeUnknown(f"The lookup crashed: {type(error).__name__}") from error

    spec = tool.spec
    return Effect(
        kind,
        spec.timeout,
        spec.key_lifetime,
        spec.visible_after,
        find if kind is EffectClass.FINDABLE else None,
    )


def _reconnection(broken: ConnectionBroken, effect_id: str, call: Call) -> Wait:
    """What a call waits for whose account nobody lets in. Nothing of the call was done."""
    known = broken.connection_id
    way = f"reconnect {known}" if known else f"connect {broken.integration_id}"
    return Wait(
        kind="connection",
        id=f"connection-{effect_id}",
        tool=call.name,
        question=f"{broken.message} To go on: omniforge connections {way}",
        connection=NeededConnection(
            connection_id=known,
            version=broken.version,
            user_id=broken.user_id,
            integration_id=broken.integration_id,
        ),
    )


def _plain(name: str) -> str:
    """What a model made up for a tool's name, in a form that every store and screen takes."""
    return "".join(char if char.isprintable() else "?" for char in name[:MAX_NAME])


async def _run(tool: Tool, call: Call, context: ToolCallContext) -> Performed:
    limit = tool.spec.timeout.total_seconds()
    try:
        async with asyncio.timeout(limit):
            return _answered(await tool.run(call.arguments, context))
    except TimeoutError:
        raise OutcomeUnknown(f"{call.name} gave no answer within {limit:g} seconds.") from None


def _answered(answer: Json) -> Performed:
    workspace = None
    if isinstance(answer, WithFiles):
        answer, workspace = answer.answer, answer.workspace
    return Performed(answer=_capped(answer), usage=TokenUsage(tool_calls=1), workspace=workspace)


def _failed(observation: Observation) -> Performed:
    error = ErrorInfo(code=observation.code, message=observation.message[:MAX_RESULT_CHARS])
    return Performed(error=error, usage=TokenUsage(tool_calls=1))


def _refusing(refusal: Observation) -> Perform:
    async def perform(_: Sending) -> Performed:
        return replace(_failed(refusal), usage=TokenUsage())

    return perform


def _capped(answer: Json) -> Json:
    """The answer, or its beginning when it is too long. What is recorded is what the model sees."""
    text = answer if isinstance(answer, str) else json.dumps(answer, ensure_ascii=False)
    if len(text) <= MAX_RESULT_CHARS:
        return text if is_nested_too_deep(answer) else answer
    note = f"[cut: the first {MAX_RESULT_CHARS} of {len(text)} characters; ask for less]"
    return f"{text[:MAX_RESULT_CHARS]}\n{note}"


def _questions(tool: Tool, call: Call, ruling: Ruling) -> Iterator[Question]:
    """What has to come before this call: leave to make it, a person's answer, another run's end."""
    if ruling.action is Action.ASK:
        yield Question("approval", f"May {call.name} be called?", call.said)
    match tool.spec.waits_for:
        case "input":
            yield Question("input", str(call.arguments.get("question", "")), call.said)
        case "child":
            yield Question("child", f"Run {call.arguments.get('agent', '')}")


def _rehearsing(chosen: StandIn, perform: Perform) -> Perform:
    """Nothing was called, so nothing is counted as a call."""

    async def rehearse(sending: Sending) -> Performed:
        return replace(await perform(sending), origin=chosen.origin, usage=TokenUsage())

    return rehearse


def _told(step: Step, seconds: float) -> EventBody:
    """The event that people see of a call."""
    return ToolAnswered(
        step=step.number,
        tool=step.name,
        success=step.error is None,
        error_code=step.error.code if step.error else None,
        summary=_summary(step),
        effect=step.effect_class,
        edit=step.edit,
        origin=step.origin,
        duration_ms=round(seconds * 1000),
    )


def _summary(step: Step) -> str:
    answer = step.error.message if step.error else step.answer
    text = answer if isinstance(answer, str) else json.dumps(answer, ensure_ascii=False)
    return text if len(text) <= SUMMARY_CHARS else text[: SUMMARY_CHARS - 1] + "…"


def _result(step: Step) -> ToolResult:
    return ToolResult(step.status is StepStatus.CONFIRMED, step.answer, step.error, step.edit)


def _all_settled(outcomes: Sequence[Step | BaseException]) -> list[Step]:
    """The steps, or the error that matters most: people are asked only when nothing else is wrong."""
    errors = [outcome for outcome in outcomes if isinstance(outcome, BaseException)]
    for error in errors:
        if not isinstance(error, PersonNeeded):
            raise error
    if errors:
        raise PersonNeeded(
            tuple(
                wait for error in errors if isinstance(error, PersonNeeded) for wait in error.waits
            )
        )
    return [outcome for outcome in outcomes if isinstance(outcome, Step)]
