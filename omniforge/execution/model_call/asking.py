"""One step's way to an answer: the first model, again and again, and then the next one."""

import asyncio
import random
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, replace
from decimal import Decimal
from typing import Any

from omniforge.agents.runs import ErrorInfo, TokenUsage
from omniforge.errors import (
    AnswerUnusable,
    Fenced,
    ModelAuthFailed,
    ModelOverloaded,
    ModelRateLimited,
    ModelUnknown,
    ModelUnreachable,
    OmniForgeError,
)
from omniforge.execution.model_call.checks import MAX_SAID, checked
from omniforge.execution.model_call.live_text import LiveText
from omniforge.journal.events import PassedOver
from omniforge.journal.steps import Performed
from omniforge.llm.failures import spent
from omniforge.llm.protocol import LLM, Completion, Turn

# Providers recover from overload within seconds to a minute; a longer wait belongs to the run's retry.
MODEL_TRIES = 5
LONGEST_PAUSE = 30.0

_PASSING = (ModelRateLimited, ModelOverloaded, ModelUnreachable)
# Another model may be had. A refusal, or a request that is wrong, would be the same there.
_NOT_TO_BE_HAD = (*_PASSING, ModelAuthFailed, ModelUnknown)


@dataclass(frozen=True, slots=True)
class _Failure:
    """A try that came to nothing. It may have been billed all the same."""

    model: str
    error: OmniForgeError


class Asking:
    """Asks until there is an answer or nobody left to ask. All that it cost goes on record."""

    def __init__(
        self,
        llm: LLM,
        completion: Completion,
        live: LiveText | None = None,
        is_end: Callable[[Turn], bool] = lambda turn: False,
    ) -> None:
        """`is_end` says of a turn whether nothing comes after it but the end of its node."""
        self._llm, self._completion, self._live = llm, completion, live
        self._is_end = is_end
        self._failures: list[_Failure] = []

    async def first_answer(self, models: Iterable[str], worst_case: Decimal) -> Performed:
        """What the step came to, whoever answered. `worst_case` is what one call may cost.

        Raises:
            Fenced: A successor has taken over.
        """
        error: OmniForgeError = ModelUnknown("There is no model to ask.")
        for model in models:
            asked = replace(self._completion, model=model)
            try:
                return self._answered(await self._complete(asked), asked)
            except AnswerUnusable as problem:
                return self._unusable(problem, asked)
            except _NOT_TO_BE_HAD as failed:
                error = failed
            except Fenced:
                raise
            except OmniForgeError as failed:
                error = failed
                break
        return self._failed(error, worst_case)

    async def _complete(self, asked: Completion) -> Turn:
        for attempt in range(1, MODEL_TRIES + 1):
            try:
                told = self._live.add if self._live else None
                return checked(await self._llm.complete(asked, told))
            except Fenced:
                raise
            except OmniForgeError as error:
                self._failures.append(_Failure(asked.model, error))
                if self._live is not None:
                    await self._live.drop()
                if attempt == MODEL_TRIES or not isinstance(error, _PASSING):
                    raise
                await asyncio.sleep(_pause(error, attempt))
        raise AssertionError("the loop returns or raises")

    def _answered(self, turn: Turn, asked: Completion) -> Performed:
        answer: dict[str, Any] = {
            "text": turn.text,
            "calls": [asdict(call) for call in turn.calls],
            "stop": turn.stop,
            **self._way_to(asked.model),
        }
        if turn.native is not None:
            answer["native"] = asdict(turn.native)
        if turn.left_out:
            answer["left_out"] = turn.left_out
        return Performed(
            answer=answer,
            usage=self._usage + turn.usage,
            cost=self._cost + self._price(turn.model, asked.model, turn.usage),
            model=turn.model,
            is_last=self._is_end(turn),
        )

    def _unusable(self, problem: AnswerUnusable, asked: Completion) -> Performed:
        return Performed(
            answer={
                "text": problem.text[:MAX_SAID],
                "try_again": problem.message[:MAX_SAID],
                **self._way_to(asked.model),
            },
            usage=self._usage,
            cost=self._cost,
            model=_answering(problem),
        )

    def _failed(self, error: OmniForgeError, worst_case: Decimal) -> Performed:
        cost = self._cost
        if isinstance(error, ModelUnreachable):
            # A line cut in mid-answer is billed for what was sent; nobody tells us how much.
            cost = max(cost, worst_case)
        message = error.message
        if before := self._passed_over(self._failures[-1].model if self._failures else ""):
            told = " ".join(f"{one['model']}: {one['error']['message']}" for one in before)
            message = f"{message} Before that, {told}"
        info = ErrorInfo(code=error.code, message=message)
        return Performed(error=info, usage=self._usage, cost=cost)

    def _way_to(self, model: str) -> dict[str, Any]:
        """The model by the name it was asked under, and those passed over for it."""
        passed_over = self._passed_over(model)
        return {"asked": model} | ({"passed_over": passed_over} if passed_over else {})

    def _passed_over(self, last: str) -> list[dict[str, Any]]:
        """The models before the last one, with what each failed of in the end."""
        errors = {failure.model: failure.error for failure in self._failures}
        return [
            PassedOver(
                model=model, error=ErrorInfo(code=error.code, message=error.message)
            ).model_dump()
            for model, error in errors.items()
            if model != last
        ]

    @property
    def _usage(self) -> TokenUsage:
        return sum((spent(failure.error) for failure in self._failures), TokenUsage())

    @property
    def _cost(self) -> Decimal:
        return sum(
            (
                self._price(_answering(failure.error), failure.model, spent(failure.error))
                for failure in self._failures
            ),
            Decimal(0),
        )

    def _price(self, answered: str, asked: str, usage: TokenUsage) -> Decimal:
        """By the model that answered; a name the price list lacks costs what was asked for."""
        price = self._llm.price(answered, usage) if answered else None
        return (self._llm.price(asked, usage) if price is None else price) or Decimal(0)


def _answering(error: OmniForgeError) -> str:
    return str(error.details.get("model", ""))


def _pause(error: OmniForgeError, attempt: int) -> float:
    """As long as the provider asks for, else doubling from half a second; never in step with others."""
    wished = getattr(error, "retry_after", None)
    base = float(wished) if wished else 0.5 * 2 ** (attempt - 1)
    return min(LONGEST_PAUSE, base * random.uniform(1.0, 1.25))  # noqa: S311 - spreads load, hides nothing
