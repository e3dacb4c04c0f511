"""The outside world: an HTTP service that counts what really happened to it, and holds who it is told to."""

import asyncio
import json
from collections import Counter
from collections.abc import Callable
from typing import Any, Self

from omniforge.journal.steps import EffectClass
from tests.kill.moments import ASKED, Moment
from tests.support.asgi import Receive, Send, answer_json, body_of
from tests.support.ports import free_port
from tests.support.servers import serving

Reply = tuple[int, Any] | None
"""Status and JSON; None when there is nobody left to answer."""


class OutsideService:
    """Lives in the harness, so that what it knows outlives every worker.

    `commits` counts by place what was really done; a caller can neither choose nor see that count.
    """

    def __init__(self, slowness: float = 0.0) -> None:
        """`slowness`: seconds from the arrival of a call that is held to its late commit."""
        self.commits: Counter[str] = Counter()
        self.parked: set[str] = set()
        """Who is held at this moment."""
        self.arrived: Counter[str] = Counter()
        """How often each was held so far."""
        self.late: set[str] = set()
        """Places whose commit is still to come, although their caller may be gone."""
        self._slowness = slowness
        self._holds: Counter[str] = Counter()
        self._requests: Counter[str] = Counter()
        self._done: dict[str, str] = {}
        """Key or marker -> place."""
        self._news = asyncio.Condition()
        self._port = free_port()
        self.url = f"http://127.0.0.1:{self._port}"

    def hold(self, name: str, times: int = 1) -> None:
        """The next so many who come by under this name are held until their process is gone."""
        self._holds[name] += times

    async def until(self, is_true: Callable[[], bool], within: float) -> None:
        async with asyncio.timeout(within), self._news:
            await self._news.wait_for(is_true)

    async def __aenter__(self) -> Self:
        self._serving = serving(self._app, self._port)
        await self._serving.__aenter__()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._serving.__aexit__(None, None, None)

    # ---- what it is asked --------------------------------------------------------------------

    async def _app(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        asked = json.loads(await body_of(receive))
        answers = {"/gate": self._gate, "/commits": self._commit, "/lookups": self._look_up}
        reply = await answers[scope["path"]](asked, receive)
        if reply is not None:
            await answer_json(send, *reply)

    async def _gate(self, asked: dict[str, str], receive: Receive) -> Reply:
        return (200, {}) if await self._passes(asked["name"], receive) else None

    async def _commit(self, asked: dict[str, str], receive: Receive) -> Reply:
        place, moment, key = asked["place"], Moment(asked["moment"]), asked["key"]
        self._requests[place] += 1
        if moment is Moment.BEFORE_COMMIT and not await self._passes(place, receive):
            return None
        if moment is Moment.LATE_COMMIT:
            await self._take_long(place, receive)
        self._do(place, key, EffectClass(asked["kind"]))
        if moment is Moment.BEFORE_REPLY and not await self._passes(place, receive):
            return None
        if self._loses_answer(place, moment):
            return 500, {"error": "the answer is lost"}
        return 200, {"posted": place}

    async def _look_up(self, asked: dict[str, str], receive: Receive) -> Reply:
        place = self._done.get(asked["key"])
        return 200, None if place is None else {"posted": place}

    async def _take_long(self, place: str, receive: Receive) -> None:
        clock = asyncio.get_running_loop()
        done_at = clock.time() + self._slowness
        self.late.add(place)
        if not await self._passes(place, receive):
            await asyncio.sleep(done_at - clock.time())
        self.late.discard(place)

    def _do(self, place: str, key: str, kind: EffectClass) -> None:
        if kind is EffectClass.KEYED and key in self._done:
            return
        self.commits[place] += 1
        if key:
            self._done[key] = place

    def _loses_answer(self, place: str, moment: Moment) -> bool:
        if moment is Moment.UNKNOWN_RECORDED:
            return self._holds[place] > 0
        return moment in ASKED and self._requests[place] == 1

    async def _passes(self, name: str, receive: Receive) -> bool:
        """False when the one who came was held, and is gone now."""
        if not self._holds[name]:
            return True
        self._holds[name] -= 1
        self.arrived[name] += 1
        self.parked.add(name)
        await self._tell()
        try:
            while (await receive())["type"] != "http.disconnect":
                pass
        finally:
            self.parked.discard(name)
            await self._tell()
        return False

    async def _tell(self) -> None:
        async with self._news:
            self._news.notify_all()
