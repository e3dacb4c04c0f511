"""What a model call costs: public prices by date, tier and cache, and a company's own on top."""

from collections.abc import Callable
from datetime import datetime
from decimal import ROUND_CEILING, Context, Decimal
from pathlib import Path
from typing import Any

from omniforge.agents.runs import TokenUsage
from omniforge.llm.price_file import PriceFile

BILLIONTH = Decimal("0.000000001")
# Room for any sum of money times any count of tokens; the default of 28 digits has an edge.
_MONEY = Context(prec=60, rounding=ROUND_CEILING)


class Pricing:
    """Prices in dollars, exact, rounded up to a billionth. None is "not known", never "free".

    The public prices come with the package and are never fetched. `overrides` is a `PriceFile`.

    Raises:
        PricesInvalid: The override file is missing or wrong.
    """

    def __init__(self, overrides: Path | None = None) -> None:
        self._own = PriceFile(overrides) if overrides else None

    def cost(self, provider: str, model: str, usage: TokenUsage, at: datetime) -> Decimal | None:
        """What this usage costs at the prices of that moment.

        `provider` is a name that the public list knows, or the address of the server; at an address
        that it does not know, only a company's own prices count.
        """
        if provider == "offline":
            return Decimal(0)
        own = self._own.at(model, at) if self._own else None
        exact = own.cost(usage) if own else _public_cost(provider, model, usage, at)
        return None if exact is None else exact.quantize(BILLIONTH, context=_MONEY)

    def window(self, provider: str, model: str, at: datetime) -> int | None:
        """How many tokens a model takes; `provider` as for its cost."""
        own = self._own.at(model, at) if self._own else None
        return own.window if own and own.window else _public_window(provider, model)


def worst_case(
    price: Callable[[TokenUsage], Decimal | None], input_tokens: int, max_tokens: int
) -> Decimal | None:
    """The most that a call can cost: all output used, and all input at its dearest.

    Writing input to a provider's cache costs more than plain input, so that counts too.
    """
    ways = (
        TokenUsage(input_tokens=input_tokens, output_tokens=max_tokens),
        TokenUsage(cache_write_tokens=input_tokens, output_tokens=max_tokens),
    )
    return max((cost for cost in map(price, ways) if cost is not None), default=None)


def _public_cost(provider: str, model: str, usage: TokenUsage, at: datetime) -> Decimal | None:
    # Imported here: two thousand models take half a second to load.
    from genai_prices import Usage, calc_price

    counts = Usage(
        input_tokens=usage.input_tokens + usage.cache_read_tokens + usage.cache_write_tokens,
        cache_read_tokens=usage.cache_read_tokens,
        cache_write_tokens=usage.cache_write_tokens,
        output_tokens=usage.output_tokens,
    )
    try:
        found = calc_price(counts, model, **_where(provider), genai_request_timestamp=at)
    except LookupError:
        return None
    total: Decimal = found.total_price
    return total


def _public_window(provider: str, model: str) -> int | None:
    from genai_prices.data_snapshot import get_snapshot

    where = {"provider_id": None, "provider_api_url": None, **_where(provider)}
    try:
        _, found = get_snapshot().find_provider_model(model, None, **where)
    except LookupError:
        return None
    return found.context_window


def _where(provider: str) -> dict[str, Any]:
    return {"provider_api_url" if "://" in provider else "provider_id": provider}
