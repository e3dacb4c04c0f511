"""The model providers by name. Each is loaded when it is asked for."""

from omniforge.errors import ModelAuthFailed, Rejected
from omniforge.llm.pricing import Pricing
from omniforge.llm.protocol import LLM

PROVIDERS = ("anthropic", "offline")


def make_llm(
    provider: str,
    *,
    model: str = "",
    api_key: str | None = None,
    base_url: str | None = None,
    pace: float = 0.0,
    prices: Pricing | None = None,
) -> LLM:
    """The provider's LLM; `model` replaces its default model, `pace` is the offline model's alone.

    Raises:
        Rejected: There is no such provider.
        ModelAuthFailed: The provider needs a key.
    """
    if provider == "offline":
        from omniforge.llm.offline import OfflineLLM

        return OfflineLLM(pace)
    if provider == "anthropic":
        return _anthropic(model, api_key, base_url, prices)
    known = ", ".join(PROVIDERS)
    raise Rejected(f"There is no model provider {provider!r}; known are {known}.")


def _anthropic(
    model: str, api_key: str | None, base_url: str | None, prices: Pricing | None
) -> LLM:
    from omniforge.llm.anthropic import DEFAULT_MODEL, AnthropicLLM

    if not api_key:
        raise ModelAuthFailed("Claude needs an API key. Set ANTHROPIC_API_KEY.")
    return AnthropicLLM(api_key, base_url, model or DEFAULT_MODEL, prices)
