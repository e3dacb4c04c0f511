"""Claude, through Anthropic's own SDK."""

from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from typing import TYPE_CHECKING

from omniforge import clock
from omniforge.agents.runs import TokenUsage
from omniforge.llm.anthropic.stream import IncomingAnswer
from omniforge.llm.anthropic.wire import NAME, payload
from omniforge.llm.connection import Endpoint, LazyClient, Timeouts, checked_key
from omniforge.llm.failures import Failure, Provider, error_for, seconds_to_wait
from omniforge.llm.pricing import Pricing
from omniforge.llm.protocol import Completion, OnDelta, Turn

if TYPE_CHECKING:
    from anthropic import APIStatusError, AsyncAnthropic

DEFAULT_MODEL = "claude-sonnet-5-5"
DEFAULT_URL = "https://api.anthropic.com"
_ANTHROPIC = Provider("Anthropic", "ANTHROPIC_API_KEY")


class AnthropicLLM:
    """One provider with one key and one connection pool. Nothing is loaded before the first call.

    Raises:
        ModelAuthFailed: The key is empty, or cannot be a key.
    """

    name = NAME
    default_model = DEFAULT_MODEL
    has_native_tools = True

    def __init__(
        self,
        api_key: str,
        base_url: str | None = None,
        prices: Pricing | None = None,
        timeouts: Timeouts = Timeouts(),
    ) -> None:
        key = checked_key(api_key, _ANTHROPIC)
        self._endpoint = Endpoint(_ANTHROPIC, base_url or DEFAULT_URL, key, timeouts)
        self._prices = prices or Pricing()
        self._client = LazyClient(self._open)

    def __repr__(self) -> str:
        return f"AnthropicLLM(host={self._endpoint.host!r})"

    async def complete(self, request: Completion, on_delta: OnDelta | None = None) -> Turn:
        """Answer once; see `LLM.complete`."""
        client = await self._client.get()
        answer = IncomingAnswer(request)
        with self._our_errors(answer):
            async with client.messages.stream(**payload(request)) as stream:
                async for text in answer.read(stream):
                    if on_delta is not None:
                        on_delta(text)
        return answer.turn()

    def price(self, model: str, usage: TokenUsage) -> Decimal | None:
        return self._prices.cost(self.name, model, usage, clock.now())

    def window(self, model: str) -> int | None:
        return self._prices.window(self.name, model, clock.now())

    async def aclose(self) -> None:
        """Close the connections. A later call opens new ones."""
        await self._client.close()

    def _open(self) -> "AsyncAnthropic":
        from anthropic import AsyncAnthropic
        from httpx2 import Timeout

        at = self._endpoint
        patience = Timeout(at.timeouts.read, connect=at.timeouts.connect)
        client = AsyncAnthropic(api_key=at.key, base_url=at.url, max_retries=0, timeout=patience)
        _ = client.messages  # the SDK loads it on first touch
        return client

    @contextmanager
    def _our_errors(self, answer: IncomingAnswer) -> Iterator[None]:
        # Nothing is chained: the SDK's errors carry the request, and with it the key.
        import anthropic
        import httpx2

        try:
            yield
        except anthropic.APIStatusError as error:
            raise answer.paid(error_for(self._failure(error), _ANTHROPIC)) from None
        except (anthropic.APITimeoutError, httpx2.TimeoutException):
            raise answer.paid(self._endpoint.silent()) from None
        except (anthropic.AnthropicError, httpx2.HTTPError) as error:
            raise answer.paid(self._endpoint.lost(error)) from None

    def _failure(self, error: "APIStatusError") -> Failure:
        return Failure(
            status=error.status_code,
            name=error.type or "",
            message=self._endpoint.without_key(error.api_message or error.message),
            retry_after=seconds_to_wait(error.response.headers),
        )
