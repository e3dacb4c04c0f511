"""Claude, through Anthropic's own SDK."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from omniforge import clock
from omniforge.agents.runs import TokenUsage
from omniforge.errors import ModelAuthFailed, ModelUnreachable
from omniforge.llm.anthropic_stream import IncomingAnswer
from omniforge.llm.anthropic_wire import Thoughts, payload
from omniforge.llm.failures import Failure, Provider, error_for, seconds_to_wait
from omniforge.llm.pricing import Pricing
from omniforge.llm.protocol import Completion, OnDelta, Turn

if TYPE_CHECKING:
    from anthropic import APIStatusError, AsyncAnthropic

DEFAULT_MODEL = "claude-sonnet-5-5"
DEFAULT_URL = "https://api.anthropic.com"
_ANTHROPIC = Provider("Anthropic", "ANTHROPIC_API_KEY")


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Seconds. `read` is the longest silence: a working stream sends at least a ping more often."""

    connect: float = 10.0
    read: float = 120.0


class AnthropicLLM:
    """One provider with one key and one connection pool. Nothing is loaded before the first call.

    Raises:
        ModelAuthFailed: The key is empty, or cannot be a key.
    """

    name = "anthropic"
    has_native_tools = True

    def __init__(
        self,
        api_key: str,
        base_url: str | None = None,
        default_model: str = DEFAULT_MODEL,
        prices: Pricing | None = None,
        timeouts: Timeouts = Timeouts(),
    ) -> None:
        self._key = _checked(api_key)
        self._url = base_url or DEFAULT_URL
        self.default_model = default_model
        self._prices = prices or Pricing()
        self._timeouts = timeouts
        self._thoughts = Thoughts()
        self._client: AsyncAnthropic | None = None
        self._opening = asyncio.Lock()

    def __repr__(self) -> str:
        return f"AnthropicLLM(default_model={self.default_model!r}, host={self._host!r})"

    async def complete(self, request: Completion, on_delta: OnDelta | None = None) -> Turn:
        """Answer once; see `LLM.complete`.

        Raises also:
            AnswerUnusable: The model called a tool with something that is no JSON object.
        """
        client = await self._connected()
        answer = IncomingAnswer(request)
        with self._our_errors(answer):
            async with client.messages.stream(**payload(request, self._thoughts)) as stream:
                async for text in answer.read(stream):
                    if on_delta is not None:
                        on_delta(text)
        turn = answer.turn()
        self._thoughts.keep(request.model, turn.calls, answer.content())
        return turn

    def price(self, model: str, usage: TokenUsage) -> Decimal | None:
        return self._prices.cost(self.name, model, usage, clock.now())

    async def aclose(self) -> None:
        """Close the connections. A later call opens new ones."""
        client, self._client = self._client, None
        if client is not None:
            await client.close()

    async def _connected(self) -> "AsyncAnthropic":
        async with self._opening:
            if self._client is None:
                # In a thread: loading the SDK takes a second, and other runs beat meanwhile.
                self._client = await asyncio.to_thread(self._open)
            return self._client

    def _open(self) -> "AsyncAnthropic":
        from anthropic import AsyncAnthropic
        from httpx2 import Timeout

        patience = Timeout(self._timeouts.read, connect=self._timeouts.connect)
        client = AsyncAnthropic(
            api_key=self._key, base_url=self._url, max_retries=0, timeout=patience
        )
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
            raise answer.paid(self._silent()) from None
        except (anthropic.AnthropicError, httpx2.HTTPError) as error:
            raise answer.paid(self._lost(error)) from None

    def _failure(self, error: "APIStatusError") -> Failure:
        wait = seconds_to_wait(error.response.headers.get("retry-after"))
        return Failure(
            status=error.status_code,
            name=error.type or "",
            message=self._without_key(error.api_message or error.message),
            retry_after=wait,
        )

    def _silent(self) -> ModelUnreachable:
        limits = f"connect {self._timeouts.connect:g} s, silence {self._timeouts.read:g} s"
        return ModelUnreachable(f"Anthropic at {self._host} did not answer in time ({limits}).")

    def _lost(self, error: Exception) -> ModelUnreachable:
        cause = error.__cause__ or error
        words = self._without_key(f"{type(cause).__name__}: {cause}".rstrip(": "))
        return ModelUnreachable(f"The connection to Anthropic at {self._host} failed ({words}).")

    def _without_key(self, text: str) -> str:
        return text.replace(self._key, "***")

    @property
    def _host(self) -> str:
        parts = urlsplit(self._url)
        return f"{parts.hostname}:{parts.port}" if parts.port else str(parts.hostname)


def _checked(api_key: str) -> str:
    key = api_key.strip()
    if key and key.isascii() and key.isprintable() and " " not in key:
        return key
    state = "is not a key" if key else "is empty"
    raise ModelAuthFailed(
        f"The API key for Anthropic {state}. Set {_ANTHROPIC.key_variable} and start the worker again."
    )
