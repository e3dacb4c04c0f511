"""The providers of a process as one LLM: a model's name says whose it is."""

import sys
from collections.abc import Callable, Mapping
from dataclasses import replace
from decimal import Decimal

from omniforge.agents.runs import TokenUsage
from omniforge.errors import ModelAuthFailed, ModelUnknown, OmniForgeError
from omniforge.llm.protocol import LLM, Completion, OnDelta, Turn
from omniforge.llm.react import ReActLLM


class Router:
    """`openai/gpt-5.4` is that provider's model, `openai` its default one. All else is the default
    provider's, slashes included, since the names of many servers have them.

    Turns and errors name models in the same way, so that each name leads back to its provider.

    Raises:
        ModelAuthFailed: The default provider cannot be used.
    """

    name = "router"
    has_native_tools = True

    def __init__(
        self, makers: Mapping[str, Callable[[], LLM]], default: str, default_model: str = ""
    ) -> None:
        self._makers, self._default = makers, default
        self._made: dict[str, LLM] = {}
        self.default_model = default_model or self._provider(default).default_model

    async def complete(self, request: Completion, on_delta: OnDelta | None = None) -> Turn:
        """Answer once; see `LLM.complete`."""
        provider, model = self._split(request.model)
        llm = self._provider(provider)
        try:
            turn = await llm.complete(replace(request, model=model or llm.default_model), on_delta)
        except OmniForgeError as error:
            if "model" in error.details:
                error.details["model"] = self._full_name(provider, str(error.details["model"]))
            if isinstance(error, ModelUnknown) and "/" in model:
                known = f" A name may begin with a provider: {', '.join(self._makers)}."
                raise ModelUnknown(error.message + known, **error.details) from None
            raise
        return replace(turn, model=self._full_name(provider, turn.model))

    def price(self, model: str, usage: TokenUsage) -> Decimal | None:
        """See `LLM.price`. A model that cannot be asked costs nothing."""
        provider, bare = self._split(model)
        try:
            llm = self._provider(provider)
        except ModelAuthFailed:
            return Decimal(0)
        return llm.price(bare or llm.default_model, usage)

    def window(self, model: str) -> int | None:
        """See `LLM.window`. A model that cannot be asked sets no limit."""
        provider, bare = self._split(model)
        try:
            llm = self._provider(provider)
        except ModelAuthFailed:
            return sys.maxsize
        return llm.window(bare or llm.default_model)

    async def aclose(self) -> None:
        """Close what has been opened."""
        for llm in self._made.values():
            await llm.aclose()

    def _split(self, name: str) -> tuple[str, str]:
        provider, _, model = name.partition("/")
        return (provider, model) if provider in self._makers else (self._default, name)

    def _full_name(self, provider: str, model: str) -> str:
        return model if self._split(model) == (provider, model) else f"{provider}/{model}"

    def _provider(self, name: str) -> LLM:
        if name not in self._made:
            llm = self._makers[name]()
            self._made[name] = llm if llm.has_native_tools else ReActLLM(llm)
        return self._made[name]
