"""A node whose workers come and go, and an outside world that counts what reached it."""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any

from omniforge.agents.runs import ErrorInfo, TokenUsage
from omniforge.errors import OutcomeUnknown
from omniforge.journal.journal import Journal, never
from omniforge.journal.memory import MemoryJournalStore, MemoryStream
from omniforge.journal.ports import Decision, InboxItem
from omniforge.journal.steps import (
    Effect,
    EffectClass,
    Fence,
    NodeKey,
    Performed,
    Request,
    Sending,
    StepKind,
)

KEY = NodeKey("run-1", "report")

Reply = Performed | BaseException | Callable[[], Awaitable[Performed]]
"""What the world does when it is asked: answer, fail, or something that takes its time."""

Lookup = Callable[[str], Awaitable[Performed | None]]


class Node:
    """One skill of a run. Each `worker()` is a successor of the one before."""

    def __init__(self, cap: str | None = None) -> None:
        self.store = MemoryJournalStore()
        self.attempt = 0
        self.money.cap = None if cap is None else Decimal(cap)

    async def worker(self, should_stop: Callable[[], str | None] = never) -> Journal:
        self.attempt += 1
        return await Journal.open(self.store, KEY, "report", Fence(0, self.attempt), should_stop)

    @property
    def money(self) -> MemoryStream:
        return self.store.streams[KEY.stream_id]

    @property
    def told(self) -> list[str]:
        """The types of the stream's events, in order."""
        return [event.body.type for event in self.money.events]

    def decides(self, wait_id: str, decision: Decision, item: str = "decision-1") -> None:
        self.store.inbox.setdefault(KEY, []).append(
            InboxItem(item, wait_id, decision, "us_anna", "I looked")
        )


class World:
    """What a step's work is done to: gives its replies in order, the last one again and again."""

    def __init__(self, *replies: Reply) -> None:
        self._replies = list(replies) or [Performed("done")]
        self.sendings: list[Sending] = []
        self.lookups = 0
        self.found: list[Performed | None] = []
        self.find: Lookup = self._find

    @property
    def count(self) -> int:
        return len(self.sendings)

    async def __call__(self, sending: Sending) -> Performed:
        self.sendings.append(sending)
        reply = self._replies.pop(0) if len(self._replies) > 1 else self._replies[0]
        if isinstance(reply, BaseException):
            raise reply
        return reply if isinstance(reply, Performed) else await reply()

    async def _find(self, effect_id: str) -> Performed | None:
        assert all(effect_id == sending.effect_id for sending in self.sendings)
        self.lookups += 1
        return self.found.pop(0) if self.found else None


def lost_answer() -> OutcomeUnknown:
    return OutcomeUnknown("the line was cut")


def dollars(*amounts: float | str) -> tuple[Decimal, ...]:
    return tuple(Decimal(str(amount)) for amount in amounts)


def tool(name: str = "read", **arguments: Any) -> Request:
    return Request(StepKind.TOOL, name, arguments)


def model(reserve: str = "0") -> Request:
    return Request(StepKind.MODEL, "model", reserve=Decimal(reserve))


def spent(cost: str, answer: Any = "answer") -> Performed:
    return Performed(answer, usage=TokenUsage(model_calls=1), cost=Decimal(cost), model="m-1")


def failure(code: str = "refused") -> Performed:
    return Performed(error=ErrorInfo(code=code, message="The service said 403."))


def effect(
    kind: EffectClass,
    world: World,
    timeout: float = 0.2,
    lifetime: float | None = 3600,
    visible_after: float | None = 0.01,
) -> Request:
    """A post of the given class. Times are seconds; None is what the provider does not promise."""
    rules = Effect(
        kind,
        timedelta(seconds=timeout),
        None if lifetime is None else timedelta(seconds=lifetime),
        None if visible_after is None else timedelta(seconds=visible_after),
        world.find if kind is EffectClass.FINDABLE else None,
    )
    return Request(StepKind.TOOL, "post", {"text": "hello"}, rules)
