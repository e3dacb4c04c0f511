"""Model, journal and budget behind one call: the only way an executor reaches a model."""

from collections.abc import Callable, Sequence
from decimal import Decimal
from functools import partial
from typing import Any

from omniforge.agents.runs import ErrorInfo
from omniforge.errors import AnswerUnusable, Ended, PriceUnknown
from omniforge.execution.model_call.asking import Asking
from omniforge.execution.model_call.live_text import LiveText
from omniforge.journal.events import CallSummary, EventBody, ModelAnswered
from omniforge.journal.journal import Journal
from omniforge.journal.memory import MemoryJournalStore
from omniforge.journal.steps import (
    NodeKey,
    Performed,
    Request,
    Sending,
    Step,
    StepKind,
    StepStatus,
)
from omniforge.llm.offline import OfflineLLM
from omniforge.llm.pricing import worst_case
from omniforge.llm.protocol import LLM, Completion, Native, StopReason, ToolCall, Turn
from omniforge.llm.react import ReActLLM
from omniforge.llm.tokens import estimate_tokens


class ModelFailed(Ended):
    """A model call failed for good. The failure is on record and stays the answer of its step."""

    def __init__(self, info: ErrorInfo) -> None:
        super().__init__(info.message)
        self.info = info


def is_whole_answer(turn: Turn) -> bool:
    return not turn.calls and turn.stop is not StopReason.MAX_TOKENS


class ReasoningEngine:
    """Asks the model, through the journal and under the budget.

    It alone retries model calls: providers make exactly one request each. Without arguments it works
    in memory with the offline model.
    """

    def __init__(
        self,
        llm: LLM | None = None,
        journal: Journal | None = None,
        *,
        has_cap: bool = False,
        fallbacks: Sequence[str] = (),
    ) -> None:
        chosen = llm or OfflineLLM()
        self.llm: LLM = chosen if chosen.has_native_tools else ReActLLM(chosen)
        self.fallbacks = tuple(fallbacks)
        self._journal = journal
        self._has_cap = has_cap
        self._answered_last = ""
        self._turns = 0

    async def journal(self, skill_name: str) -> Journal:
        """The journal of this node; one in memory when none was given."""
        if self._journal is None:
            key = NodeKey("memory", skill_name)
            self._journal = await Journal.open(MemoryJournalStore(), key, skill_name)
        return self._journal

    async def call_llm(
        self,
        completion: Completion,
        journal: Journal,
        fallbacks: Sequence[str] = (),
        is_end: Callable[[Turn], bool] = is_whole_answer,
    ) -> Turn:
        """The model's next turn, from the record or from the model.

        One that cannot be had is passed over for the next of `fallbacks`. The model that answered
        last is asked first. Where `is_end` holds, the turn goes on record with the node's end.

        Raises:
            AnswerUnusable: The answer was not of a form we can use; the sentence is for the model.
            ModelFailed: No model can be had, or one refused.
            PriceUnknown: There is a cap, and nobody knows what one of the models costs.
            BudgetExceeded: The worst case of this call does not fit under the cap.
        """
        models, reserve = self.offer(completion, fallbacks)
        self._turns += 1
        tell = partial(_told, self._turns)
        (slot,) = journal.take([Request(StepKind.MODEL, "model", reserve=reserve, tell=tell)])

        async def perform(_: Sending) -> Performed:
            async with LiveText(journal, slot.number) as live:
                asking = Asking(self.llm, completion, live, is_end)
                return await asking.first_answer(models, reserve)

        step = await journal.run(slot, perform)
        self._answered_last = (step.answer or {}).get("asked", "")
        return _turn_of(step)

    def offer(
        self, completion: Completion, fallbacks: Sequence[str] = ()
    ) -> tuple[list[str], Decimal]:
        """Whom to ask, in their order, and the most that one call can cost.

        Raises:
            PriceUnknown: There is a cap, and nobody knows what one of the models costs.
        """
        models = [completion.model, *fallbacks]
        reserve = self._worst_case(completion, models)
        if self._answered_last in models:
            models.insert(0, self._answered_last)
        return list(dict.fromkeys(models)), reserve

    def _worst_case(self, completion: Completion, models: Sequence[str]) -> Decimal:
        """The most this call can cost: the dearest model, all of the prompt anew, the longest answer."""
        prices = {model: partial(self.llm.price, model) for model in models}
        least = {model: worst_case(price, 1, 1) for model, price in prices.items()}
        for model, dollars in least.items():
            if dollars is None and self._has_cap:
                raise PriceUnknown(model)
        if not any(least.values()):
            return Decimal(0)  # free or unknown: nothing to estimate for
        tokens = estimate_tokens(completion)
        costs = (worst_case(price, tokens, completion.max_tokens) for price in prices.values())
        return max(cost or Decimal(0) for cost in costs)


def _told(turn: int, step: Step, seconds: float) -> EventBody:
    answer: dict[str, Any] = step.answer or {}
    return ModelAnswered(
        step=step.number,
        turn=turn,
        model=step.model or "",
        text=answer.get("text", ""),
        calls=_summaries(answer.get("calls", ()), step.number + 1),
        error=step.error,
        passed_over=answer.get("passed_over", ()),
        usage=step.usage,
        cost_usd=step.cost,
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
    turn = Turn(
        text=answer["text"],
        calls=tuple(ToolCall(**call) for call in answer["calls"]),
        stop=StopReason(answer["stop"]),
        usage=step.usage,
        model=step.model or "",
        native=Native(**answer["native"]) if "native" in answer else None,
        left_out=answer.get("left_out", 0),
    )
    if not turn.calls and not is_whole_answer(turn):
        raise AnswerUnusable(
            "Your answer was too long and was cut off. Give a shorter one.", turn.text
        )
    return turn
