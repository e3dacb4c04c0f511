"""How fast one account may call a service: what we keep to, and what its headers say."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from email.utils import parsedate_to_datetime

import httpx2

from omniforge import clock
from omniforge.errors import RateLimited

# What services recommend when they say "slow down" without a time (GitHub: at least a minute).
UNTOLD_WAIT = 60.0


@dataclass(frozen=True, slots=True)
class Budget:
    """Headers that tell how much is left of something, and when it is filled up again."""

    remaining: str = "x-ratelimit-remaining"
    reset: str = "x-ratelimit-reset"
    """A point in time, as the Unix time in seconds."""
    is_in_milliseconds: bool = False


@dataclass(frozen=True, slots=True)
class Limits:
    """Of one account. `per_second` and `parallel` are kept without being told."""

    per_second: float | None = None
    parallel: int = 8
    budgets: tuple[Budget, ...] = (Budget(),)


class Pace:
    """Lets the calls of one account through, no faster than the service takes them."""

    def __init__(self, title: str, limits: Limits) -> None:
        self._title = title
        self._interval = 1 / limits.per_second if limits.per_second else 0.0
        self._places = asyncio.Semaphore(limits.parallel)
        self._next = 0.0

    def hold(self, seconds: float) -> None:
        """Let nobody through for so long."""
        self._next = max(self._next, _now() + seconds)

    @property
    def is_idle(self) -> bool:
        return self._next <= _now() and not self._places.locked()

    @asynccontextmanager
    async def turn(self, deadline: float) -> AsyncIterator[None]:
        """A place among the calls under way.

        Raises:
            RateLimited: None comes free before the deadline. Nothing is waited for then.
        """
        self._refuse_late(deadline)
        try:
            async with asyncio.timeout_at(deadline):
                await self._places.acquire()
        except TimeoutError:
            raise self.limited(1.0) from None
        try:
            self._refuse_late(deadline)
            start = max(self._next, _now())
            self._next = start + self._interval
            await asyncio.sleep(start - _now())
            yield
        finally:
            self._places.release()

    def _refuse_late(self, deadline: float) -> None:
        if self._next >= deadline:
            raise self.limited(self._next - _now())

    def limited(self, seconds: float) -> RateLimited:
        return RateLimited(
            f"{self._title} takes no more calls of this account for about {max(1, round(seconds))}"
            " seconds. Nothing was done. Go on with something else, or finish and say what is left.",
            retry_after=seconds,
        )


def seconds_to_wait(headers: httpx2.Headers, limits: Limits) -> float | None:
    """How long a service asks to be left alone; None when it does not."""
    if (told := headers.get("retry-after")) is not None:
        return _seconds(told, headers)
    waits = [
        _until(float(headers[budget.reset]) / (1_000 if budget.is_in_milliseconds else 1), headers)
        for budget in limits.budgets
        if headers.get(budget.remaining, "").strip() in {"0", "-1"}
        and headers.get(budget.reset, "").strip().replace(".", "", 1).isdigit()
    ]
    return max(waits, default=None)


def _seconds(told: str, headers: httpx2.Headers) -> float:
    if told.strip().replace(".", "", 1).isdigit():
        return float(told)
    try:
        return _until(parsedate_to_datetime(told).timestamp(), headers)
    except ValueError:
        return UNTOLD_WAIT


def _until(moment: float, headers: httpx2.Headers) -> float:
    """By the service's own clock where it tells it: ours may be off."""
    try:
        now = parsedate_to_datetime(headers.get("date", "")).timestamp()
    except ValueError:
        now = clock.now().timestamp()
    return max(1.0, moment - now)


def _now() -> float:
    return asyncio.get_running_loop().time()
