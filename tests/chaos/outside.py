"""The outside world: a service that is busy at times, at times takes what comes and never says so."""

import asyncio
import json
import random
from collections import Counter
from collections.abc import Callable
from typing import Any, Self

from omniforge.journal.steps import EffectClass
from tests.support.asgi import Receive, Send, answer_json, body_of
from tests.support.ports import free_port
from tests.support.servers import serving

BUSY, SILENT = 0.05, 0.02
BUSY_WORD = "busy"
# So that kills find calls on their way.
SLOWNESS = 0.3


class OutsideService:
    """Lives in the harness, so that what it knows outlives every worker.

    `commits` counts by place what was really done; `keys` counts by effect id. How a request fares
    is drawn by its place and number: the same seed treats the same run alike, whatever else goes on.
    """

    def __init__(self, seed: int, *, is_kind: bool = False) -> None:
        """A kind one is never busy and never silent, except to those it is told to hold."""
        self.commits: Counter[str] = Counter()
        self.keys: Counter[str] = Counter()
        self.busy = self.silent = 0
        self.held: set[str] = set()
        """Places whose first request is taken and never answered."""
        self._seed, self._is_kind = seed, is_kind
        self._requests: Counter[str] = Counter()
        self._refused: set[str] = set()
        self._place_of: dict[str, str] = {}
        self._news = asyncio.Condition()
        self._port = free_port()
        self.url = f"http://127.0.0.1:{self._port}"

    async def until(self, is_true: Callable[[], bool], within: float) -> None:
        async with asyncio.timeout(within), self._news:
            await self._news.wait_for(is_true)

    async def __aenter__(self) -> Self:
        self._serving = serving(self._app, self._port)
        await self._serving.__aenter__()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._serving.__aexit__(None, None, None)

    async def _app(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        asked = json.loads(await body_of(receive))
        if scope["path"] == "/lookups":
            await answer_json(send, 200, self._place_of.get(asked["key"]))
        else:
            await self._take(asked, receive, send)

    async def _take(self, asked: dict[str, str], receive: Receive, send: Send) -> None:
        place = asked["place"]
        self._requests[place] += 1
        drawn = random.Random(f"{self._seed} {place} {self._requests[place]}")  # noqa: S311
        luck = 1.0 if self._is_kind else drawn.random()
        if luck < BUSY and place not in self._refused:
            self._refused.add(place)  # once: a tool that fails twice in one way is not called again
            self.busy += 1
            await answer_json(send, 503, {"error": BUSY_WORD})
            return
        await self._do(place, asked["key"], EffectClass(asked["kind"]))
        if BUSY <= luck < BUSY + SILENT or (place in self.held and self._requests[place] == 1):
            self.silent += 1
            while (await receive())["type"] != "http.disconnect":
                pass
            return
        await asyncio.sleep(drawn.uniform(0, SLOWNESS))
        await answer_json(send, 200, {"posted": place})

    async def _do(self, place: str, key: str, kind: EffectClass) -> None:
        if kind is EffectClass.KEYED and key in self._place_of:
            return
        self.commits[place] += 1
        if key and kind is not EffectClass.READ:
            self.keys[key] += 1
            self._place_of[key] = place
        async with self._news:
            self._news.notify_all()
