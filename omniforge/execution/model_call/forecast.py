"""What one pass through a skill can cost, before any call of it is made."""

from collections.abc import Callable, Sequence
from decimal import Decimal
from functools import cached_property, partial

from omniforge.agents.config import AgentLimits, SkillReference
from omniforge.agents.estimates import Costs, SkillForecast
from omniforge.agents.runs import TokenUsage
from omniforge.llm.pricing import worst_case
from omniforge.llm.protocol import LLM
from omniforge.skills.document import Skill

# No tokenizer of 2026 puts more bytes of a text that means something into a token.
_MOST_BYTES_PER_TOKEN = 6
# English prose has about four.
_USUAL_BYTES_PER_TOKEN = 4
# A skill that looks, acts, checks and answers. The instructions and the built-in tools have 15,000
# characters; a call and its observation are mostly shorter than a page.
_USUAL_CALLS = 4
_USUAL_FRAME = 4_000
_USUAL_GROWTH = 1_000
_USUAL_ANSWER = 300
# What an executor allows one answer.
LONGEST_ANSWER = 8_192
# Notes that make room may go before each turn.
_CALLS_PER_TURN = 2


class Forecaster:
    """Knows models and prices. It makes no call.

    `make_llm` is called with the first forecast; until then nothing is loaded.
    """

    def __init__(
        self, make_llm: Callable[[], LLM], fallbacks: Sequence[str], context_window: int
    ) -> None:
        self._make, self._fallbacks, self._window = make_llm, tuple(fallbacks), context_window

    @cached_property
    def _llm(self) -> LLM:
        return self._make()

    def of(self, skill: Skill, reference: SkillReference, limits: AgentLimits) -> SkillForecast:
        """What a skill costs, and nothing of that when the price of one of its models is not known."""
        first = reference.model or skill.model or self._llm.default_model
        models = tuple(dict.fromkeys((first, *(reference.fallback_models or self._fallbacks))))
        turns = limits.max_iterations
        calls = turns * _CALLS_PER_TURN
        if unpriced := [model for model in models if self._price(model)(_ONE) is None]:
            return SkillForecast(reference.id, models, None, calls, unpriced[0])
        return SkillForecast(reference.id, models, self._costs(skill, models, turns), calls)

    def _costs(self, skill: Skill, models: Sequence[str], turns: int) -> Costs:
        size = len(skill.body.encode("utf-8", "surrogatepass"))
        calls = min(_USUAL_CALLS, turns)
        text = size // _USUAL_BYTES_PER_TOKEN + _USUAL_FRAME
        usual = TokenUsage(
            input_tokens=sum(text + turn * _USUAL_GROWTH for turn in range(calls)),
            output_tokens=calls * _USUAL_ANSWER,
        )
        return Costs(
            least=min(self._least(model, size // _MOST_BYTES_PER_TOKEN) for model in models),
            expected=self._price(models[0])(usual) or Decimal(0),
            most=turns * _CALLS_PER_TURN * max(map(self._dearest_call, models)),
        )

    def _least(self, model: str, tokens: int) -> Decimal:
        ways = (
            TokenUsage(input_tokens=tokens, output_tokens=1),
            TokenUsage(cache_read_tokens=tokens, output_tokens=1),
        )
        return min(self._price(model)(way) or Decimal(0) for way in ways)

    def _dearest_call(self, model: str) -> Decimal:
        """All of the window as its prompt, and the longest answer."""
        window = self._llm.window(model) or self._window
        longest = min(LONGEST_ANSWER, window // 4)
        return worst_case(self._price(model), window, longest) or Decimal(0)

    def _price(self, model: str) -> Callable[[TokenUsage], Decimal | None]:
        return partial(self._llm.price, model)


_ONE = TokenUsage(input_tokens=1, output_tokens=1)
