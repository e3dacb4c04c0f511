"""Model, journal and budget behind one call: the only way an executor reaches a model."""

import asyncio
import random
from collections.abc import Sequence
from dataclasses import asdict
from decimal import Decimal
from functools import partial
from typing import Any

from omniforge.agents.runs import ErrorInfo, TokenUsage
from omniforge.errors import (
    AnswerUnusable,
    Ended,
    ModelOverloaded,
    ModelRateLimited,
    ModelUnreachable,
    OmniForgeError,
    PriceUnknown,
)
from omniforge.journal.events import CallSummary, EventBody, ModelAnswered
from omniforge.journal.journal import Journal
from omniforge.journal.memory import MemoryJournalStore
from omniforge.journal.steps import (
    NodeKey,
    Performed,
    Request,
    Sending,
    Slot,
    Step,
    StepKind,
    StepStatus,
)
from omniforge.llm.failures import spent
from omniforge.llm.offline import OfflineLLM
from omniforge.llm.pricing import worst_case
from omniforge.llm.protocol import LLM, Completion, StopReason, ToolCall, Turn
from omniforge.llm.react import ReActLLM
from omniforge.llm.tokens import estimate_tokens

# Providers recover from overload within seconds to a minute; a longer wait belongs to the run's retry.
MODEL_TRIES = 5
LONGEST_PAUSE = 30.0

_PASSING = (ModelRateLimited, ModelOverloaded, ModelUnreachable)


class ModelFailed(Ended):
    """A model call failed for good. The failure is on record and stays the answer of its step."""

    def __init__(self, info: ErrorInfo) -> None:
        super().__init__(info.message)
        self.info = info


class ReasoningEngine:
    """Asks the model, through the journal and under the budget.

    It alone retries model calls: providers make exactly one request each. Without arguments it works
    in memory with the offline model.
    """

    def __init__(
        self, llm: LLM | None = None, journal: Journal | None = None, *, has_cap: bool = False
    ) -> None:
        chosen = llm or OfflineLLM()
        self.llm: LLM = chosen if chosen.has_native_tools else ReActLLM(chosen)
        self._journal = journal
        self._has_cap = has_cap

    async def journal(self, skill_name: str) -> Journal:
        """The journal of this node; one in memory when none was given."""
        if self._journal is None:
            key = NodeKey("memory", skill_name)
            self._journal = await Journal.open(MemoryJournalStore(), key, skill_name)
        return self._journal

    async def call_llm(self, completion: Completion, journal: Journal) -> Turn:
        """The model's next turn, from the record or from the model.

        Raises:
            AnswerUnusable: The answer was not of a form we can use; the sentence is for the model.
            ModelFailed: The model cannot be had, or refused.
            PriceUnknown: There is a cap, and nobody knows what this model costs.
            BudgetExceeded: The worst case of this call does not fit under the cap.
        """
        request = Request(StepKind.MODEL, "model", reserve=self._worst_case(completion), tell=_told)
        (slot,) = journal.take([request])

        async def perform(_: Sending) -> Performed:
            return await self._ask(completion, slot)

        return _turn_of(await journal.run(slot, perform))

    def _worst_case(self, completion: Completion) -> Decimal:
        """The most this call can cost: all of the prompt anew, and the longest answer."""
        price = partial(self.llm.price, completion.model)
        least = worst_case(price, 1, 1)
        if least is None and self._has_cap:
            raise PriceUnknown(completion.model)
        if not least:
            return Decimal(0)  # free or unknown: nothing to estimate for
        return worst_case(price, estimate_tokens(completion), completion.max_tokens) or least

    async def _ask(self, completion: Completion, slot: Slot) -> Performed:
        try:
            turn = await self._complete(completion)
        except AnswerUnusable as problem:
            return self._unusable(problem, completion)
        except OmniForgeError as error:
            return self._failed(error, completion, slot)
        return Performed(
            answer={
                "text": turn.text,
                "calls": [asdict(call) for call in turn.calls],
                "stop": turn.stop,
            },
            usage=turn.usage,
            cost=self._cost(turn.model, completion, turn.usage),
            model=turn.model,
            is_last=not turn.calls and turn.stop is not StopReason.MAX_TOKENS,
        )

    def _failed(self, error: OmniForgeError, completion: Completion, slot: Slot) -> Performed:
        usage = spent(error)
        cost = self._cost("", completion, usage)
        if isinstance(error, ModelUnreachable):
            # A line cut in mid-answer is billed for what was sent; nobody tells us how much.
            cost = max(cost, slot.request.reserve)
        info = ErrorInfo(code=error.code, message=error.message)
        return Performed(error=info, usage=usage, cost=cost)

    def _unusable(self, problem: AnswerUnusable, completion: Completion) -> Performed:
        usage, model = spent(problem), str(problem.details.get("model", ""))
        return Performed(
            answer={"text": problem.text, "try_again": problem.message},
            usage=usage,
            cost=self._cost(model, completion, usage),
            model=model,
        )

    def _cost(self, answered: str, completion: Completion, usage: TokenUsage) -> Decimal:
        """By the model that answered; a name the price list lacks costs what was asked for."""
        price = self.llm.price(answered, usage)
        return (self.llm.price(completion.model, usage) if price is None else price) or Decimal(0)

    async def _complete(self, completion: Completion) -> Turn:
        for attempt in range(1, MODEL_TRIES + 1):
            try:
                return await self.llm.complete(completion)
            except _PASSING as error:
                if attempt == MODEL_TRIES:
                    raise
                await asyncio.sleep(_pause(error, attempt))
        raise AssertionError("the loop returns or raises")


def _pause(error: OmniForgeError, attempt: int) -> float:
    """As long as the provider asks for, else doubling from half a second; never in step with others."""
    wished = getattr(error, "retry_after", None)
    base = float(wished) if wished else 0.5 * 2 ** (attempt - 1)
    return min(LONGEST_PAUSE, base * random.uniform(1.0, 1.25))  # noqa: S311 - spreads load, hides nothing


def _told(number: int, performed: Performed, seconds: float) -> EventBody:
    answer: dict[str, Any] = performed.answer or {}
    return ModelAnswered(
        step=number,
        model=performed.model or "",
        text=answer.get("text", ""),
        calls=_summaries(answer.get("calls", ()), number + 1),
        error=performed.error,
        usage=performed.usage,
        cost_usd=performed.cost,
        duration_ms=round(seconds * 1000),
    )


def _summaries(calls: Sequence[dict[str, Any]], first: int) -> tuple[CallSummary, ...]:
    """The calls with the step numbers they are about to get: those that follow the model's own."""
    return tuple(
        CallSummary(step=first + index, tool=call["name"], arguments=call["arguments"])
        for index, call in enumerate(calls)
    )


def _turn_of(step: Step) -> Turn:
    if step.status is StepStatus.FAILED and step.error is not None:
        raise ModelFailed(step.error)
    answer: dict[str, Any] = step.answer
    if "try_again" in answer:
        raise AnswerUnusable(answer["try_again"], answer["text"])
    calls, stop = tuple(ToolCall(**call) for call in answer["calls"]), StopReason(answer["stop"])
    if stop is StopReason.MAX_TOKENS and not calls:
        raise AnswerUnusable(
            "Your answer was too long and was cut off. Give a shorter one.", answer["text"]
        )
    return Turn(
        text=answer["text"],
        calls=calls,
        stop=stop,
        usage=step.usage,
        model=step.model or "",
    )
