"""A run's events over a line that may be cut at any time."""

import asyncio
import time
from collections.abc import AsyncGenerator
from contextlib import aclosing

import httpx2
from pydantic import ValidationError

from omniforge.client.errors import error_of, unreadable
from omniforge.client.transport import Transport, pauses
from omniforge.errors import OmniForgeError
from omniforge.journal.events import Event

# The platform sends a sign of life every 15 s; this long without one, the line is dead.
_SILENCE = 40.0

# What follows the end of a run that was taken up again is there already.
_LAST_WORD = 0.5

# A line that held this long counts as a platform that answers.
_HELD = 1.0

_AGAIN_LATER = frozenset({429, 500, 502, 503, 504})


class _Cut(Exception):
    """The line ended before the run did, or there was none: then it held for 0 seconds.

    `is_closed`: the platform ended it in good order, so it had no more to tell.
    """

    def __init__(self, failure: Exception, held: float = 0.0, is_closed: bool = False) -> None:
        super().__init__(str(failure))
        self.failure = failure
        self.held = held
        self.is_closed = is_closed


class _Patience:
    """How long nothing may be heard of the platform. Anything heard starts it anew."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self.heard()

    def heard(self) -> None:
        self._since, self._pauses = time.monotonic(), pauses()

    async def pause(self, failure: Exception) -> None:
        """Wait a little before the next try.

        Raises:
            Exception: The failure, when patience has run out.
        """
        pause = next(self._pauses)
        if time.monotonic() - self._since + pause > self._seconds:
            raise failure
        await asyncio.sleep(pause)


async def watch(
    transport: Transport, path: str, after: int, patience_s: float
) -> AsyncGenerator[Event, None]:
    """Events after a number, each once and in order, until the one that ends the run.

    A run that was taken up again has told of an end before, which is not the last that there is to tell.
    """
    patience, is_over = _Patience(patience_s), False
    silence = min(_SILENCE, max(patience_s, _HELD))
    while True:
        try:
            async with aclosing(_one_line(transport, path, after, silence)) as events:
                while (event := await _following(events, is_over)) is not None:
                    patience.heard()
                    if event.seq > after:
                        after = event.seq
                        yield event
                    is_over = _is_over(event, is_over)
                return
        except _Cut as cut:
            if is_over and cut.is_closed:
                return
            if cut.held >= _HELD:
                patience.heard()
            await patience.pause(_told(transport, cut.failure))


def _is_over(event: Event, was_over: bool) -> bool:
    """Whether a run has ended by now. After its end it is only told of a retry, or in passing."""
    if event.body.type == "run_finished":
        return True
    return was_over and event.body.type != "run_retried"


async def _following(events: AsyncGenerator[Event, None], is_over: bool) -> Event | None:
    """The next event; None when nothing follows the one that ended the run."""
    try:
        async with asyncio.timeout(_LAST_WORD if is_over else None):
            return await anext(events)
    except TimeoutError:
        return None


async def _one_line(
    transport: Transport, path: str, after: int, silence: float
) -> AsyncGenerator[Event, None]:
    timeout = httpx2.Timeout(silence, connect=min(silence, 5.0))
    headers = {"Last-Event-ID": str(after)} if after else {}
    opened = None
    try:
        async with transport.http.sse(
            path, headers=headers, timeout=timeout, max_event_size=None
        ) as source:
            await _refuse(source.response)
            opened = time.monotonic()
            async for sent in source:
                if (event := _event(source.response, sent)) is not None:
                    yield event
        failure, is_closed = httpx2.TransportError("the line was cut"), True
    except httpx2.TransportError as error:
        failure, is_closed = error, False
    held = 0.0 if opened is None else time.monotonic() - opened
    raise _Cut(failure, held, is_closed)


async def _refuse(response: httpx2.Response) -> None:
    if response.status_code != 200:
        await response.aread()
        error = error_of(response)
        raise _Cut(error) if response.status_code in _AGAIN_LATER else error
    if not response.headers.get("content-type", "").startswith("text/event-stream"):
        raise unreadable(response, "not an event stream")


def _event(response: httpx2.Response, sent: httpx2.ServerSentEvent) -> Event | None:
    try:
        return Event.model_validate_json(sent.data)
    except ValidationError as error:
        # A newer platform may tell of things that this version has no words for.
        if any(one["type"] == "union_tag_invalid" for one in error.errors()):
            return None
        raise unreadable(response, "an event is not as it should be") from error


def _told(transport: Transport, failure: Exception) -> OmniForgeError:
    return failure if isinstance(failure, OmniForgeError) else transport.unreachable(failure)
