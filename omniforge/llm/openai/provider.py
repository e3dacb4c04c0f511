"""OpenAI's models and those of compatible servers, through OpenAI's own SDK."""

from decimal import Decimal
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from omniforge import clock
from omniforge.agents.runs import TokenUsage
from omniforge.errors import ModelUnknown
from omniforge.llm.connection import Endpoint, LazyClient, Timeouts, checked_key
from omniforge.llm.failures import Provider
from omniforge.llm.openai.chat.form import Chat
from omniforge.llm.openai.errors import our_errors
from omniforge.llm.openai.form import Api, Form
from omniforge.llm.openai.responses.form import Responses
from omniforge.llm.pricing import Pricing
from omniforge.llm.protocol import Completion, OnDelta, Turn

if TYPE_CHECKING:
    from openai import AsyncOpenAI

# OpenAI's choice for a balance of strength and cost, at a fifth of its strongest model's price.
DEFAULT_MODEL = "gpt-6.1-sol"
DEFAULT_URL = "https://api.openai.com/v1"
_KEY_VARIABLE = "OPENAI_API_KEY"
# The SDK wants a key; servers without keys do not look at it.
_NO_KEY = "none"


class OpenAILLM:
    """One server with one connection pool. Nothing is loaded before the first call.

    Only OpenAI's own server has a default model, and needs a key. It is asked over the Responses
    API and all others over Chat Completions, unless `api` says which.

    Raises:
        ModelAuthFailed: The key is missing, or cannot be a key.
    """

    name = "openai"

    def __init__(
        self,
        api_key: str = "",
        base_url: str | None = None,
        prices: Pricing | None = None,
        timeouts: Timeouts = Timeouts(),
        *,
        api: Api = "auto",
        has_native_tools: bool = True,
        reasoning_effort: str = "",
    ) -> None:
        url = base_url or DEFAULT_URL
        host = urlsplit(url).hostname or ""
        self._is_openai = f".{host}".endswith(".api.openai.com")
        provider = Provider("OpenAI" if self._is_openai else "The model server", _KEY_VARIABLE)
        key = checked_key(api_key, provider) if api_key or self._is_openai else ""
        self._endpoint = Endpoint(provider, url, key, timeouts)
        self.has_native_tools = has_native_tools
        self._form = self._form_of(api, reasoning_effort)
        self.default_model = DEFAULT_MODEL if self._is_openai else ""
        self._prices = prices or Pricing()
        self._client = LazyClient(self._open)

    def __repr__(self) -> str:
        return f"OpenAILLM(host={self._endpoint.host!r})"

    async def complete(self, request: Completion, on_delta: OnDelta | None = None) -> Turn:
        """Answer once; see `LLM.complete`."""
        if not request.model:
            raise ModelUnknown(
                f"No model is named, and {self._endpoint.host} has no default. Set"
                " OMNIFORGE_LLM_MODEL, or name a model in the agent."
            )
        client = await self._client.get()
        answer = self._form.answer(request)
        with our_errors(self._endpoint, answer):
            create = self._form.resource(client).create
            async with await create(**self._form.payload(request), stream=True) as stream:
                async for text in answer.read(stream):
                    if on_delta is not None:
                        on_delta(text)
        return answer.turn()

    def price(self, model: str, usage: TokenUsage) -> Decimal | None:
        return self._prices.cost(self._seller, model, usage, clock.now())

    def window(self, model: str) -> int | None:
        return self._prices.window(self._seller, model, clock.now())

    async def aclose(self) -> None:
        """Close the connections. A later call opens new ones."""
        await self._client.close()

    @property
    def _seller(self) -> str:
        return self.name if self._is_openai else self._endpoint.url

    def _form_of(self, api: Api, effort: str) -> Form:
        if api == "responses" or (api == "auto" and self._is_openai):
            return Responses(f"responses at {self._endpoint.host}", effort)
        return Chat("max_completion_tokens" if self._is_openai else "max_tokens", effort)

    def _open(self) -> "AsyncOpenAI":
        from httpx2 import Timeout
        from openai import AsyncOpenAI

        at = self._endpoint
        patience = Timeout(at.timeouts.read, connect=at.timeouts.connect)
        client = AsyncOpenAI(
            api_key=at.key or _NO_KEY, base_url=at.url, max_retries=0, timeout=patience
        )
        self._form.resource(client)  # the SDK loads it on first touch
        return client
