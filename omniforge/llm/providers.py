"""The model providers by name, and all of a process as one."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

from omniforge.errors import ModelAuthFailed, Rejected
from omniforge.llm.offline import OfflineLLM
from omniforge.llm.openai.form import Api
from omniforge.llm.pricing import Pricing
from omniforge.llm.protocol import LLM
from omniforge.llm.router import Router

PROVIDERS = ("anthropic", "openai", "offline")


@dataclass(frozen=True, slots=True)
class Access:
    """How a provider is reached. Without a base URL, at its own address."""

    api_key: str = ""
    base_url: str | None = None


@dataclass(frozen=True, slots=True)
class OpenAIAccess(Access):
    """What one has to say of a server, since it does not tell itself."""

    api: Api = "auto"
    has_native_tools: bool = True
    reasoning_effort: str = ""
    """Sent as it is; empty: not sent."""


def make_llm(
    provider: str,
    *,
    model: str = "",
    anthropic: Access = Access(),
    openai: OpenAIAccess = OpenAIAccess(),
    pace: float = 0.0,
    prices: Pricing | None = None,
) -> Router:
    """All providers as one LLM, with `provider` for models that name none.

    `model` is the one for requests that name none; `pace` is the offline model's alone.

    Raises:
        Rejected: There is no such provider.
        ModelAuthFailed: `provider` needs a key. The others are missed when they are asked.
    """
    if provider not in PROVIDERS:
        known = ", ".join(PROVIDERS)
        raise Rejected(f"There is no model provider {provider!r}; known are {known}.")
    makers: Mapping[str, Callable[[], LLM]] = {
        "anthropic": partial(_anthropic, anthropic, prices),
        "openai": partial(_openai, openai, prices),
        "offline": partial(OfflineLLM, pace),
    }
    return Router(makers, provider, model)


def _anthropic(access: Access, prices: Pricing | None) -> LLM:
    from omniforge.llm.anthropic.provider import AnthropicLLM

    if not access.api_key:
        raise ModelAuthFailed("Claude needs an API key. Set ANTHROPIC_API_KEY.")
    return AnthropicLLM(access.api_key, access.base_url, prices=prices)


def _openai(access: OpenAIAccess, prices: Pricing | None) -> LLM:
    from omniforge.llm.openai.provider import OpenAILLM

    return OpenAILLM(
        access.api_key,
        access.base_url,
        prices=prices,
        api=access.api,
        has_native_tools=access.has_native_tools,
        reasoning_effort=access.reasoning_effort,
    )
